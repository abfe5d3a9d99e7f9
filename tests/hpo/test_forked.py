"""Workers that are forked on this machine: what each holds, and work done elsewhere."""

from __future__ import annotations

import os

import pytest
import ray

from iterate.hpo.pool.cluster import Cluster
from iterate.hpo.pool.forked.room import Room
from iterate.hpo.pool.forked.server import elsewhere, warm
from iterate.hpo.pool.own_ray import started
from iterate.hpo.pool.workplace import workplace
from iterate.hpo.settings import RaySettings, ResourceSettings
from iterate.hpo.shares import Share
from iterate_core.errors import DataError, Problem


def placed(room: Room, *shares: Share) -> list[tuple[str, ...] | None]:
    """Where each share goes, one after another; what fits is held."""
    places = []
    for share in shares:
        gpus = room.place(share)
        if gpus is not None:
            room.take(share, gpus)
        places.append(gpus)
    return places


def test_shares_hold_cores_and_whole_gpus_until_they_are_given_back() -> None:
    room, share = Room(4, ["2", "5"]), Share(1, 1)
    assert placed(room, share, share, share, Share(2, 0), Share(1, 0)) == [
        ("2",),
        ("5",),
        None,
        (),
        None,
    ]
    room.give_back(share, ("2",))
    assert room.place(share) == ("2",)
    assert room.place(Share(1, 2)) is None


def test_several_gpus_are_held_at_once_where_they_are_free() -> None:
    assert placed(Room(4, ["0", "1", "2"]), Share(1, 1), Share(1, 2)) == [("0",), ("1", "2")]


def test_parts_of_a_gpu_are_of_one_that_is_shared_already() -> None:
    third = Share(0.1, 1 / 3)
    places = placed(Room(1, ["0", "1"]), *[third] * 4, Share(0.1, 1), third)
    assert places == [("0",)] * 3 + [("1",), None, ("1",)]


def refused() -> None:
    problems = [Problem("model", "does not fit.", "Choose another."), Problem("", f"{os.getpid()}")]
    raise DataError(problems, "all of it", "begin again")


def test_what_is_refused_elsewhere_is_refused_in_the_same_words() -> None:
    with warm():
        assert elsewhere(os.getpid) != os.getpid()
        with pytest.raises(DataError) as caught:
            elsewhere(refused)
    (first, second) = caught.value.problems
    assert (first.hint, caught.value.headline) == ("Choose another.", "all of it")
    assert int(second.what) != os.getpid()


def test_without_a_warm_server_work_is_done_here() -> None:
    assert elsewhere(os.getpid) == os.getpid()


def test_a_ray_that_this_process_has_joined_is_used_and_left_running() -> None:
    with started():
        with workplace(RaySettings(), [ResourceSettings()]) as place:
            assert isinstance(place, Cluster)
        assert ray.is_initialized()
        assert ray.cluster_resources()["CPU"] == place.there["CPU"]

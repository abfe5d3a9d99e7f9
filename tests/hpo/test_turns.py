"""Which study gives the next job: the longest begins first, and none waits without need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from pool_support import make_study

from iterate.hpo.jobs import Job, Progress
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.coordinator import Coordinator
from iterate.hpo.pool.sharing import Shares
from iterate.hpo.pool.turns import in_turn
from iterate.hpo.storage.open import open_storage
from iterate.hpo.study import Study
from iterate_core.engine.reports import EpochReport

BLIND = {"name": "random"}
Open = Callable[..., list[Ledger]]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    storage = open_storage(None, tmp_path)
    return lambda *studies: [Ledger(study, storage, tmp_path / study.name) for study in studies]


def costing(operations: float | None, name: str, **search: object) -> Study:
    return dataclasses.replace(make_study(name, **search), operations=operations)  # type: ignore[arg-type]


def given_out(ledgers: list[Ledger], workers: int) -> list[Job]:
    """What so many idle workers are given."""
    there = {"CPU": float(workers)}
    shares = Shares([ledger.study for ledger in ledgers], there)
    coordinator = Coordinator(ledgers, [], shares, lambda: there)
    drawn = (coordinator.next_jobs(str(number)) for number in range(workers))
    return [job for jobs in drawn for job in jobs]


def done(ledger: Ledger, job: Job) -> None:
    report = EpochReport(1, {"val/score": 0.5}, 0.5, 0.5, 1.0, done=True)
    ledger.record(job.key, Progress((report,), done=True))


def names(ledgers: list[Ledger]) -> list[str]:
    return [ledger.study.name for ledger in in_turn(ledgers)]


def test_the_longest_study_begins_first_and_unknown_ones_in_their_order(opened: Open) -> None:
    few, many = 2, 6
    known = opened(
        costing(3e12, "middle", trials=few),
        costing(5e12, "long", trials=few),
        costing(2e12, "many", trials=many),
        costing(1e12, "short", trials=few),
    )
    assert names(known) == ["many", "long", "middle", "short"]
    assert [job.study for job in given_out(known, 3)] == ["many", "long", "middle"]
    unknown = opened(*(costing(None, name) for name in "cab"))
    assert names([*known[3:], *unknown]) == ["c", "a", "b", "short"]


def test_studies_are_compared_by_seconds_once_some_are_known(opened: Open) -> None:
    measured, quick, slow = opened(
        costing(4e12, "measured", trials=2), costing(1e12, "quick", trials=2),
        costing(64e12, "slow", trials=2),
    )  # fmt: skip
    (first,) = given_out([measured], 1)
    done(measured, first)
    for begun in (quick, slow):
        given_out([begun], 1)
        (job,) = [run.job for run in begun.running.values()]
        begun.record(job.key, Progress(fault="the disk is full"))
    # One training of the first is left, and two of the others, at its seconds an operation.
    assert names([slow, measured, quick]) == ["quick", "measured", "slow"]


def test_points_that_need_not_know_each_other_go_to_every_worker(opened: Open) -> None:
    blind = opened(*(make_study(name, trials=4, sampler=BLIND) for name in "ab"))
    assert [job.study for job in given_out(blind, 6)] == [*"aaaabb"]


@pytest.mark.parametrize(
    "settings", [{}, {"sampler": BLIND, "scheduler": "asha"}, {"sampler": BLIND, "patience": 3}]
)
def test_points_that_know_each_other_are_drawn_of_several_studies(
    opened: Open, settings: dict[str, object]
) -> None:
    knowing = opened(*(make_study(name, trials=4, **settings) for name in "abc"))  # type: ignore[arg-type]
    assert [job.study for job in given_out(knowing, 3)] == [*"abc"]


def test_repeats_go_to_every_worker_that_is_free(opened: Open) -> None:
    ended, other = opened(*(make_study(name, trials=1, repeats=3) for name in "ab"))
    (trial,) = given_out([ended], 1)
    done(ended, trial)
    jobs = given_out([other, ended], 4)
    assert [(job.study, job.kind) for job in jobs] == [("a", "repeat")] * 3 + [("b", "trial")]

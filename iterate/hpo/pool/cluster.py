"""Ray for the length of a command: on this machine, or the cluster at an address."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import ray

from iterate.hpo.pool.own_ray import started
from iterate.hpo.settings import RaySettings, ResourceSettings
from iterate.hpo.shares import check_there
from iterate_core.errors import Problem, RequestError


@dataclass(frozen=True)
class Cluster:
    """A Ray that is connected.

    Attributes:
        there: What it has, such as ``{"CPU": 8, "GPU": 1}``.
        check: Raises `WorkError` once it has ended by itself. Quick; to be called often.
    """

    there: Mapping[str, float]
    check: Callable[[], None]


@contextmanager
def cluster(settings: RaySettings, wanted: Sequence[ResourceSettings]) -> Iterator[Cluster]:
    """Connect to Ray, starting it on this machine if no address is given.

    A Ray started here listens on loopback alone, and no process of it is left in the end.

    Raises:
        RequestError: No cluster answers at the address, or it is too small for a trial.
    """
    with started() if settings.address is None else _connected(settings.address) as check:
        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        check_there(wanted, there, "the cluster" if settings.address else "this machine")
        yield Cluster(there, check)


@contextmanager
def _connected(address: str) -> Iterator[Callable[[], None]]:
    """Somebody else's Ray, whose end it tells us itself."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        what = f"no Ray cluster answers at {address!r} ({str(error).splitlines()[0]})."
        hint = "Start one with `ray start --head`, or leave ray.address out to use this machine."
        raise RequestError(Problem("ray.address", what, hint)) from error
    try:
        yield lambda: None
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Find out in seconds that nobody listens; Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()

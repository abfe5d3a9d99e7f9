"""Ray for the length of a command: its own, one that runs in this process, or a cluster's."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import ray

from iterate.hpo.jobs import Train, TrainTogether
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.coordinator import Observer
from iterate.hpo.pool.own_ray import started
from iterate.hpo.pool.pool import cluster_resources, run_pool
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

    def run(
        self,
        ledgers: Sequence[Ledger],
        train: Train,
        observers: Sequence[Observer] = (),
        checks: Sequence[Callable[[], None]] = (),
        together: TrainTogether | None = None,
    ) -> None:
        """See `iterate.hpo.pool.workplace.Workplace.run`."""
        run_pool(ledgers, train, observers, [*checks, self.check], together)


@contextmanager
def cluster(settings: RaySettings, wanted: Sequence[ResourceSettings]) -> Iterator[Cluster]:
    """Connect to Ray, starting it on this machine if no address is given.

    A Ray started here listens on loopback alone, and no process of it is left in the end. One that
    this process has joined before, as a notebook may, is used and left running.

    Raises:
        RequestError: No cluster answers at the address, or it is too small for a trial.
    """
    with _ray(settings) as check:
        there = cluster_resources()
        check_there(wanted, there, "this machine" if settings.here else "the cluster")
        yield Cluster(there, check)


def _ray(settings: RaySettings) -> AbstractContextManager[Callable[[], None]]:
    if ray.is_initialized() and settings.address is None:
        return nullcontext(_tells_itself)
    if settings.here or settings.address is None:
        return started()
    return _connected(settings.address)


def _tells_itself() -> None:
    """Nothing to look at: somebody else's Ray, whose end it tells us itself."""


@contextmanager
def _connected(address: str) -> Iterator[Callable[[], None]]:
    """A Ray that runs elsewhere."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        what = f"no Ray cluster answers at {address!r} ({str(error).splitlines()[0]})."
        hint = "Start one with `ray start --head`, or leave ray.address out to use this machine."
        raise RequestError(Problem("ray.address", what, hint)) from error
    try:
        yield _tells_itself
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Find out in seconds that nobody listens; Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()

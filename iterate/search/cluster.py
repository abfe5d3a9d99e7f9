"""Ray for the length of a command: on this machine, or the cluster at an address."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import ray

from iterate.core.errors import Problem, RequestError
from iterate.search.settings import RaySettings, ResourceSettings


def check_local(settings: RaySettings, wanted: Sequence[ResourceSettings]) -> None:
    """Refuse, before Ray starts, trials that this machine could never hold.

    Raises:
        RequestError: A trial asks for more CPUs than there are. GPUs are counted by Ray.
    """
    if settings.address is None:
        _check(wanted, {"CPU": float(cpus())}, "this machine", ("CPU",))


@contextmanager
def cluster(settings: RaySettings, wanted: Sequence[ResourceSettings]) -> Iterator[None]:
    """Connect to Ray, starting it on this machine if no address is given.

    Raises:
        RequestError: No cluster answers at the address, or it is too small for a trial.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if settings.address is None:
        ray.init(
            address="local",
            num_cpus=cpus(),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    else:
        _connect(settings.address)
    try:
        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        _check(wanted, there, "the cluster")
        yield
    finally:
        ray.shutdown()


def cpus() -> int:
    """CPUs this process may use, which in a container may be fewer than the machine has."""
    return len(os.sched_getaffinity(0))


def _connect(address: str) -> None:
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        what = f"no Ray cluster answers at {address!r} ({str(error).splitlines()[0]})."
        hint = "Start one with `ray start --head`, or leave ray.address out to use this machine."
        raise RequestError(Problem("ray.address", what, hint)) from error


def _knock(address: str) -> None:
    """Find out in seconds that nobody listens; Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()


def _check(
    wanted: Sequence[ResourceSettings],
    there: dict[str, float],
    place: str,
    names: Sequence[str] = ("CPU", "GPU"),
) -> None:
    problems = [
        Problem(f"resources.{name.lower()}", f"a trial asks for {asked:g}, {place} has {has:g}.")
        for name in names
        if (asked := max(getattr(resource, name.lower()) for resource in wanted))
        > (has := there.get(name, 0.0))
    ]
    if problems:
        raise RequestError(problems)

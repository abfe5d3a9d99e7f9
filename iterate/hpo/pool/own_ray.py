"""A Ray of our own on this machine: what trials need of it, on loopback, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import ray
from ray._private import ray_constants
from ray._private.node import Node

from iterate.hpo.hardware import gpus
from iterate.hpo.pool.child_processes import Family
from iterate.hpo.pool.environment import environment
from iterate_core.provenance import usable_cores

_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_OURS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # workers are as nice as the driver; Ray would have them nicer
    # Named for the systems on which Ray keeps to loopback anyway; it does so on any.
    _LOOPBACK: "0",
    # Newer versions of Ray leave all GPUs visible to a worker that holds none.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
}
# The autoscaler, what sends workers' output to the driver, and the dashboard, of which Ray starts
# a part even where none is wanted: a third of its start, and most of its end.
_UNUSED = ("start_monitor", "start_log_monitor", "start_api_server")


@contextmanager
def started() -> Iterator[Callable[[], None]]:
    """Start Ray; in the end no process of it is left.

    Yields:
        What raises `WorkError` once Ray has ended by itself.
    """
    with environment(_OURS), _on_loopback(), Family.begun() as family:
        try:
            with _bare():
                ray.init(
                    address="local",
                    num_cpus=usable_cores(),
                    num_gpus=gpus(),
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
            family.founded("gcs_server", "raylet")
            yield family.check
        finally:
            ray.shutdown()


def _on_loopback() -> AbstractContextManager[None]:
    """Ray reads its variable when it is imported, which may have been long ago."""
    return _replaced(ray_constants, ENABLE_RAY_CLUSTER=False)


def _bare() -> AbstractContextManager[None]:
    """`ray.init` has no option for what is not started; a Ray without such a step starts it all."""
    return _replaced(Node, **{name: _nothing for name in _UNUSED if hasattr(Node, name)})


def _nothing(*_: Any, **__: Any) -> None:
    """Start nothing."""


@contextmanager
def _replaced(owner: Any, **values: Any) -> Iterator[None]:
    """Attributes of a module or class have other values meanwhile."""
    before = {name: getattr(owner, name) for name in values}
    try:
        for name, value in values.items():
            setattr(owner, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)

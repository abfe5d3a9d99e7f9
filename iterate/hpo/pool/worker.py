"""The warm worker: a Ray Tune trainable that takes one job after another in one process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from socket import gethostname
from typing import Any

import ray
from ray import tune

from iterate.hpo.failures import failed
from iterate.hpo.jobs import Job, Progress, Train
from iterate_core.errors import WorkError


class Worker(tune.Trainable):
    """One step is one report to the driver; a new job reuses the process and all it has loaded.

    A job that raises is reported as failed, in words; what reaches Ray as an error is a process
    that died.
    """

    # Ray passes what `tune.with_parameters` was given as further arguments.
    def setup(self, config: dict[str, Any], train: Train) -> None:  # type: ignore[override]
        """Begin the first job of this process."""
        _see_only(ray.get_gpu_ids())
        self._train = train
        self._progress: Iterator[Progress] | None = None
        self._begin(config["job"])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next job in the same process."""
        self._begin(new_config["job"])
        return True

    def _begin(self, job: Job) -> None:
        self._stop()
        self._began = time.monotonic()
        self._preparing_seconds = 0.0
        self._folder = job.folder
        self._progress = _in_directory(job, self._train)

    def _stop(self) -> None:
        """Close a job that was stopped between two epochs, so that it lets go of its folder."""
        if self._progress is not None:
            self._progress.close()  # type: ignore[attr-defined] # trains are generators
            self._progress = None

    def step(self) -> dict[str, Any]:
        """Train until there is something to report."""
        told = self._advance()
        held = time.monotonic() - self._began
        preparing = held if told.training else self._preparing_seconds + told.preparing_seconds
        self._preparing_seconds = preparing
        progress = replace(told, held_seconds=held, preparing_seconds=preparing)
        if progress.ended:
            self._stop()
        # One opaque value, because Ray flattens nested results.
        return {"progress": [progress.to_mapping()], "done": progress.ended}

    def _advance(self) -> Progress:
        if self._progress is None:
            return Progress(failure="the worker was asked to go on without a job")
        try:
            return next(self._progress)
        except StopIteration:
            return Progress(failure="training ended without saying that it was done")
        except Exception as error:  # noqa: BLE001 - the trial's or the machine's, not the pool's
            return failed(error, self._folder)

    def cleanup(self) -> None:
        """Let go of the job's folder."""
        self._stop()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: the engine keeps every epoch in the job's own folder."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: the engine goes on from the job's own folder."""


def _in_directory(job: Job, train: Train) -> Iterator[Progress]:
    """Train where relative paths are meant to begin.

    Raises:
        WorkError: That folder is not on this machine.
    """
    try:
        os.chdir(job.directory)
    except OSError as error:
        raise WorkError(
            f"the working directory {job.directory} is not there on the node {gethostname()} "
            f"({error.strerror}): run where all nodes of the cluster see the same folders"
        ) from error
    yield from train(job)


def _see_only(gpus: list[Any]) -> None:
    """Hide every GPU that this worker does not hold; CUDA asks when it is first used.

    Ray does so by itself, but not for workers without one in its newer versions, and not at all
    where a cluster was started with its switch for that.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(str(gpu) for gpu in gpus)

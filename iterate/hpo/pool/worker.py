"""The warm worker: a Ray Tune trainable that takes jobs one after another in one process.

As a rule it has one; of several that train together each is told of apart.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from socket import gethostname
from typing import Any

import ray
from ray import tune

from iterate.hpo.failures import failed
from iterate.hpo.jobs import Job, Progress, Told, Train, TrainTogether
from iterate_core.errors import WorkError


class Worker(tune.Trainable):
    """One step is one report to the driver; new jobs reuse the process and all it has loaded.

    A job that raises is reported as failed, in words; what reaches Ray as an error is a process
    that died.
    """

    # Ray passes what `tune.with_parameters` was given as further arguments.
    def setup(  # type: ignore[override]
        self, config: dict[str, Any], train: Train, together: TrainTogether | None
    ) -> None:
        """Begin the first jobs of this process."""
        _see_only(ray.get_gpu_ids())
        self._train, self._together = train, together
        self._progress: Iterator[Told] | None = None
        self._begin(config["jobs"])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next jobs in the same process."""
        self._begin(new_config["jobs"])
        return True

    def _begin(self, jobs: Sequence[Job]) -> None:
        self._stop()
        self._began = time.monotonic()
        self._jobs = {job.key: job for job in jobs}
        self._preparing_seconds = dict.fromkeys(self._jobs, 0.0)
        self._progress = _in_directory(jobs, self._train, self._together)

    def _stop(self) -> None:
        """Close jobs that were stopped between two epochs, so that they let go of their folders."""
        if self._progress is not None:
            self._progress.close()  # type: ignore[attr-defined] # trains are generators
            self._progress = None

    def step(self) -> dict[str, Any]:
        """Train until there is something to report."""
        told = {key: self._timed(key, progress) for key, progress in self._advance().items()}
        for key, progress in told.items():
            if progress.ended:
                del self._jobs[key]
        if not self._jobs:
            self._stop()
        # One opaque value, because Ray flattens nested results.
        mappings = {key: progress.to_mapping() for key, progress in told.items()}
        return {"progress": [mappings], "done": not self._jobs}

    def _timed(self, key: str, told: Progress) -> Progress:
        """For how long the worker has held the job, and how long it prepared."""
        held, before = time.monotonic() - self._began, self._preparing_seconds[key]
        preparing = held if told.training else before + told.preparing_seconds
        self._preparing_seconds[key] = preparing
        return replace(told, held_seconds=held, preparing_seconds=preparing)

    def _advance(self) -> Told:
        """What is told of some jobs; where all of them fail at once, of every one that is left."""
        if self._progress is None:
            return self._of_all(Progress(failure="the worker was asked to go on without a job"))
        try:
            return next(self._progress)
        except StopIteration:
            ended = Progress(failure="training ended without saying that it was done")
            return self._of_all(ended)
        except Exception as error:  # noqa: BLE001 - the trial's or the machine's, not the pool's
            return {key: failed(error, job.folder) for key, job in self._jobs.items()}

    def _of_all(self, progress: Progress) -> Told:
        return dict.fromkeys(self._jobs, progress)

    def cleanup(self) -> None:
        """Let go of the job's folder."""
        self._stop()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: the engine keeps every epoch in the job's own folder."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: the engine goes on from the job's own folder."""


def _in_directory(
    jobs: Sequence[Job], train: Train, together: TrainTogether | None
) -> Iterator[Told]:
    """Train where relative paths are meant to begin.

    Raises:
        WorkError: That folder is not on this machine.
    """
    first = jobs[0]
    try:
        os.chdir(first.directory)
    except OSError as error:
        raise WorkError(
            f"the working directory {first.directory} is not there on the node {gethostname()} "
            f"({error.strerror}): run where all nodes of the cluster see the same folders"
        ) from error
    if together is None or len(jobs) == 1:
        for progress in train(first):
            yield {first.key: progress}
    else:
        yield from together(jobs)


def _see_only(gpus: list[Any]) -> None:
    """Hide every GPU that this worker does not hold; CUDA asks when it is first used.

    Ray does so by itself, but not for workers without one in its newer versions, and not at all
    where a cluster was started with its switch for that.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(str(gpu) for gpu in gpus)

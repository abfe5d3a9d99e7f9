"""A seat for jobs in one process, one after another: what it has loaded serves the next.

As a rule it has one; of several that train together each is told of apart.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from socket import gethostname

from iterate.hpo.failures import failed
from iterate.hpo.jobs import Job, Progress, Told, Train, TrainTogether
from iterate_core.errors import WorkError
from iterate_core.heap import let_go


class Seat:
    """Trains the jobs that sit in it, from one report to the next.

    A job that raises is reported as failed, in words.

    Args:
        train: What trains a job.
        together: What trains several jobs at a time; None trains each alone.
    """

    def __init__(self, train: Train, together: TrainTogether | None = None) -> None:
        self._train, self._together = train, together
        self._progress: Iterator[Told] | None = None
        self._jobs: dict[str, Job] = {}

    @property
    def done(self) -> bool:
        """Whether every job has ended by itself."""
        return not self._jobs

    def begin(self, jobs: Sequence[Job]) -> None:
        """Take up jobs; those that were there are stopped."""
        self.stop()
        let_go()
        self._began = time.monotonic()
        self._jobs = {job.key: job for job in jobs}
        self._preparing_seconds = dict.fromkeys(self._jobs, 0.0)
        self._progress = _in_directory(jobs, self._train, self._together)

    def stop(self) -> None:
        """Close jobs that were stopped between two epochs, so that they let go of their folders."""
        if self._progress is not None:
            self._progress.close()  # type: ignore[attr-defined] # trains are generators
            self._progress = None

    def step(self) -> Told:
        """Train until there is something to report."""
        told = {key: self._timed(key, progress) for key, progress in self._advance().items()}
        for key, progress in told.items():
            if progress.ended:
                del self._jobs[key]
        if self.done:
            self.stop()
        return told

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


def see_only(gpus: list[str]) -> None:
    """Hide every GPU that this process does not hold; CUDA asks when it is first used."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)

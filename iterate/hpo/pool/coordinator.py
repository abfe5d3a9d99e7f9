"""Hands out jobs of many studies, and writes down what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import ray

from iterate.hpo.jobs import Job, Progress
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.turns import in_turn
from iterate.hpo.shares import Share
from iterate_core.errors import IterateError
from iterate_core.faults import machine_error

# A process that dies is replaced this often before its job is set aside.
DEATHS = 2


class Observer(Protocol):
    """Sees every change of a ledger; called in the driver, so it must return quickly."""

    def changed(self, ledger: Ledger, job: Job) -> None:
        """A job of this study began, reported, or ended."""


class Coordinator:
    """Hands out jobs of many studies and writes down what becomes of them."""

    def __init__(
        self,
        ledgers: Sequence[Ledger],
        observers: Sequence[Observer],
        shares: Mapping[str, Share],
    ) -> None:
        self._ledgers = ledgers
        self._observers = observers
        self._shares = shares
        self._jobs: dict[str, tuple[Ledger, Job]] = {}
        self.failure: IterateError | None = None
        self._room = _Room()
        self.fault: str | None = None  # what the machine lacks, once that stops everything

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune saves whatever it is given, and the ledgers are saved already."""
        return {}

    @property
    def finished(self) -> bool:
        """Whether every study is."""
        return all(ledger.finished for ledger in self._ledgers)

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left that this command can do."""
        return all(ledger.finished or ledger.waits_for for ledger in self._ledgers)

    @property
    def waits_for(self) -> str | None:
        """What the machine lacks, so that some jobs wait; None if none does."""
        waits = [told for ledger in self._ledgers if (told := ledger.waits_for) is not None]
        return self.fault or "; ".join(waits) or None

    def next_job(self, trial_id: str) -> Job | None:
        """The next job of whichever study's turn it is.

        One job is drawn ahead of what the cluster holds, so that a worker that finishes finds
        work at once; no more, because a later point knows more results.
        """
        if self._room.exceeded(
            self._shares[ledger.study.name] for ledger, _ in self._jobs.values()
        ):
            return None
        with self._pausing():
            for ledger in in_turn(self._ledgers):
                job = ledger.next_job()
                if job is not None:
                    self._jobs[trial_id] = (ledger, job)
                    self._tell(ledger, job)
                    return job
        return None

    def started(self, trial_id: str) -> None:
        """A worker took the job up."""
        if trial_id in self._jobs:
            ledger, job = self._jobs[trial_id]
            ledger.started(job.key)

    def held(self, trial_id: str) -> tuple[Ledger, Job] | None:
        """A job that has not ended, and its study."""
        return self._jobs.get(trial_id)

    def out_of_time(self, trial_id: str, held_seconds: float) -> None:
        """The hours of a trial are over, that a worker held for so long."""
        ledger, job = self._jobs[trial_id]
        with self._pausing():
            ledger.out_of_time(job.key, held_seconds)
            self._recorded(trial_id)

    def silent(self, trial_id: str, held_seconds: float) -> None:
        """The worker of a job, that held it for so long, gives no sign of life any more."""
        ledger, job = self._jobs[trial_id]
        with self._pausing():
            ledger.silent(job.key, held_seconds)
            self._recorded(trial_id)

    def record(self, trial_id: str, progress: Progress) -> bool:
        """Write down a report; whether the job must stop. A job that has ended changes nothing."""
        if trial_id not in self._jobs:
            return True
        ledger, job = self._jobs[trial_id]
        stop = True
        with self._pausing():
            stop = ledger.record(job.key, progress)
            self._recorded(trial_id)
        if progress.fault is not None:
            self.fault = progress.fault
        return stop

    def died(self, trial_id: str) -> None:
        """The job's process died more often than it is replaced.

        The others go on; but where several cannot be kept alive, the machine cannot work.
        """
        if trial_id not in self._jobs:
            return
        ledger, job = self._jobs[trial_id]
        with self._pausing():
            ledger.killed(job.key, DEATHS + 1)
            self._recorded(trial_id)
        if sum(len(ledger.set_aside) for ledger in self._ledgers) > 1:
            self.fault = "the worker processes of several trials died, perhaps for want of memory"

    def _recorded(self, trial_id: str) -> None:
        ledger, job = self._jobs[trial_id]
        if job.key not in ledger.running:
            del self._jobs[trial_id]
        self._tell(ledger, job)

    @contextmanager
    def _pausing(self) -> Iterator[None]:
        """Where the driver itself finds the machine at fault, everything stops in order.

        What else ends the run is kept, because Tune makes a traceback of it.
        """
        try:
            yield
        except Exception as error:
            fault = machine_error(error, self._ledgers[0].folder, "the run's files")
            if fault is None:
                self.failure = error if isinstance(error, IterateError) else None
                raise
            self.fault = str(fault)

    def _tell(self, ledger: Ledger, job: Job) -> None:
        for observer in self._observers:
            observer.changed(ledger, job)


class _Room:
    """What the cluster holds; it may grow while it is used."""

    _SECONDS = 10.0  # between two looks

    def __init__(self) -> None:
        self._there: dict[str, float] = {}
        self._looked = -self._SECONDS

    def exceeded(self, held: Iterable[Share]) -> bool:
        """Whether these jobs together are more than the cluster holds."""
        now = time.monotonic()
        if now - self._looked >= self._SECONDS:
            self._there = cluster_resources()
            self._looked = now
        held = list(held)
        return any(
            sum(getattr(share, name.lower()) for share in held) > self._there.get(name, 0.0)
            for name in ("CPU", "GPU")
        )


def cluster_resources() -> dict[str, float]:
    """What Ray holds in all, by kind."""
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return there

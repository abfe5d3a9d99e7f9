"""Hands out jobs of many studies, and writes down what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from iterate.hpo.jobs import Job, Progress, Told
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.sharing import Shares
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
    """Hands out jobs of many studies and writes down what becomes of them.

    Args:
        ledgers: The studies.
        observers: Told of every change.
        shares: What a worker holds while it has a job of a study, by the study's name.
        there: Tells what there is in all, such as ``{"CPU": 8, "GPU": 1}``; it may grow.
        groups: Whether a worker may be given several jobs that train together.

    Attributes:
        fault: What the machine lacks, once that stops everything.
        failure: What else ends the run, where somebody might make a traceback of it.
    """

    def __init__(
        self,
        ledgers: Sequence[Ledger],
        observers: Sequence[Observer],
        shares: Shares,
        there: Callable[[], Mapping[str, float]],
        *,
        groups: bool = False,
    ) -> None:
        self._ledgers = ledgers
        self._observers = observers
        self._shares = shares
        self._groups = groups
        self._held: dict[str, tuple[Ledger, dict[str, Job]]] = {}
        self._shared: dict[str, Share] = {}  # what workers hold
        self._several: set[str] = set()  # workers that were given several jobs
        self.failure: IterateError | None = None
        self._room = _Room(there)
        self._lost = 0  # workers that were replaced for the last time
        self.fault: str | None = None

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

    def next_jobs(self, trial_id: str) -> tuple[Job, ...]:
        """The next jobs for a worker, of whichever study's turn it is: as a rule one.

        One worker's are drawn ahead of what the cluster holds, so that a worker that finishes finds
        work at once; no more, because a later point knows more results.
        """
        if self._room.exceeded(self._shared.values()):
            return ()
        with self._pausing():
            for ledger in in_turn(self._ledgers):
                jobs = self._drawn(ledger)
                if jobs:
                    self._held[trial_id] = (ledger, {job.key: job for job in jobs})
                    self._shared[trial_id] = self._shares[ledger.study.name]
                    if len(jobs) > 1:
                        self._several.add(trial_id)
                    for job in jobs:
                        job.join()
                        self._tell(ledger, job)
                    return jobs
        return ()

    def _drawn(self, ledger: Ledger) -> tuple[Job, ...]:
        if self._groups:
            return ledger.next_jobs(self._room.workers(self._shares[ledger.study.name]))
        job = ledger.next_job()
        return () if job is None else (job,)

    def started(self, trial_id: str) -> None:
        """A worker took the jobs up."""
        ledger, jobs = self._held.get(trial_id, (None, {}))
        if ledger is not None:
            for key in jobs:
                ledger.started(key, sharing=len(jobs))

    def share(self, trial_id: str) -> Share:
        """What a worker holds while it has its jobs."""
        return self._shared[trial_id]

    def held(self, trial_id: str) -> tuple[Ledger, Sequence[Job]] | None:
        """A worker's jobs that have not ended, and their study."""
        if trial_id not in self._held:
            return None
        ledger, jobs = self._held[trial_id]
        return ledger, list(jobs.values())

    def out_of_time(self, trial_id: str, job: Job, held_seconds: float) -> None:
        """The hours of a trial are over, that a worker held for so long."""
        ledger, _ = self._held[trial_id]
        with self._pausing():
            ledger.out_of_time(job.key, held_seconds)
            self._recorded(trial_id, job)

    def silent(self, trial_id: str, held_seconds: float) -> None:
        """A worker, that held its jobs for so long, gives no sign of life any more."""
        ledger, jobs = self._held[trial_id]
        with self._pausing():
            for job in list(jobs.values()):
                ledger.silent(job.key, held_seconds)
                self._recorded(trial_id, job)

    def record(self, trial_id: str, told: Told) -> bool:
        """Write down reports; whether the worker must stop. Jobs that have ended change nothing."""
        if trial_id not in self._held:
            return True
        ledger, jobs = self._held[trial_id]
        with self._pausing():
            for job in [jobs[key] for key in told if key in jobs]:
                self._write(ledger, job, told[job.key], self._shared[trial_id])
                self._recorded(trial_id, job)
        faults = [progress.fault for progress in told.values() if progress.fault is not None]
        self.fault = next(iter(faults), self.fault)
        return trial_id not in self._held

    def _write(self, ledger: Ledger, job: Job, progress: Progress, held: Share) -> None:
        """Write a report down; where memory ran out beside other trials, it is tried with more."""
        study = ledger.study.name
        if progress.gpu is not None:
            self._shares.hear(study, held, progress.gpu)
        if progress.lacks_memory and self._shares.grow(study, held):
            ledger.record(job.key, replace(progress, failure=None, failure_kind=None))
            if job.key in ledger.running:
                ledger.again(job.key)
        else:
            ledger.record(job.key, progress)

    def died(self, trial_id: str) -> None:
        """The process of some jobs died more often than it is replaced.

        The others go on; but where several cannot be kept alive, the machine cannot work.
        """
        if trial_id not in self._held:
            return
        ledger, jobs = self._held[trial_id]
        with self._pausing():
            for job in list(jobs.values()):
                ledger.killed(job.key, DEATHS + 1)
                self._recorded(trial_id, job)
        self._lost += 1
        if self._lost > 1:
            self.fault = "the worker processes of several trials died, perhaps for want of memory"

    def _recorded(self, trial_id: str, job: Job) -> None:
        """Let go of a job that has ended; its worker is told where it goes on with others."""
        ledger, jobs = self._held[trial_id]
        if job.key not in ledger.running:
            del jobs[job.key]
            if trial_id in self._several:
                job.leave()
            if not jobs:
                del self._held[trial_id], self._shared[trial_id]
                self._several.discard(trial_id)
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
    """What there is in all; a cluster may grow while it is used."""

    _SECONDS = 10.0  # between two looks

    def __init__(self, look: Callable[[], Mapping[str, float]]) -> None:
        self._look = look
        self._there: Mapping[str, float] = {}
        self._looked = -self._SECONDS

    def exceeded(self, held: Iterable[Share]) -> bool:
        """Whether these jobs together are more than the cluster holds."""
        there, held = self._looked_at(), list(held)
        return any(
            sum(getattr(share, name.lower()) for share in held) > there.get(name, 0.0)
            for name in ("CPU", "GPU")
        )

    def workers(self, share: Share) -> int:
        """How many workers it has room for that each hold so much."""
        there = self._looked_at()
        needs = {"CPU": share.cpu, "GPU": share.gpu}
        return max(1, min(int(there.get(name, 0.0) / one) for name, one in needs.items() if one))

    def _looked_at(self) -> Mapping[str, float]:
        now = time.monotonic()
        if now - self._looked >= self._SECONDS:
            self._there = self._look()
            self._looked = now
        return self._there

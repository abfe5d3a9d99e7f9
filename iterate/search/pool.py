"""One Ray Tune run that serves every study of a command.

Tune asks the searcher for the next job whenever there is room, and the scheduler what to do
after each report. Both only pass the question on to the `Coordinator`, which owns the ledgers,
lives in the driver and is called from Tune's one control loop.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from iterate.core.errors import IterateError, MachineError, WorkError
from iterate.core.machine import machine_error
from iterate.search.environment import environment
from iterate.search.jobs import Job, Progress, Train
from iterate.search.ledger import Ledger
from iterate.search.shares import Share, shares_of
from iterate.search.tune_hooks import Starts, Stopper
from iterate.search.watch import Ended, Watch
from iterate.search.worker import Worker

# A process that dies is replaced this often before its job is set aside.
DEATHS = 2

# Tune takes these from the environment only.
_TUNE = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the ledgers and MLflow keep the results
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours to explain
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    # The coordinator decides how many are drawn; with Tune's own limit of one the second
    # worker would not start before the first trial has, and never if trials are short.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # the ledgers are the checkpoint
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}


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
        """The next job of whichever study has most left to do, so that none forms a tail.

        One job is drawn ahead of what the cluster holds, so that a worker that finishes finds
        work at once; no more, because a later point knows more results.
        """
        if self._room.exceeded(
            self._shares[ledger.study.name] for ledger, _ in self._jobs.values()
        ):
            return None
        with self._pausing():
            for ledger in sorted(self._ledgers, key=_work_left, reverse=True):
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


def _work_left(ledger: Ledger) -> float:
    """Seconds of training a study still needs by its trials so far; unknown counts as most."""
    ended = [t for t in ledger.history("trial") if t.state.is_finished() and t.duration]
    if not ended:
        return float("inf")
    mean = sum(t.duration.total_seconds() for t in ended if t.duration) / len(ended)
    settings = ledger.study.settings
    return mean * (settings.trials - len(ended) + settings.repeats)


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
            self._there = _cluster()
            self._looked = now
        held = list(held)
        return any(
            sum(getattr(share, name.lower()) for share in held) > self._there.get(name, 0.0)
            for name in ("CPU", "GPU")
        )


def _cluster() -> dict[str, float]:
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return there


class _Searcher(Searcher):
    """Tune's way to ask for jobs."""

    def __init__(self, coordinator: Coordinator) -> None:
        super().__init__()
        self._coordinator = coordinator

    # Ray's annotation forgets its own FINISHED.
    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """A job; None while all studies wait; FINISHED when they are."""
        job = self._coordinator.next_job(trial_id)
        if job is not None:
            return {"job": job}
        return Searcher.FINISHED if self._coordinator.exhausted else None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A job ended: by its last report, by our own stop, or by the death of its process."""
        if error:
            self._coordinator.died(trial_id)
        elif result is not None:
            self._coordinator.record(trial_id, _progress(result))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledgers are the state, and they are on disk."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, as `save`."""


class _Scheduler(FIFOScheduler):
    """Tune's way to ask whether a job goes on."""

    def __init__(self, coordinator: Coordinator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._coordinator = coordinator

    def on_trial_result(
        self,
        tune_controller: Any,  # noqa: ARG002 - Ray passes it
        trial: Any,
        result: dict[str, Any],
    ) -> str:
        """Stop or go, as the job's own study decides."""
        stop = self._coordinator.record(trial.trial_id, _progress(result))
        return str(TrialScheduler.STOP if stop else TrialScheduler.CONTINUE)


def _progress(result: Mapping[str, Any]) -> Progress:
    return Progress.from_mapping(result["progress"][0])


def run_pool(
    ledgers: Sequence[Ledger],
    train: Train,
    observers: Sequence[Observer] = (),
    checks: Sequence[Callable[[], None]] = (),
) -> None:
    """Work on all studies until each is finished. Ray must be initialised.

    Args:
        ledgers: The studies.
        train: What trains a job, in a worker; it is pickled.
        observers: Told of every change.
        checks: Called some ten times a second; what they raise ends the pool.

    Raises:
        RequestError: A recipe needs a GPU, and its trials hold none.
        MachineError: The machine lacks something; jobs that it could not finish wait for it.
        WorkError: Ray ended before the studies did, or another driver has them now.
        KeyboardInterrupt: The user stopped it; the ledgers hold all that was reported.
    """
    shares = shares_of([ledger.study for ledger in ledgers], _cluster())
    coordinator = Coordinator(ledgers, observers, shares)
    if coordinator.finished:
        return
    with environment(_TUNE), tempfile.TemporaryDirectory(prefix="iterate-tune-") as scratch:
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(Worker, train=train), _resources_of(shares)),
            tune_config=tune.TuneConfig(
                search_alg=_Searcher(coordinator),
                scheduler=_Scheduler(coordinator),
                num_samples=-1,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="pool",
                storage_path=scratch,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=DEATHS),
                stop=Stopper(coordinator),
                callbacks=[Starts(coordinator), Watch(coordinator, checks)],
            ),
        )
        try:
            tuner.fit()
        except Ended as ended:
            raise ended.reason from None
        except Exception:
            if coordinator.failure is None:
                raise
            raise coordinator.failure from None
    if coordinator.waits_for is not None:
        raise MachineError(coordinator.waits_for)
    if not coordinator.finished:
        raise WorkError("Ray ended before the studies did; the same command continues them")


def _resources_of(shares: Mapping[str, Share]) -> Callable[[Mapping[str, Any]], Any]:
    """What a job holds while it runs, by its study."""

    def resources(config: Mapping[str, Any]) -> Any:
        name = config["job"].study if "job" in config else next(iter(shares))
        return tune.PlacementGroupFactory([shares[name].bundle()])

    return resources

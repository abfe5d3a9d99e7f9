"""The run of a command: its folder, its studies in the pool, and what it leaves behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from iterate.hpo.execute import train as train_job
from iterate.hpo.execute import train_together
from iterate.hpo.jobs import Job, Train
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.coordinator import Observer
from iterate.hpo.pool.workplace import workplace
from iterate.hpo.results import failure_of
from iterate.hpo.settings import RaySettings
from iterate.hpo.shares import check_local, shares_of
from iterate.hpo.storage.lease import owned
from iterate.hpo.storage.open import opened_storage
from iterate.hpo.study import Study
from iterate.run.energy import EnergyMeter
from iterate.run.folders import claim_folder, undone_if_refused
from iterate.run.mlflow import Tracker
from iterate.run.results import EarlyPlots, write_results
from iterate.run.stopping import at_safe_points
from iterate.tracking.mirror import Backlog
from iterate.tracking.settings import TrackingSettings
from iterate_core.errors import IterateError, MachineError, Problem, RequestError
from iterate_core.faults import blaming_machine
from iterate_core.storage.files import Locked, lock
from iterate_core.storage.names import inside

_GOES_ON = "Nothing is lost: once that is mended, the same command goes on where this one stopped."


class Display(Protocol):
    """Shows a run to a person while it lasts; called in the driver, so it must return quickly."""

    def begin(self, ledgers: Sequence[Ledger]) -> None:
        """The studies are open; workers are about to start."""

    def changed(self, ledger: Ledger, job: Job) -> None:
        """A job began, reported or ended."""

    def end(self) -> None:
        """No further change comes."""


class Silent:
    """Shows nothing."""

    def begin(self, ledgers: Sequence[Ledger]) -> None:
        """Nothing."""

    def changed(self, ledger: Ledger, job: Job) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


@dataclass(frozen=True)
class RunSettings:
    """What all studies of a run share.

    Attributes:
        name: Names the run and its MLflow experiment.
        folder: Where everything it writes goes.
        tracking_folder: Where MLflow's default store lies; None is the run's folder.
        storage: URL of the Optuna storage; None is a SQLite file in the run's folder.
        began: When the command began, on the monotonic clock.
    """

    name: str
    folder: Path
    tracking_folder: Path | None = None
    storage: str | None = None
    ray: RaySettings = field(default_factory=RaySettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    began: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class RunResult:
    """What a run found.

    Attributes:
        summary: The content of ``summary.json``.
        folder: The run's folder.
        failures: Study name → why it found nothing.
        backlog: What MLflow has not been told yet.
        seconds: How long this command took; None if that is not known.
        continued: Whether earlier commands have worked on the run.
        worked: Whether there was anything left to do.
    """

    summary: dict[str, Any]
    folder: Path
    failures: dict[str, str]
    backlog: Backlog | None
    seconds: float | None = None
    continued: bool = False
    worked: bool = True


def run_studies(
    studies: Sequence[Study],
    settings: RunSettings,
    display: Display | None = None,
    train: Train = train_job,
    conclude: Callable[[Sequence[Ledger]], None] | None = None,
) -> RunResult:
    """Run all studies in one pool until each is finished; the same call continues a stopped run.

    Args:
        studies: With different names.
        settings: What they share.
        display: Shows the run to people.
        train: What trains a job.
        conclude: Called with all ledgers once every study is finished, their storage still open.

    Raises:
        RequestError: The folder cannot be written or is in use, another process is at work on a
            study in the same database, a study asks another question than its finished trials
            answer, or the resources are not there.
        MachineError: The machine lacks something, or the database was out of reach for too long:
            the run pauses until the same call comes again.
        WorkError: Ray ended before the studies did, or another driver took the studies over.
        KeyboardInterrupt: The user stopped it; nothing that was reported is lost.
    """
    display = display or Silent()
    check_local(settings.ray, studies)
    with (
        pausing(settings.folder),
        undone_if_refused(settings.folder),
        own_folder(settings.folder),
        opened_storage(settings.storage, settings.folder) as storage,
        owned(storage, [study.name for study in studies], settings.folder),
    ):
        ledgers = [
            Ledger(study, storage, study_folder(settings, study), settings.began)
            for study in studies
        ]
        continued = any(ledger.account.continued for ledger in ledgers)
        finished = all(ledger.finished for ledger in ledgers)
        tracker = Tracker(settings.tracking, settings.tracking_folder or settings.folder)
        plots = EarlyPlots()
        try:
            tracker.begin(settings.name, ledgers)
            if not finished:
                _work(ledgers, settings, train, display, [tracker, plots])
            summary, artifacts = write_results(ledgers, settings.folder, plots)
            if conclude is not None:
                conclude(ledgers)
            tracker.end(ledgers, artifacts)
        finally:
            backlog = tracker.close()
    failures = {ledger.study.name: failure_of(ledger) for ledger in ledgers}
    reasons = {name: reason for name, reason in failures.items() if reason is not None}
    seconds = time.monotonic() - settings.began
    return RunResult(
        summary, settings.folder, reasons, backlog, seconds, continued, worked=not finished
    )


def _work(
    ledgers: Sequence[Ledger],
    settings: RunSettings,
    train: Train,
    display: Display,
    observers: Sequence[Observer],
) -> None:
    """Work on all studies until each is finished."""
    studies = [ledger.study for ledger in ledgers]
    wanted = [study.resources for study in studies]
    meters = [EnergyMeter(settings.folder)] if settings.ray.here else []
    with workplace(settings.ray, wanted) as place, at_safe_points() as stop_if_asked:
        shares = shares_of(studies, place.there)
        for ledger in ledgers:
            ledger.share = shares[ledger.study.name]
        with shown(display, ledgers), timed(ledgers):
            # What stands in for training takes one job at a time.
            together = train_together if train is train_job else None
            place.run(ledgers, train, [display, *observers, *meters], [stop_if_asked], together)
    for meter in meters:
        meter.look()


def study_folder(settings: RunSettings, study: Study) -> Path:
    """A run that is one study keeps it in its own folder; each of several has one below."""
    if study.name == settings.name:
        return settings.folder
    return settings.folder / inside(study.name, "a study's name")


@contextmanager
def shown(display: Display, ledgers: Sequence[Ledger]) -> Iterator[None]:
    """Show the run for as long as workers are at it."""
    display.begin(ledgers)
    try:
        yield
    finally:
        display.end()


@contextmanager
def timed(ledgers: Sequence[Ledger]) -> Iterator[None]:
    """Keep the time that studies were worked on, however the work ends."""
    try:
        yield
    finally:
        # Where the storage itself is the trouble, a few seconds of account are not worth another.
        with suppress(IterateError):
            for ledger in ledgers:
                ledger.account.note()


@contextmanager
def pausing(folder: Path) -> Iterator[None]:
    """Where the machine is at fault, say so, and that the run is not over.

    Raises:
        MachineError: A disk or memory ran out.
    """
    try:
        with blaming_machine(folder, "the run's files"):
            yield
    except MachineError as error:
        raise MachineError(f"{str(error).rstrip('.')}. {_GOES_ON}") from error


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Keep other processes out of the run's folder.

    Raises:
        RequestError: Another process is at work in it.
    """
    claim_folder(folder)
    try:
        with lock(folder / ".lock"):
            yield
    except Locked as holder:
        what = f"another {holder} is at work in this run."
        raise RequestError(Problem(str(folder), what, "Wait for it, or use --out.")) from holder

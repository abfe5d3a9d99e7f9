"""A database that is away for a while, and the questions that a run asks it."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
import sqlalchemy
from optuna.trial import TrialState
from pool_support import make_study
from postgres_support import Postgres
from rich.console import Console
from test_results import work

from iterate.cli.views.progress import LiveProgress
from iterate.hpo.jobs import Job
from iterate.hpo.jobs import Progress as Told
from iterate.hpo.ledger import Ledger
from iterate.hpo.replay import Recorded
from iterate.hpo.storage import journal
from iterate.hpo.storage.open import open_storage, opened_storage
from iterate.run.mlflow import Tracker
from iterate.run.session import RunSettings, run_studies
from iterate.tracking.settings import TrackingSettings
from iterate_core.engine.reports import EpochReport
from iterate_core.errors import MachineError


class Stopping:
    """Takes the database away at the first report, and brings it back."""

    def __init__(self, server: Postgres, seconds: float) -> None:
        self._server, self._seconds = server, seconds
        self._back: threading.Timer | None = None
        self.reported = 0

    def begin(self, ledgers: Sequence[Ledger]) -> None:
        pass

    def changed(self, ledger: Ledger, job: Job) -> None:
        if self._back is None and ledger.trial_of(job).intermediate_values:
            self._server.stop()
            self._back = threading.Timer(self._seconds, self._server.start)
            self._back.start()
        elif self._back is not None and self._back.is_alive():
            self.reported += 1

    def end(self) -> None:
        assert self._back is not None
        self._back.join()


def rising(job: Job) -> Sequence[float]:
    return [job.number + epoch / 10 for epoch in range(4)]


def test_a_run_goes_on_while_its_database_is_away(
    postgres: Postgres, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    study = make_study("away", trials=6, repeats=1, sampler={"name": "random"})
    settings = RunSettings(
        *("away", tmp_path), storage=postgres.url, tracking=TrackingSettings(enabled=False)
    )
    stopping = Stopping(postgres, seconds=4.0)
    with caplog.at_level(logging.WARNING):
        run_studies([study], settings, stopping, Recorded(rising, seconds=0.4))
    assert stopping.reported > 0
    assert "is out of reach" in caplog.text
    assert "answers again" in caplog.text
    with opened_storage(postgres.url, tmp_path) as storage:
        ledger = Ledger(study, storage, tmp_path)
        assert ledger.finished
        assert [t.value for t in ledger.history("trial")] == [n + 0.3 for n in range(6)]
        for trial in ledger.history("trial"):
            assert [*trial.intermediate_values] == [1, 2, 3, 4]


def test_a_database_that_stays_away_ends_the_run_in_a_sentence(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_FIRST_WAIT_SECONDS", 0.0)
    study = make_study("gone", trials=2, sampler={"name": "random"})
    storage = open_storage(postgres.url, tmp_path)
    ledger = Ledger(study, storage, tmp_path)
    work(ledger, [0.5])
    postgres.stop()
    try:
        job = ledger.next_job()
        monkeypatch.setattr(journal, "PATIENCE_SECONDS", 0.0)
        assert job is not None
        with pytest.raises(MachineError, match="has been out of reach for 0 minutes") as ended:
            ledger.record(job.key, Told(failure="whatever"))
        assert postgres.url.partition("@")[2] in str(ended.value)
    finally:
        postgres.start()
        storage.journal.leave()
        storage.journal.tables.engine.dispose()


# What a report costs


@contextmanager
def statements() -> Any:
    """Counts what is asked of any database, by its first word."""
    counted: Counter[str] = Counter()

    def count(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        counted[statement.split()[0]] += 1

    def commit(_: Any) -> None:
        counted["COMMIT"] += 1

    events = {"before_cursor_execute": count, "commit": commit}
    for event, listener in events.items():
        sqlalchemy.event.listen(sqlalchemy.Engine, event, listener)
    try:
        yield counted
    finally:
        for event, listener in events.items():
            sqlalchemy.event.remove(sqlalchemy.Engine, event, listener)


class Nowhere:
    """Takes what MLflow would get."""

    def __init__(self) -> None:
        self.epochs: list[int] = []

    def run(self, record: Any) -> None:
        self.epochs.append(len(record.epochs))


def asked_at_a_report(
    folder: Path, scheduler: str, *, epoch: int, running: int, finished: int
) -> Counter[str]:
    """What one report asks of the database, shown and mirrored."""
    folder.mkdir()
    study = make_study(
        *("study", None), trials=100, epochs=100, sampler={"name": "random"}, scheduler=scheduler
    )
    ledger = Ledger(study, open_storage(None, folder), folder)
    for _ in range(finished):
        work(ledger, [0.1])
    jobs = [job for _ in range(running) if (job := ledger.next_job()) is not None]
    reports = [
        EpochReport(e, {"val/score": 9.0}, 9.0, 9.0, 0.5, False) for e in range(1, epoch + 1)
    ]
    for job in jobs:
        ledger.record(job.key, Told(tuple(reports[:-1])))
    progress = LiveProgress(Console(file=io.StringIO(), force_terminal=True))
    progress.begin([ledger])
    tracker, mirror = Tracker(TrackingSettings(), folder), Nowhere()
    tracker._mirror = mirror  # type: ignore[assignment]
    with statements() as counted:
        ledger.record(jobs[0].key, Told((reports[-1],)))
        progress.changed(ledger, jobs[0])
        tracker.changed(ledger, jobs[0])
    progress.end()
    assert mirror.epochs == [epoch]
    assert ledger.history("trial")[-1].state == TrialState.RUNNING
    return counted


@pytest.mark.parametrize("scheduler", ["none", "median"])
def test_a_report_asks_no_more_of_the_database_as_a_run_grows(
    scheduler: str, tmp_path: Path
) -> None:
    few = asked_at_a_report(tmp_path / "few", scheduler, epoch=2, running=1, finished=1)
    many = asked_at_a_report(tmp_path / "many", scheduler, epoch=30, running=6, finished=8)
    assert many == few
    assert few["COMMIT"] == 1


def test_a_redraw_is_the_business_of_a_timer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many reports come between two, only what they changed is drawn, and once."""
    ledgers = []
    storage = open_storage(None, tmp_path)
    for name in ("one", "two"):
        ledgers.append(Ledger(make_study(name, trials=50), storage, tmp_path))
    drawn: list[str] = []
    progress = LiveProgress(Console(file=io.StringIO(), force_terminal=True))
    row = sys.modules[LiveProgress.__module__]._Row  # type: ignore[attr-defined]
    of = row.of
    monkeypatch.setattr(row, "of", lambda ledger: drawn.append(ledger.study.name) or of(ledger))
    monkeypatch.setattr(sys.modules[LiveProgress.__module__], "_REDRAWS_A_SECOND", 0.001)
    progress.begin(ledgers)
    assert drawn == ["one", "two"]
    job = ledgers[0].next_job()
    assert job is not None
    for epoch in range(1, 20):
        report = EpochReport(epoch, {"val/score": 0.5}, 0.5, 0.5, 0.5, done=False)
        ledgers[0].record(job.key, Told((report,)))
        progress.changed(ledgers[0], job)
    assert drawn == ["one", "two"]
    progress._table()
    assert drawn == ["one", "two", "one"]
    progress.end()
    assert "trial 0: epoch 19" in progress._console.file.getvalue()  # type: ignore[attr-defined]

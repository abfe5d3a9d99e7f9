"""What the driver pays for each report of a worker, and for each redraw of its table.

    .venv/bin/python benchmarks/search/reports.py

No training and no Ray: a study's running trials report their epochs to a storage in a SQLite file,
as they would with so many workers, and each report is shown on a terminal and made ready for
MLflow. The seconds are those of this process.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from iterate.cli.views.progress import LiveProgress
from iterate.hpo.jobs import Job, Progress
from iterate.hpo.ledger import Ledger
from iterate.hpo.storage.open import open_storage
from iterate.run.mlflow import Tracker
from iterate.tracking.records import RunRecord
from iterate.tracking.settings import TrackingSettings
from iterate_core.engine.reports import EpochReport

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/support"))

from pool_support import make_study


class Nowhere:
    """Takes what MLflow would get."""

    def run(self, record: RunRecord) -> None:
        assert record.epochs


def terminal() -> LiveProgress:
    return LiveProgress(Console(file=io.StringIO(), force_terminal=True, width=160))


def tell(ledger: Ledger, job: Job, epochs: range) -> None:
    reports = (EpochReport(e, {"val/score": e / 1e3}, e / 1e3, e / 1e3, 1.0, False) for e in epochs)
    ledger.record(job.key, Progress(tuple(reports)))


def seconds_a_report(folder: Path, workers: int, epoch: int, reports: int, scheduler: str) -> float:
    """With so many trials running, all at an epoch."""
    study = make_study(trials=workers, epochs=1000, sampler="random", scheduler=scheduler)
    ledger = Ledger(study, open_storage(None, folder), folder)
    jobs = [job for _ in range(workers) if (job := ledger.next_job()) is not None]
    for job in jobs:
        tell(ledger, job, range(1, epoch))
    progress, tracker = terminal(), Tracker(TrackingSettings(), folder)
    tracker._mirror = Nowhere()  # type: ignore[assignment]
    progress.begin([ledger])
    began = time.perf_counter()
    for number in range(reports):
        job = jobs[number % workers]
        tell(ledger, job, range(epoch + number // workers, epoch + number // workers + 1))
        progress.changed(ledger, job)
        tracker.changed(ledger, job)
    spent = time.perf_counter() - began
    progress.end()
    return spent / reports


def seconds_a_redraw(folder: Path, studies: int, epoch: int, redraws: int) -> float:
    """With so many studies, a trial of each running."""
    storage = open_storage(None, folder)
    ledgers, jobs = [], []
    for number in range(studies):
        study = make_study(f"study {number}", trials=4, epochs=1000, sampler={"name": "random"})
        ledger = Ledger(study, storage, folder / study.name)
        job = ledger.next_job()
        assert job is not None
        tell(ledger, job, range(1, epoch + 1))
        ledgers.append(ledger)
        jobs.append(job)
    progress = terminal()
    progress.begin(ledgers)
    began = time.perf_counter()
    for number in range(redraws):
        progress.changed(ledgers[number % studies], jobs[number % studies])
        progress._table()
    spent = time.perf_counter() - began
    progress.end()
    return spent / redraws


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epoch", type=int, default=100)
    parser.add_argument("--reports", type=int, default=64)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--scheduler", default="median")
    asked = parser.parse_args()
    for workers in (8, 64):
        with tempfile.TemporaryDirectory(prefix="iterate-reports-") as folder:
            spent = seconds_a_report(
                Path(folder), workers, asked.epoch, asked.reports, asked.scheduler
            )
        print(f"{workers} workers at epoch {asked.epoch}: {spent:.4f} s a report")
    with tempfile.TemporaryDirectory(prefix="iterate-reports-") as folder:
        spent = seconds_a_redraw(Path(folder), asked.studies, asked.epoch, 50)
    print(f"{asked.studies} studies: {spent:.4f} s a redraw")


if __name__ == "__main__":
    main()

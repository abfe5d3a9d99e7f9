"""What MLflow is told of a study's trials and repeats."""

from __future__ import annotations

from math import nan
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from pool_support import make_study
from tracking_support import rows

from iterate.hpo.jobs import Job, Progress
from iterate.hpo.ledger import Ledger
from iterate.hpo.storage.open import open_storage
from iterate.run.mlflow import Tracker, class_metrics, run_record, study_record
from iterate.run.source import source_tags
from iterate.tracking.settings import TrackingSettings
from iterate_core.engine.reports import EpochReport
from iterate_core.provenance import commit
from iterate_core.storage.files import write_json

EARLY = {"name": "median", "startup_trials": 1, "warmup_epochs": 1}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    study = make_study(trials=3, repeats=1, sampler={"name": "random"}, scheduler=EARLY)
    return Ledger(study, open_storage(None, tmp_path), tmp_path)


def next_job(ledger: Ledger) -> Job:
    job = ledger.next_job()
    assert job is not None
    return job


def train(ledger: Ledger, job: Job, values: list[float], **end: Any) -> None:
    best = values[0]
    for epoch, value in enumerate(values, start=1):
        best = max(best, value)
        metrics = {"lr": 0.1, "train/loss": 1.0, "val/score": value}
        report = EpochReport(epoch, metrics, value, best, 0.5, done=False)
        if ledger.record(job.key, Progress((report,))):
            return
    ledger.record(job.key, Progress(**end))


CLASSES = [
    {"name": "open/water", "support": 3, "iou": 0.5, "precision": 1.0, "recall": 0.5, "f1": 0.6},
    {"name": "ice (old)", "support": 1, "iou": 0.1, "precision": 0.2, "recall": 0.3, "f1": 0.4},
    {"name": "ice [old]", "support": 0, "iou": None, "precision": None, "recall": None, "f1": None},
]


def finish(ledger: Ledger) -> None:
    """One trial complete, one pruned, one failed, and a repeat tested."""
    train(ledger, next_job(ledger), [0.5, 0.9, 0.6], done=True)
    train(ledger, next_job(ledger), [0.4, 0.3])
    train(ledger, next_job(ledger), [0.2], failure="memory ran out")
    repeat = next_job(ledger)
    write_json(repeat.folder / "test.json", {"test/score": 0.7, "classes": CLASSES})
    train(ledger, repeat, [0.8], test={"test/score": 0.7}, done=True)


def test_pruned_trials_can_be_compared_too(ledger: Ledger) -> None:
    finish(ledger)
    records = [run_record(ledger, trial) for trial in ledger.history("trial")]
    assert [record.state for record in records] == ["COMPLETE", "PRUNED", "FAIL"]
    assert [record.metrics["best/val/score"] for record in records] == [0.9, 0.4, 0.2]


def test_trials_and_repeats_say_what_they_are(ledger: Ledger) -> None:
    finish(ledger)
    trial = run_record(ledger, ledger.history("trial")[1])
    repeat = run_record(ledger, ledger.history("repeat")[0])
    for record in (trial, repeat, study_record(ledger, "quickstart", ended=True)):
        assert record.tags["iterate.dataset"] == "stand-in"
        assert record.tags["iterate.backbone"] == "stand-in"
        assert record.tags["mlflow.source.type"] == "LOCAL"
        assert record.tags["mlflow.source.name"]
        assert record.dataset is not None
        assert (record.dataset.name, record.dataset.digest) == ("stand-in", "data")
    assert trial.tags["iterate.threads"] == "1"
    assert repeat.artifacts[-1].name == "test.json"
    assert repeat.metrics["test/class/open_water/recall"] == 0.5


def test_a_metric_that_the_test_split_does_not_define_is_no_figure(ledger: Ledger) -> None:
    for job in (next_job(ledger), next_job(ledger), next_job(ledger)):
        train(ledger, job, [0.5], done=True)
    train(ledger, next_job(ledger), [0.8], test={"test/score": 0.7, "test/f1": nan}, done=True)
    repeat = run_record(ledger, ledger.history("repeat")[0])
    study = study_record(ledger, "quickstart", ended=True)
    for record, figure in ((repeat, "test/score"), (study, "test/score/mean")):
        assert record.metrics[figure] == 0.7
        assert [name for name in record.metrics if "f1" in name] == []


def test_a_class_has_a_name_of_its_own() -> None:
    """What MLflow would write alike is told apart; what has no score is not told."""
    found = class_metrics(CLASSES)
    assert {key.rpartition("/")[0] for key in found} == {
        "test/class/open_water",
        "test/class/ice _old_ 1",
    }
    assert found["test/class/ice _old_ 1/f1"] == 0.4


# The searches of docs/tracking.md.
FILTERS = {
    "tags.`iterate.kind` = 'repeat'": {"repeat 00"},
    "tags.`iterate.state` = 'PRUNED'": {"trial 01"},
    "tags.`iterate.dataset` = 'stand-in' and tags.`iterate.kind` = 'trial'": {
        "trial 00",
        "trial 01",
        "trial 02",
    },
    "tags.`iterate.backbone` = 'stand-in' and metrics.`best/val/score` > 0.85": {
        "study",
        "trial 00",
    },
    "metrics.`val/score` > 0.5 and params.`optimiser.lr` LIKE '0.%'": {"trial 00", "repeat 00"},
    "dataset.name = 'stand-in' and tags.`iterate.kind` = 'study'": {"study"},
}


def test_a_comparison_opens_on_the_objective(ledger: Ledger, tmp_path: Path) -> None:
    """It takes the first metric that the runs share, in the order in which they were written."""
    tracker = Tracker(TrackingSettings(), tmp_path)
    tracker.begin("quickstart", [ledger])
    finish(ledger)
    for kind in ("trial", "repeat"):
        for trial in ledger.history(kind):
            tracker.changed(ledger, Job("study", kind, trial.number, {}, tmp_path, tmp_path))
    tracker.end([ledger], {"study": []})
    assert not tracker.close()
    first = """SELECT r.name, m.key FROM latest_metrics m JOIN runs r USING (run_uuid)
        WHERE m.rowid IN (SELECT min(rowid) FROM latest_metrics GROUP BY run_uuid)"""
    found = dict(rows(tmp_path / "mlflow.db", first))
    names = {"study", "trial 00", "trial 01", "trial 02", "repeat 00"}
    assert found == dict.fromkeys(names, "best/val/score")
    for query, wanted in FILTERS.items():
        client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
        runs = client.search_runs(["1"], query)
        assert {run.info.run_name for run in runs} == wanted, query


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["/home/me/.venv/bin/iterate", "hpo", "/home/me/search.yaml", "a=1"], "hpo search.yaml"),
        (["/x/iterate/__main__.py", "bench", "--suite", "geobench"], "bench"),
        (["iterate", "hpo", "search.trials=1"], "hpo"),
    ],
)
def test_the_source_is_the_command_without_its_folders(words: list[str], name: str) -> None:
    tags = source_tags(words)
    assert tags["mlflow.source.name"] == f"iterate {name}"
    assert tags.get("mlflow.source.git.commit") == commit(Path.cwd())


def test_the_source_of_a_program_is_its_file() -> None:
    assert source_tags(["/home/me/study.py", "hpo"])["mlflow.source.name"] == "study.py"

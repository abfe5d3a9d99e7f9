"""The engine as the pool's workers use it: what a trial says of itself, and other versions."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
from engine_support import recipe
from pool_support import make_study

import iterate_core
from iterate.hpo import execute
from iterate.hpo.execute import SIGN_OF_LIFE, train
from iterate.hpo.jobs import Job, Progress
from iterate.hpo.ledger import Ledger
from iterate.hpo.results import summarise
from iterate.hpo.storage.open import open_storage
from iterate.run.mlflow import run_record
from iterate.states import Kind
from iterate_core.engine import checkpoints
from iterate_core.engine.build import build_model
from iterate_core.engine.cost import image_flops
from iterate_core.engine.fit import epochs
from iterate_core.engine.reports import EpochReport
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.recipe import Recipe

Version = Callable[[str], None]


@pytest.fixture
def version(monkeypatch: pytest.MonkeyPatch) -> Version:
    """Go on as another version of iterate."""

    def become(name: str) -> None:
        monkeypatch.setattr(iterate_core, "__version__", name)
        monkeypatch.setattr(checkpoints, "__version__", name)

    return become


def job_of(chosen: Recipe, folder: Path, kind: Kind = "trial") -> Job:
    return Job("study", kind, 0, chosen.to_mapping(), folder, Path.cwd())


def test_a_trial_without_a_gpu_says_that_it_trains_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert [told.device for told in train(job_of(recipe(), tmp_path))][-1] == "CPU"


def test_a_trial_says_how_many_of_its_parameters_train(tmp_path: Path) -> None:
    frozen = recipe(tuning={"name": "frozen"}, trainer={"epochs": 1})
    told = [one.parameters for one in train(job_of(frozen, tmp_path)) if one.parameters]
    model = build_model(prepare(frozen))
    decoder = sum(value.numel() for value in model.decoder.parameters())
    assert told == [(decoder, sum(value.numel() for value in model.parameters()))]


def test_a_repeat_says_what_predicting_an_image_takes(tmp_path: Path) -> None:
    short = recipe(trainer={"epochs": 1})
    for kind, expected in (("trial", []), ("repeat", [image_flops(prepare(short))])):
        job = job_of(short, tmp_path / kind, kind=kind)
        assert [one.flops for one in train(job) if one.flops is not None] == expected


def test_what_a_trial_says_of_its_parameters_is_kept_and_shown(tmp_path: Path) -> None:
    ledger = Ledger(make_study("s"), open_storage(None, tmp_path), tmp_path)
    job = ledger.next_job()
    assert job is not None
    ledger.record(job.key, Progress(parameters=(3, 1000), flops=2e6))
    (trial,) = ledger.history("trial")
    assert (trial.parameters, trial.flops) == ((3, 1000), 2e6)
    tags = run_record(ledger, trial).tags
    assert (tags["iterate.trained_parameters"], tags["iterate.parameters"]) == ("3", "1000")
    report = EpochReport(1, {"val/accuracy": 0.5}, 0.5, 0.5, 1.0, True)
    ledger.record(job.key, Progress((report,), done=True))
    (study,) = summarise([ledger])["studies"]
    counts = {"trained": 3, "total": 1000}
    assert study["best"]["parameters"] == study["all_trials"][0]["parameters"] == counts


def test_signs_of_life_come_between_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("os.utime", lambda path: seen.append(path))
    monkeypatch.setattr(execute, "_SECONDS_BETWEEN_SIGNS", 0.0)
    told = train(job_of(recipe(trainer={"epochs": 1}), tmp_path))
    assert any(progress.reports for progress in told)
    signs = [path for path in seen if path.parent == tmp_path]  # others: that the cache is used
    assert len(signs) > 3  # batches of training and validation, and the samples packed
    assert set(signs) == {tmp_path / SIGN_OF_LIFE}


def test_a_job_says_when_it_begins_to_train(tmp_path: Path) -> None:
    """Once, after the model is built and the dataset packed, and before the first epoch."""
    told = list(train(job_of(recipe(), tmp_path)))
    said = [bool(progress.training) for progress in told]
    first = next(number for number, progress in enumerate(told) if progress.reports)
    assert said.count(True) == 1
    assert said.index(True) == first - 1


def test_a_trial_of_another_version_begins_anew_and_nothing_is_lost(
    tmp_path: Path, version: Version
) -> None:
    job = job_of(recipe(), tmp_path)
    version("0.0.1")
    list(islice(train(job), 1))
    list(islice(epochs(prepare(recipe()), tmp_path), 1))
    before = (tmp_path / "last.ckpt").read_bytes()
    version("0.0.2")
    told = list(train(job))
    assert told[0].anew is not None
    assert "was written by iterate 0.0.1, and this is 0.0.2" in told[0].anew
    assert [report.epoch for progress in told for report in progress.reports] == [1, 2, 3]
    assert told[-1].done
    assert (tmp_path / "earlier-last.ckpt").read_bytes() == before


def test_fit_names_the_version_that_wrote_a_checkpoint(tmp_path: Path, version: Version) -> None:
    version("0.0.1")
    list(islice(epochs(prepare(recipe()), tmp_path), 1))
    version("0.0.2")
    with pytest.raises(RequestError, match=r"was written by iterate 0.0.1, and this is 0.0.2"):
        list(epochs(prepare(recipe()), tmp_path))


def test_what_is_reported_anew_replaces_what_was_reported_before(tmp_path: Path) -> None:
    def reported(values: list[float]) -> tuple[EpochReport, ...]:
        return tuple(
            EpochReport(number, {"val/score": value}, value, max(values[:number]), 1.0, False)
            for number, value in enumerate(values, start=1)
        )

    storage = open_storage(None, tmp_path)
    ledger = Ledger(make_study(), storage, tmp_path)
    job = ledger.next_job()
    assert job is not None
    ledger.record(job.key, Progress(reported([0.9, 0.8])))
    continued = Ledger(make_study(), storage, tmp_path)
    again = continued.next_job()
    assert again == job
    continued.record(job.key, Progress(anew="another version"))
    continued.record(job.key, Progress(reported([0.1, 0.2, 0.3])))
    (trial,) = continued.history("trial")
    assert trial.curve == {1: 0.1, 2: 0.2, 3: 0.3}
    assert trial.epoch(1)["best"] == 0.1
    assert trial.began_anew == "another version"


def test_what_a_trial_trained_on_is_kept_with_it_and_shown(tmp_path: Path) -> None:
    ledger = Ledger(make_study(), open_storage(None, tmp_path), tmp_path)
    job = ledger.next_job()
    assert job is not None
    ledger.record(job.key, Progress(device="CPU"))
    (trial,) = ledger.history("trial")
    assert trial.device == "CPU"
    assert run_record(ledger, trial).tags["iterate.device"] == "CPU"

"""Summary and intervals, against closed forms."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pool_support import make_study

from iterate.cli.views.console import problems_of
from iterate.cli.views.tables import _interval
from iterate.hpo.importances import Searched
from iterate.hpo.jobs import Progress
from iterate.hpo.ledger import Ledger
from iterate.hpo.results import interval, summarise
from iterate.hpo.storage.open import open_storage
from iterate.hpo.study import same_question
from iterate.hpo.trials.trained import trained_before
from iterate_core.engine.reports import BEST, LAST, EpochReport
from iterate_core.errors import RequestError
from iterate_core.models.backbones.options import TimmOptions
from iterate_core.storage.files import write_json

EARLY = {"name": "median", "startup_trials": 1, "warmup_epochs": 1}


def test_interval_is_students() -> None:
    found = interval([0.70, 0.75, 0.80], 0.0, 1.0)
    half = 4.302652729911275 * 0.05 / math.sqrt(3)  # t(0.975, 2) of the tables
    assert found.mean == pytest.approx(0.75)
    assert (found.low, found.high) == pytest.approx((0.75 - half, 0.75 + half))


def test_interval_of_one_repeat_has_no_ends() -> None:
    assert vars(interval([0.5], 0.0, 1.0)) == {"mean": 0.5, "low": None, "high": None, "n": 1}


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_interval_stays_where_values_can_be(values: list[float]) -> None:
    found = interval(values, 0.0, 1.0)
    if found.low is None or found.high is None:
        # They tie, or their squares are no numbers any more.
        assert max(values) - min(values) <= max(1e-12 * max(values), 1e-150)
        return
    assert 0.0 <= found.low <= found.mean + 1e-12
    assert found.mean - 1e-12 <= found.high <= 1.0
    assert found.low < found.high


@pytest.mark.parametrize("repeats", [2, 3])
def test_repeats_that_tie_have_no_interval_of_width_zero(repeats: int) -> None:
    found = interval([0.7833] * repeats, 0.0, 1.0)
    assert (found.low, found.high, found.n) == (None, None, repeats)
    assert f"interval not known: {repeats} equal repeats" in _interval(vars(found))
    assert "interval not known: one repeat" in _interval(vars(interval([0.5], 0.0, 1.0)))


def work(ledger: Ledger, values: list[float], test: dict[str, float] | None = None) -> None:
    """Do the ledger's next job as a worker would."""
    job = ledger.next_job()
    assert job is not None
    best = values[0]
    for epoch, value in enumerate(values, start=1):
        best = max(best, value)
        done = epoch == len(values)
        report = EpochReport(epoch, {"val/score": value}, value, best, 0.5, done)
        ledger.record(job.key, Progress((report,), done=done and test is None, held_seconds=epoch))
    if test is not None:
        ledger.record(job.key, Progress(test=test, done=True, held_seconds=9))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    study = make_study(trials=2, repeats=2, sampler={"name": "random"})
    return Ledger(study, open_storage(None, tmp_path), tmp_path)


def test_trials_of_equal_value_say_nothing_of_importance(tmp_path: Path) -> None:
    study = make_study(trials=5, sampler={"name": "random"})
    ledger = Ledger(study, open_storage(None, tmp_path), tmp_path)
    for _ in range(5):
        work(ledger, [0.5])
    assert Searched.of(ledger).importances() == {}


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_importances_are_those_that_optuna_tells_of_the_study(tmp_path: Path) -> None:
    study = make_study(trials=8, repeats=0, sampler={"name": "random"}, scheduler=EARLY)
    ledger = Ledger(study, open_storage(None, tmp_path), tmp_path)
    for value in (0.1, 0.9, 0.5, 0.7, 0.3, 0.8, 0.2, 0.6):
        work(ledger, [value])
    searched = ledger.optuna_studies["trial"]
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    expected = optuna.importance.get_param_importances(searched, evaluator=evaluator)
    assert len(expected) > 0
    assert Searched.of(ledger).importances() == expected


def test_summary_of_a_finished_study(ledger: Ledger) -> None:
    work(ledger, [0.1, 0.9, 0.5])
    work(ledger, [0.2, 0.3])
    work(ledger, [0.8], {"test/accuracy": 0.7, "test/loss": 1.0})
    work(ledger, [0.8], {"test/accuracy": 0.9, "test/loss": 2.0})
    assert ledger.finished
    summary = summarise([ledger])
    study = summary["studies"][0]
    assert study["trials"] == {"complete": 2, "pruned": 0, "failed": 0}
    # The value of a trial is that of its best epoch, whose checkpoint is kept.
    assert (study["best"]["number"], study["best"]["value"]) == (0, 0.9)
    assert set(study["best"]["params"]) == {"optimiser.lr"}
    assert study["test"]["accuracy"]["mean"] == pytest.approx(0.8)
    assert (study["test"]["accuracy"]["low"], study["test"]["accuracy"]["high"]) == (0.0, 1.0)
    assert study["test"]["loss"]["high"] == pytest.approx(1.5 + 12.706204736 * 0.5)
    assert [row["metrics"]["test/accuracy"] for row in study["repeats"]] == [0.7, 0.9]
    assert summary["train_seconds"] == pytest.approx(0.5 * 7)
    assert summary["worker_seconds"] == pytest.approx(3 + 2 + 9 + 9)
    places = [(row["index"], row["folder"]) for row in study["repeats"]]
    assert places == [(0, "repeats/0000-0"), (1, "repeats/0000-1")]
    (chosen, *_) = study["all_trials"]
    assert [study["best"][key] for key in ("seed", "threads")] == [chosen["seed"], 1]
    assert study["trials_asked"] == 2


def test_a_metric_that_the_test_split_does_not_define_is_null(ledger: Ledger) -> None:
    work(ledger, [0.9])
    work(ledger, [0.3])
    work(ledger, [0.8], {"test/accuracy": 0.7, "test/loss": 1.0, "test/f1_macro": math.nan})
    work(ledger, [0.8], {"test/accuracy": 0.9, "test/loss": math.inf, "test/f1_macro": math.nan})
    (study,) = json.loads(json.dumps(summarise([ledger]), allow_nan=False))["studies"]
    nothing = {"mean": None, "low": None, "high": None, "n": 0}
    assert study["test"]["f1_macro"] == nothing
    assert [row["metrics"]["test/f1_macro"] for row in study["repeats"]] == [None, None]
    # A repeat in which it is defined is not lost for the other.
    assert study["test"]["loss"] == {"mean": 1.0, "low": None, "high": None, "n": 1}
    assert study["test"]["accuracy"]["n"] == 2
    assert _interval(nothing) == "–  (the test split does not define it)"


def test_summary_tells_every_trial(tmp_path: Path) -> None:
    """The pruned, the failed and the unfinished ones too, each at its best epoch."""
    study = make_study(trials=4, repeats=0, sampler={"name": "random"}, scheduler=EARLY)
    ledger = Ledger(study, open_storage(None, tmp_path), tmp_path)
    work(ledger, [0.5, 0.9, 0.6])
    pruned, failed = ledger.next_job(), ledger.next_job()
    assert pruned is not None
    assert failed is not None
    for epoch, value in ((1, 0.4), (2, 0.3)):
        report = EpochReport(epoch, {"val/score": value}, value, 0.4, 0.5, done=False)
        stopped = ledger.record(pruned.key, Progress((report,)))
    assert stopped
    report = EpochReport(1, {"val/score": 0.7}, 0.7, 0.7, 0.5, done=False)
    ledger.record(failed.key, Progress((report,)))
    ledger.record(failed.key, Progress(failure="memory ran out"))
    ledger.next_job()
    trials = summarise([ledger])["studies"][0]["all_trials"]
    assert [trial["number"] for trial in trials] == [0, 1, 2, 3]
    assert [trial["state"] for trial in trials] == ["complete", "pruned", "fail", "running"]
    assert [trial["value"] for trial in trials] == [0.9, 0.4, None, None]
    assert [trial["epochs"] for trial in trials] == [3, 2, 1, 0]
    assert [trial["failure"] for trial in trials] == [None, None, "memory ran out", None]
    for trial, job in ((trials[1], pruned), (trials[2], failed)):
        assert trial["seed"] == job.recipe["seed"]
        assert trial["threads"] == 1
        assert trial["params"] == {"optimiser.lr": job.recipe["optimiser"]["lr"]}


def test_a_pruned_trial_keeps_its_best_weights_and_not_what_it_would_take_to_go_on(
    tmp_path: Path,
) -> None:
    study = make_study(trials=4, repeats=0, sampler={"name": "random"}, scheduler=EARLY)
    ledger = Ledger(study, open_storage(None, tmp_path), tmp_path)
    work(ledger, [0.5, 0.9, 0.6])
    pruned, failed = ledger.next_job(), ledger.next_job()
    assert pruned is not None
    assert failed is not None
    for job in (pruned, failed):
        job.folder.mkdir(parents=True, exist_ok=True)
        for name in (LAST, BEST):
            (job.folder / name).touch()
    for epoch, value in ((1, 0.4), (2, 0.3)):
        report = EpochReport(epoch, {"val/score": value}, value, 0.4, 0.5, done=False)
        stopped = ledger.record(pruned.key, Progress((report,)))
        assert (pruned.folder / LAST).exists() != stopped
    assert stopped
    assert (pruned.folder / BEST).exists()
    ledger.record(failed.key, Progress(failure="memory ran out"))
    assert (failed.folder / LAST).exists()


def test_the_objective_stands_first_and_the_rest_as_declared(tmp_path: Path) -> None:
    study = make_study(trials=1, repeats=1, sampler={"name": "random"})
    objective = study.recipe.objective.model_copy(update={"metric": "f1_macro"})
    asked = replace(study, recipe=study.recipe.model_copy(update={"objective": objective}))
    ledger = Ledger(asked, open_storage(None, tmp_path), tmp_path)
    work(ledger, [0.5])
    names = ("accuracy", "accuracy_macro", "another", "f1_macro", "loss")
    work(ledger, [0.5], {f"test/{name}": 0.5 for name in names})
    order = ["f1_macro", "accuracy", "accuracy_macro", "loss", "another"]
    assert list(summarise([ledger])["studies"][0]["test"]) == order


def test_classes_are_averaged_over_repeats(ledger: Ledger) -> None:
    """They come from what each repeat left; a class without a score in one has no say there."""
    work(ledger, [0.9])
    work(ledger, [0.2])
    rows: list[dict[str, Any]] = [
        {"name": "water", "support": 4, "iou": 0.5, "precision": 1.0, "recall": 0.25, "f1": 0.4},
        {"name": "ice", "support": 0, "iou": None, "precision": None, "recall": None, "f1": None},
    ]
    other = [rows[0] | {"iou": 0.7}, rows[1] | {"iou": 0, "precision": 0, "recall": 0, "f1": 0}]
    confusion = [[1, 3], [0, 0]]
    for classes in (rows, other):
        work(ledger, [0.8], {"test/accuracy": 0.7})
        folder = ledger.job_folder(ledger.history("repeat")[-1])
        write_json(folder / "test.json", {"classes": classes, "confusion": confusion})
    study = summarise([ledger])["studies"][0]
    assert [row["classes"] for row in study["repeats"]] == [rows, other]
    assert [row["confusion"] for row in study["repeats"]] == [confusion, confusion]
    assert study["test_classes"] == [rows[0] | {"iou": pytest.approx(0.6)}, other[1]]


def test_a_row_of_numbers_takes_one_line(tmp_path: Path) -> None:
    value = {"text": "[\n1,\n2\n]", "matrix": [[1, -2.5], [3e-9, 4]], "names": ["a", "1"], "no": []}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == value
    assert "\n    [1, -2.5],\n" in text


def test_a_better_best_found_later_gets_repeats_of_its_own(ledger: Ledger, tmp_path: Path) -> None:
    work(ledger, [0.5])
    work(ledger, [0.4])
    work(ledger, [0.5], {"test/accuracy": 0.5})
    work(ledger, [0.5], {"test/accuracy": 0.5})
    more = make_study(trials=3, repeats=2, sampler={"name": "random"})
    continued = Ledger(more, open_storage(None, tmp_path), tmp_path)
    work(continued, [0.6])
    assert not continued.finished
    work(continued, [0.6], {"test/accuracy": 0.6})
    work(continued, [0.6], {"test/accuracy": 0.6})
    assert continued.finished
    study = summarise([continued])["studies"][0]
    assert study["best"]["number"] == 2
    assert study["test"]["accuracy"] == {"mean": 0.6, "low": None, "high": None, "n": 2}
    assert len(continued.history("repeat")) == 4


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"space": {"optimiser.lr": "interval(0, 2)"}}, "space.optimiser.lr"),
        ({"mode": "min"}, "recipe.objective.mode"),
        ({"epochs": 8}, "recipe.trainer.epochs"),
        ({"data": "other"}, "data"),
    ],
)
def test_a_changed_question_is_refused_with_the_difference(
    ledger: Ledger, tmp_path: Path, change: dict[str, object], named: str
) -> None:
    work(ledger, [0.5])
    changed = make_study(trials=2, repeats=2, sampler={"name": "random"}, **change)  # type: ignore[arg-type]
    with pytest.raises(RequestError) as refused:
        Ledger(changed, open_storage(None, tmp_path), tmp_path)
    assert [p.where for p in refused.value.problems] == [named]
    assert "--fresh" in str(refused.value)
    headline, *differences, advice = problems_of(refused.value).splitlines()
    assert "asks another question than its finished trials answer." in headline
    assert [line[:4] for line in differences] == ["  • "]
    assert advice.startswith("Run it with --fresh")
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
    assert len(Ledger(ledger.study, open_storage(None, tmp_path), tmp_path).history("trial")) == 1


@pytest.mark.parametrize(("then", "told"), [("0.2.9", "iterate 0.2.9"), (None, "an earlier")])
def test_another_question_of_another_version_is_refused_for_the_version(
    then: str | None, told: str
) -> None:
    asked = make_study(trials=2).question()
    before = {**asked, "data": "other", "version": then}
    with pytest.raises(RequestError, match=rf"was made by {told}.*--fresh") as refused:
        same_question("s", asked, before)
    assert len(refused.value.problems) == 1


def test_a_study_that_asks_the_same_goes_on_after_an_upgrade(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(ledger, [0.5])
    monkeypatch.setattr("iterate.hpo.study.__version__", "99.0")
    storage, study = open_storage(None, tmp_path), ledger.study
    assert ledger.notes.question != study.question()
    assert trained_before(storage, study).trials == 1
    assert len(Ledger(study, storage, tmp_path).history("trial")) == 1
    with pytest.raises(RequestError, match=r"was made by iterate .*, and this is iterate 99\.0"):
        Ledger(replace(study, data="other"), storage, tmp_path)


def test_budget_and_sampler_may_change(ledger: Ledger, tmp_path: Path) -> None:
    work(ledger, [0.5])
    changed = make_study(trials=5, repeats=0, sampler={"name": "tpe"}, patience=3)
    assert len(Ledger(changed, open_storage(None, tmp_path), tmp_path).history("trial")) == 1


def test_interrupted_jobs_are_handed_out_again_with_their_parameters(
    ledger: Ledger, tmp_path: Path
) -> None:
    first = ledger.next_job()
    assert first is not None
    report = EpochReport(1, {"val/score": 0.4}, 0.4, 0.4, 0.5, done=False)
    ledger.record(first.key, Progress((report,)))
    continued = Ledger(ledger.study, open_storage(None, tmp_path), tmp_path)
    again = continued.next_job()
    assert again == first
    # What was recorded before counts once, whatever the worker replays.
    continued.record(again.key, Progress((report,)))
    assert continued.history("trial")[0].curve == {1: 0.4}


def test_a_question_holds_the_content_of_weights_rather_than_their_place(tmp_path: Path) -> None:
    """Moving a file changes nothing; another file under the same name changes the question."""

    def question(file: Path) -> dict[str, Any]:
        study = make_study()
        backbone = TimmOptions(name="resnet10t", weights=str(file))
        model = study.recipe.model.model_copy(update={"backbone": backbone})
        recipe = study.recipe.model_copy(update={"model": model})
        return replace(study, recipe=recipe).question()

    file, moved = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    file.write_bytes(b"first")
    moved.write_bytes(b"first")
    first = question(file)
    assert question(moved) == first
    file.write_bytes(b"second")
    assert question(file) != first

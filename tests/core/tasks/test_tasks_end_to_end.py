"""A search of each kind of task, in one pool: labels, a quantity, several dates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from iterate import load_study, search
from iterate.tracking.settings import TrackingSettings
from iterate_core.tasks.declarations import CLASSIFICATION, MULTILABEL, REGRESSION

SEARCH = """
defaults:
  - recipe
  - override search: asha
  - _self_
name: {name}
data: {{name: generated, {data}, samples: [16, 8, 8], size: 16, batch_size: 8,
       bands: [red, nir, swir_1]}}
model:
  backbone: {{name: test_resnet, weights: none}}
tuning: {{name: {tuning}}}
trainer: {{epochs: 2}}
space:
  optimiser.lr: tag(log, interval(1e-3, 1e-2))
  {space}
search: {{trials: 3, repeats: 2, scheduler: {{min_epochs: 1}}}}
"""

SEARCHES = {
    "labels": {
        "data": "kind: multilabel",
        "tuning": "full",
        "space": "model/decoder: choice(linear, mlp)",
    },
    "canopy": {
        "data": "kind: regression",
        "tuning": "full",
        "space": "model/decoder: choice(linear, unet)",
    },
    "seasons": {
        "data": "kind: classification, frames: 3",
        "tuning": "frozen",
        "space": "model.frames: choice(mean, max, concat)",
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("searches")
    for name, parts in SEARCHES.items():
        (folder / f"{name}.yaml").write_text(SEARCH.format(name=name, **parts))
    return folder


@pytest.fixture(scope="module")
def summaries(folder: Path) -> dict[str, Any]:
    studies = [load_study(folder / f"{name}.yaml") for name in SEARCHES]
    result = search(studies, folder / "out", tracking=TrackingSettings(enabled=False))
    return {study["name"]: study for study in json.loads(json.dumps(result.summary))["studies"]}


@pytest.mark.parametrize(
    ("name", "task"), [("labels", MULTILABEL), ("canopy", REGRESSION), ("seasons", CLASSIFICATION)]
)
def test_a_search_finds_repeats_and_tests(
    name: str, task: Any, summaries: dict[str, Any], folder: Path
) -> None:
    summary = summaries[name]
    assert summary["objective"] == {"metric": task.primary.name, "mode": task.primary.mode}
    assert summary["trials"]["failed"] == 0
    assert sum(summary["trials"].values()) == 3
    trials = optuna.load_study(
        study_name=name, storage=f"sqlite:///{folder / 'out/studies.db'}"
    ).get_trials(states=[optuna.trial.TrialState.COMPLETE])
    values = [trial.value for trial in trials]
    best = max(values) if task.primary.mode == "max" else min(values)
    assert summary["best"]["value"] == best
    assert summary["test"].keys() == {metric.name for metric in task.metrics}
    for metric in task.metrics:
        found = summary["test"][metric.name]
        assert found["n"] == 2
        assert metric.lowest <= found["low"] <= found["mean"] <= found["high"] <= metric.highest


def test_every_repeat_tells_its_classes(summaries: dict[str, Any]) -> None:
    """The means over classes are the macro scores; a quantity has no classes."""
    for repeat in summaries["canopy"]["repeats"]:
        assert repeat.keys() == {"seed", "index", "folder", "metrics"}
    assert summaries["canopy"]["test_classes"] == []
    for name, shape in (("labels", (2, 2)), ("seasons", ())):
        study = summaries[name]
        for repeat in study["repeats"]:
            rows, count = repeat["classes"], len(repeat["classes"])
            known = [row["f1"] for row in rows if row["f1"] is not None]
            assert np.mean(known) == pytest.approx(repeat["metrics"]["test/f1_macro"])
            assert np.shape(repeat["confusion"]) == ((count, *shape) if shape else (count, count))
        names = [row["name"] for row in study["repeats"][0]["classes"]]
        assert [row["name"] for row in study["test_classes"]] == names
        assert next(iter(study["test"])) == study["objective"]["metric"]
        assert [trial["number"] for trial in study["all_trials"]] == [0, 1, 2]

"""What changed between two dates: scores against scikit-learn, how dates meet, training."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from engine_support import RGB, give, random_images, recipe
from prediction_support import predicted
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from iterate_core.data.generated.reader import GeneratedData, open_generated
from iterate_core.engine import fit
from iterate_core.engine.resolved import prepare
from iterate_core.engine.setup import Setup
from iterate_core.errors import RequestError
from iterate_core.registry.parsing import parse
from iterate_core.tasks.confusion import ConfusionScores
from iterate_core.tasks.declarations import CHANGE_DETECTION

Array = npt.NDArray[Any]
BINARY = {
    "f1": f1_score,
    "iou": jaccard_score,
    "precision": precision_score,
    "recall": recall_score,
}


def expected(true: Array, told: Array) -> dict[str, float]:
    """Scikit-learn's scores of change, and the means over all classes that occur."""
    counted = true != 255
    true, told = true[counted], told[counted]
    change = {name: score(true > 0, told > 0, zero_division=0) for name, score in BINARY.items()}
    return change | {
        "miou": jaccard_score(true, told, average="macro", zero_division=0),
        "f1_macro": f1_score(true, told, average="macro", zero_division=0),
        "pixel_accuracy": (true == told).mean(),
    }


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_are_scikit_learns_whatever_it_became(classes: int) -> None:
    rng = np.random.default_rng(classes)
    targets = rng.choice([*range(classes), 255], (9, 6, 5))
    outputs = rng.normal(size=(9, classes, 6, 5)).astype(np.float32)
    taken = ConfusionScores(CHANGE_DETECTION.metrics, classes, 255)
    for part in np.array_split(np.arange(9), 3):
        batch = torch.from_numpy(outputs[part]), torch.from_numpy(targets[part])
        taken.update(*batch, torch.tensor(1.0), torch.tensor(len(part)))
    values = taken.compute()
    for name, value in expected(targets, outputs.argmax(axis=1)).items():
        assert values[name] == pytest.approx(value, abs=1e-12), name


def test_without_any_change_its_scores_are_0_and_each_sample_tells_as_much() -> None:
    taken = ConfusionScores(CHANGE_DETECTION.metrics, 2, 255)
    outputs = torch.tensor([[2.0, 0.0], [0.0, 2.0]]).reshape(2, 2, 1, 1)
    taken.update(outputs, torch.zeros(2, 1, 1).long(), torch.tensor(1.0), torch.tensor(2))
    values = taken.compute()
    assert [values[name] for name in BINARY] == [0, 0, 0, 0]
    assert values["pixel_accuracy"] == 0.5
    sums = taken.of_samples(outputs, torch.zeros(2, 1, 1).long()).numpy()
    for metric in CHANGE_DETECTION.metrics[:4]:
        assert metric.of_sums is not None
        assert metric.of_sums(sums).tolist() == [0, 0]


def pairs(kind: str = "change_detection", **changes: Any) -> Any:
    base: dict[str, Any] = {
        "data": {"frames": 2, "bands": ["green", "red", "nir", "swir_1"]},
        "model": {"frames": "difference"},
    }
    return prepare(recipe(kind, **(base | changes)))


def test_drawn_pairs_change_where_they_say_so() -> None:
    """Most of what changed looks more different than nearly all that did not."""
    binary, became = (
        open_generated(GeneratedData(kind=kind, frames=2, samples=(24, 1, 1), size=32))
        for kind in ("change_detection", "semantic_change")
    )
    assert binary.info.task == became.info.task == "change_detection"
    assert became.info.classes[:2] == ("no change", "to water")
    bands = [band.name for band in binary.info.bands if band.common in ("nir", "red", "swir_1")]
    differences, masks = [], []
    for name in binary.names("train"):
        sample, same = binary.read(name, bands), became.read(name, bands)
        np.testing.assert_array_equal(sample.image, same.image)
        np.testing.assert_array_equal(sample.target, np.minimum(np.asarray(same.target), 1))
        assert sample.dates is not None
        assert sample.dates[0][0] < sample.dates[1][0]
        before, after = sample.image.astype(float).transpose(1, 0, 2, 3)
        change = np.abs(after - before).mean(axis=0)
        differences.append(change - np.median(change))
        masks.append(np.asarray(sample.target))
    there = np.stack(masks) == 1
    assert 0.05 < there.mean() < 0.4
    assert sum(not mask.any() for mask in masks) >= 3
    quiet = np.quantile(np.stack(differences)[~there], 0.8)
    assert (np.stack(differences)[there] > quiet).mean() > 0.6


@pytest.mark.parametrize("kind", ["change_detection", "semantic_change"])
def test_drawn_changes_have_two_dates(kind: str) -> None:
    for frames in ({}, {"frames": 1}, {"frames": 3}):
        with pytest.raises(RequestError, match="change lies between two dates: set frames: 2"):
            parse(GeneratedData, {"name": "generated", "kind": kind, **frames})


@pytest.mark.parametrize("kind", ["change_detection", "semantic_change"])
def test_it_beats_telling_change_everywhere_and_its_scores_are_scikit_learns(
    kind: str, tmp_path: Path
) -> None:
    """By at least 0.2 of F1; telling change nowhere has an F1 of 0, and a lower mean IoU."""
    prepared = pairs(
        kind,
        data={"frames": 2, "samples": [48, 16, 24], "bands": ["green", "red", "nir", "swir_1"]},
        optimiser={"lr": 0.01},
        trainer={"epochs": 8},
    )
    assert prepared.recipe.objective.metric == "f1"
    fit.fit(prepared, tmp_path)
    scores = fit.test(prepared, tmp_path)
    true = np.asarray(prepared.pack.targets("test"))
    everywhere, nowhere = expected(true, np.ones_like(true)), expected(true, np.zeros_like(true))
    assert scores["test/f1"] > everywhere["f1"] + 0.2
    assert scores["test/miou"] > nowhere["miou"] + 0.02
    told = predicted(prepared, tmp_path).argmax(axis=1)
    for name, value in expected(true, told).items():
        assert scores[f"test/{name}"] == pytest.approx(value, abs=1e-6), name


def test_a_continued_run_is_bit_identical(tmp_path: Path) -> None:
    prepared = pairs()
    whole = [report.metrics for report in fit.epochs(prepared, tmp_path / "whole")]
    first = [report.metrics for report in islice(fit.epochs(prepared, tmp_path / "cut"), 1)]
    rest = [report.metrics for report in fit.epochs(prepared, tmp_path / "cut")]
    assert first + rest == whole
    assert fit.evaluate(prepared, tmp_path / "cut") is not None
    assert fit.test(prepared, tmp_path / "cut") == fit.test(prepared, tmp_path / "whole")


def test_equal_dates_look_alike_to_a_difference() -> None:
    """Nothing but its bias is left of features that do not differ, whatever is seen."""
    prepared = pairs(model={"frames": "difference", "decoder": {"name": "linear"}})
    module = Setup(prepared).module.eval()
    seen = torch.randn(2, 4, 1, 32, 32).expand(-1, -1, 2, -1, -1)
    outputs = module.model(seen)
    torch.testing.assert_close(outputs, outputs[:1, :, :1, :1].expand_as(outputs))


@pytest.mark.parametrize(
    ("shape", "classes", "ignored", "message"),
    [
        ((8, 3, 16, 16), 2, 255, "has one date, and change lies between two"),
        ((8, 3, 2, 16, 16), 1, 255, "must have the class of no change first"),
        ((8, 3, 2, 16, 16), 3, 0, "must have the class of no change first"),
    ],
)
def test_a_dataset_in_which_nothing_can_change_is_refused(
    shape: Any, classes: int, ignored: int, message: str
) -> None:
    masks = np.zeros((8, 16, 16), np.uint8)
    data = give(random_images(shape), masks, RGB, classes, ignored, task="change_detection")
    with pytest.raises(RequestError, match=message):
        Setup(prepare(recipe("segmentation", data=data)))

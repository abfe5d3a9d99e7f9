"""What a model makes of a split: how sure and how right it is, and how far that goes together."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_support import recipe
from objects_support import detecting
from PIL import Image
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_calibration_error,
)

from iterate_core.data.target import target_of
from iterate_core.engine import fit
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.inference.judging.judged import judge
from iterate_core.inference.judging.reliability import ReliabilityCounts
from iterate_core.inference.judging.shown import show
from iterate_core.inference.judging.split import Predicted, SplitPredictions
from iterate_core.inference.predictor import load_model
from iterate_core.tasks.sample_sums import SampleSums

TASKS: dict[str, dict[str, Any]] = {
    "classification": {},
    "multilabel": {"model": {"decoder": {"name": "linear"}}},
    "segmentation": {},
    "change_detection": {"data": {"frames": 2}},
    "regression": {"tuning": {"name": "frozen"}},
    "downscaling": {},
}


def trained(task: str, folder: Path) -> tuple[SplitPredictions, dict[str, float], SampleSums]:
    asked = recipe(task, trainer={"epochs": 1}, **TASKS[task])
    fit.fit(prepare(asked), folder)
    scores = fit.test(prepare(asked), folder, keep=folder / "samples.npz")
    split = SplitPredictions(load_model(folder, accelerator="cpu"), prepare(asked))
    return split, scores, SampleSums.read(folder / "samples.npz")


@pytest.mark.parametrize("task", TASKS)
def test_a_split_is_judged_as_it_was_scored(task: str, tmp_path: Path) -> None:
    split, scores, sums = trained(task, tmp_path)
    done: list[int] = []
    found = judge(split, done.append)
    assert found is not None
    assert done[-1] == len(split) == len(sums.sums)
    batch = split.of(range(len(split)))
    if task == "classification":
        assert found.right is not None
        assert found.right.mean() == pytest.approx(scores["test/accuracy"])
        told = multiclass_calibration_error(batch.predicted, batch.targets, 8, n_bins=15)
    elif task in ("segmentation", "change_detection"):
        assert found.right is not None
        counted = (batch.targets != split.target.info.ignore_index).flatten(1).sum(dim=1)
        weighed = float(np.average(found.right, weights=counted.numpy()))
        assert weighed == pytest.approx(scores["test/pixel_accuracy"])
        told = multiclass_calibration_error(
            batch.predicted,
            batch.targets.long(),
            batch.predicted.shape[1],
            n_bins=15,
            ignore_index=split.target.info.ignore_index,
        )
    elif task == "multilabel":
        assert found.right is not None
        assert found.right.mean() == pytest.approx(scores["test/accuracy_label"])
        told = binary_calibration_error(
            batch.predicted.flatten(), batch.targets.flatten().long(), n_bins=15
        )
    else:
        assert found.errors is not None
        assert found.pairs is not None
        known = (~batch.targets.isnan()).flatten(1).sum(dim=1).numpy()
        assert np.average(found.errors, weights=known) == pytest.approx(
            scores["test/mae"], rel=1e-5
        )
        assert len(found.pairs) <= 4000
        assert found.share == pytest.approx(len(found.pairs) / known.sum())
        assert found.reliability is found.certainty is None
        return
    assert found.reliability is not None
    assert found.reliability.error == pytest.approx(float(told), abs=1e-6)
    assert found.certainty is not None
    assert ((found.certainty > 0) & (found.certainty <= 1)).all()


def test_calibration_is_that_of_torchmetrics_also_for_certain_predictions() -> None:
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(3000, generator=generator)
    confidence[:200], confidence[200:300] = 1.0, 0.0
    right = torch.rand(3000, generator=generator) < confidence**2
    counts = ReliabilityCounts()
    for chunk in range(0, 3000, 700):  # however they are batched
        counts.take(confidence[chunk : chunk + 700], right[chunk : chunk + 700])
    found = counts.found()
    assert found is not None
    told = binary_calibration_error(confidence, right.long(), n_bins=15)
    assert found.error == pytest.approx(float(told), abs=1e-6)
    assert found.counts.sum() == 3000
    surplus = float((confidence - right.float()).mean())
    assert found.surplus == pytest.approx(surplus, abs=1e-6)
    assert ReliabilityCounts().found() is None


@pytest.mark.parametrize(
    ("task", "titles"),
    [
        ("segmentation", ["image", "truth", "prediction", "where wrong"]),
        ("change_detection", ["first date", "last date", "truth", "prediction", "where wrong"]),
        ("regression", ["image", "truth", "prediction", "prediction − truth"]),
        ("downscaling", ["image", "truth", "prediction"]),
    ],
)
def test_chosen_samples_are_drawn_with_truth_and_prediction(
    task: str, titles: list[str], tmp_path: Path
) -> None:
    split, _, _ = trained(task, tmp_path)
    assert show(split, []) == []
    gaps = split.of(range(12)).targets
    gapped = gaps.isnan().flatten(1).any(dim=1) if gaps.is_floating_point() else torch.ones(12)
    chosen = int(gapped.nonzero()[-1])  # where some of the truth is not known
    first, last = show(split, [0, chosen])
    assert (first.name, last.name) == (split.names[0], split.names[chosen])
    assert [one.title for one in last.pictures] == titles
    assert (first.truth, first.told) == (None, None)
    pixels = [np.asarray(Image.open(io.BytesIO(one.png)).convert("RGB")) for one in last.pictures]
    batch = split.of([chosen])
    if titles[-1] == "where wrong":
        wrong = (batch.predicted.argmax(dim=1) != batch.targets)[0].numpy()
        counted = (batch.targets[0] != split.target.info.ignore_index).numpy()
        red = (pixels[-1] == (213, 94, 0)).all(axis=-1)
        np.testing.assert_array_equal(red, wrong & counted)
        assert first.drawn_between is None
    else:
        unknown = batch.targets[0].isnan().numpy()
        unknown = unknown.any(axis=0) if unknown.ndim > 2 else unknown
        assert unknown.any()
        assert (pixels[titles.index("truth")][unknown] == 127).all()


def test_classes_are_told_in_words(tmp_path: Path) -> None:
    split, _, _ = trained("classification", tmp_path)
    (one,) = show(split, [3])
    batch = split.of([3])
    assert one.truth == split.target.info.classes[int(batch.targets[0])]
    best = batch.predicted[0].max()
    name = split.target.info.classes[int(batch.predicted[0].argmax())]
    assert one.told == f"{name} ({100 * float(best):.0f} %)"
    assert [picture.title for picture in one.pictures] == ["image"]


def test_other_data_than_the_model_was_trained_on_are_refused(tmp_path: Path) -> None:
    asked = recipe("classification", trainer={"epochs": 1})
    fit.fit(prepare(asked), tmp_path)
    other = recipe("classification", trainer={"epochs": 1}, seed=1)
    with pytest.raises(RequestError, match="have changed since this model was trained"):
        SplitPredictions(load_model(tmp_path, accelerator="cpu"), prepare(other))


class Told:
    """Stands in for a model on its split: one batch of two images with objects."""

    def __init__(self) -> None:
        info = prepare(detecting()).info
        self.target = target_of(info)

    def __len__(self) -> int:
        return 2

    def batches(self) -> Iterator[Predicted]:
        there = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30], [40, 40, 50, 50]])
        found = torch.tensor([[0.0, 0, 10, 9], [0, 0, 9, 10], [20, 20, 30, 30], [40, 40, 50, 50]])
        targets = [
            {"boxes": there, "labels": torch.tensor([1, 1, 2])},
            {"boxes": there[:0], "labels": torch.tensor([], dtype=torch.int64)},
        ]
        predicted = [
            {
                "boxes": found,
                "labels": torch.tensor([1, 1, 2, 2]),
                "scores": torch.tensor([0.9, 0.8, 0.7, 0.4]),
            },
            {
                "boxes": found[:0],
                "labels": torch.tensor([], dtype=torch.int64),
                "scores": torch.tensor([]),
            },
        ]
        yield Predicted(np.arange(2), torch.zeros(2, 3, 64, 64), targets, predicted)


def test_objects_are_found_once_by_class_and_overlap() -> None:
    """Of three told, one is right, one finds it again, one is of another class: F1 2 / (3 + 3)."""
    found = judge(Told())  # type: ignore[arg-type]
    assert found is not None
    assert found.right is not None
    assert found.certainty is not None
    assert found.right[0] == pytest.approx(2 / 6)
    assert found.certainty[0] == pytest.approx(0.8)
    assert np.isnan([found.right[1], found.certainty[1]]).all()
    assert found.reliability is None


@pytest.mark.parametrize("decoder", ["fcos", "mask_rcnn"])
def test_objects_are_drawn(decoder: str, tmp_path: Path) -> None:
    asked = detecting(decoder)
    fit.fit(prepare(asked), tmp_path)
    split = SplitPredictions(load_model(tmp_path, accelerator="cpu"), prepare(asked))
    assert judge(split) is not None
    first, empty = show(split, [0, 3])
    assert [one.title for one in first.pictures] == ["truth", "prediction"]
    with_object, without = (
        np.asarray(Image.open(io.BytesIO(one.pictures[0].png))) for one in (first, empty)
    )
    assert with_object.shape == without.shape == (128, 128, 3)  # enlarged
    colours = [tuple(bytes.fromhex(each)) for each in ("1f77b4", "ff7f0e", "2ca02c")]
    assert any((with_object == each).all(axis=-1).any() for each in colours)
    assert not any((without == each).all(axis=-1).any() for each in colours)

"""Multilabel and regression: scores against scikit-learn and torchmetrics, targets, training."""

from __future__ import annotations

import json
import math
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchmetrics.functional as regression
import torchmetrics.functional.classification as reference
from engine_support import RGB, give, random_images, recipe
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)
from torch.nn import functional

from iterate_core.data.augmentation.elements import elements
from iterate_core.data.loading.loader import PixelSupply
from iterate_core.engine import fit
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.normalisation import scaling_of
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.engine.setup import Setup
from iterate_core.errors import RequestError
from iterate_core.tasks.declarations import MULTILABEL, REGRESSION
from iterate_core.tasks.multilabel import MultilabelScores
from iterate_core.tasks.regression import RegressionScores


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


# Multilabel scores


def labelled(logits: torch.Tensor, targets: torch.Tensor, batch: int = 5) -> dict[str, float]:
    taken = MultilabelScores(MULTILABEL.metrics, logits.shape[1])
    for start in range(0, len(logits), batch):
        part, wanted = logits[start : start + batch], targets[start : start + batch]
        loss = functional.binary_cross_entropy_with_logits(part, wanted.float(), reduction="sum")
        taken.update(part, wanted, loss, torch.tensor(wanted.numel()))
    return taken.compute()


def test_multilabel_scores_are_scikit_learns_whatever_the_batches() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(57, 6, generator=generator) < 0.3).long()
    targets[4] = 0  # a sample of no class
    logits = torch.randn(57, 6, generator=generator).round(decimals=1) + targets
    true, predicted = targets.numpy(), (logits > 0).numpy()
    expected = {
        "f1_micro": f1_score(true, predicted, average="micro"),
        "f1_macro": f1_score(true, predicted, average="macro"),
        "map_micro": average_precision_score(true, logits.numpy(), average="micro"),
        "map_macro": average_precision_score(true, logits.numpy(), average="macro"),
        "accuracy_label": (true == predicted).mean(),
        "loss": log_loss(true.ravel(), logits.double().sigmoid().numpy().ravel()),
    }
    for batch in (1, 7, 100):
        values = labelled(logits, targets, batch)
        assert values.keys() == expected.keys() == {metric.name for metric in MULTILABEL.metrics}
        for name, value in expected.items():
            assert values[name] == pytest.approx(value, rel=1e-6), name


tables = st.integers(1, 12).flatmap(
    lambda rows: st.lists(
        st.tuples(*[st.tuples(st.sampled_from([-2.0, -0.5, 0.25, 1.5]), st.booleans())] * 3),
        min_size=rows,
        max_size=rows,
    )
)


@settings(deadline=None, max_examples=60)
@given(tables)
@pytest.mark.filterwarnings("ignore")  # torchmetrics tells of classes without positives
def test_multilabel_scores_are_torchmetrics_with_ties_and_absent_classes(table: Any) -> None:
    logits = torch.tensor([[score for score, _ in row] for row in table])
    targets = torch.tensor([[int(label) for _, label in row] for row in table])
    values, chances = labelled(logits, targets), logits.sigmoid()
    for average in ("micro", "macro"):
        f1 = reference.multilabel_f1_score(chances, targets, 3, average=average)
        assert values[f"f1_{average}"] == pytest.approx(float(f1), abs=1e-6)
        precision = reference.multilabel_average_precision(chances, targets, 3, average=average)
        assert values[f"map_{average}"] == pytest.approx(float(precision), abs=1e-6)
    accuracy = reference.multilabel_accuracy(chances, targets, 3)
    assert values["accuracy_label"] == pytest.approx(float(accuracy), abs=1e-6)


def test_a_score_that_is_not_finite_has_no_average_precision() -> None:
    logits = torch.tensor([[math.nan, 1.0], [0.5, -1.0]])
    values = labelled(logits, torch.tensor([[1, 0], [0, 1]]))
    assert math.isnan(values["map_micro"])
    assert math.isnan(values["map_macro"])


# Regression scores


def measured(
    outputs: npt.NDArray[np.float32], targets: npt.NDArray[np.float32], batch: int = 3
) -> dict[str, float]:
    taken = RegressionScores(REGRESSION.metrics)
    for start in range(0, len(outputs), batch):
        part = torch.from_numpy(outputs[start : start + batch])[:, None]
        wanted = torch.from_numpy(targets[start : start + batch])
        taken.update(part, wanted, torch.tensor(1.0), (~wanted.isnan()).sum())
    return taken.compute()


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1.0), (1e6, 3.0), (-4e-7, 1e-6)])
def test_regression_scores_are_scikit_learns_over_the_known_pixels(
    offset: float, scale: float
) -> None:
    rng = np.random.default_rng(0)
    targets = (offset + scale * rng.normal(size=(7, 9, 5))).astype(np.float32)
    outputs = (targets + scale * rng.normal(size=targets.shape)).astype(np.float32)
    targets[rng.random(targets.shape) < 0.4] = np.nan
    targets[2] = np.nan
    known = ~np.isnan(targets)
    true, predicted = targets[known].astype(float), outputs[known].astype(float)
    expected = {
        "rmse": root_mean_squared_error(true, predicted),
        "mae": mean_absolute_error(true, predicted),
        "r2": r2_score(true, predicted),
    }
    for batch in (1, 3, 100):
        values = measured(outputs, targets, batch)
        assert {metric.name for metric in REGRESSION.metrics} == values.keys()
        for name, value in expected.items():
            assert values[name] == pytest.approx(value, rel=1e-9), name
    if not offset:
        pair = torch.from_numpy(predicted), torch.from_numpy(true)
        assert values["r2"] == pytest.approx(float(regression.r2_score(*pair)), abs=1e-6)


@pytest.mark.parametrize(("error", "r2"), [(0.0, 1.0), (0.5, 0.0)])
def test_r2_of_equal_targets_is_scikit_learns(error: float, r2: float) -> None:
    targets = np.full((4, 2, 2), 0.1, np.float32)
    assert measured(targets + np.float32(error), targets)["r2"] == r2
    assert r2_score(targets.ravel(), targets.ravel() + error) == r2


def test_what_samples_add_is_the_whole_also_of_one_quantity_an_image() -> None:
    rng = np.random.default_rng(2)
    for shape in ((7, 9, 5), (7,)):
        targets = torch.from_numpy(rng.normal(size=shape))
        outputs = torch.from_numpy(rng.normal(size=(7, 1, *shape[1:])))
        targets[2] = torch.nan
        scores = RegressionScores(REGRESSION.metrics)
        scores.take(outputs, targets)
        total = scores.of_samples(outputs, targets).sum(dim=0).numpy()
        assert scores.sums() == pytest.approx(total, rel=1e-12)


def test_nothing_known_is_no_number() -> None:
    nothing = np.full((2, 3, 3), np.nan, np.float32)
    assert all(math.isnan(value) for value in measured(nothing * 0, nothing).values())


# Data


def several_labels(count: int = 12, size: int = 16) -> tuple[Any, Any]:
    """Red or green or both above the ground: two labels that the colours tell."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (count, 2)).astype(np.uint8)
    images = rng.integers(0, 60, (count, 3, size, size), dtype=np.uint8)
    images[:, :2] += (labels * 150)[..., None, None].astype(np.uint8)
    return images, labels


def multilabel(**changes: Any) -> Any:
    data = give(*several_labels(), RGB, classes=2, task="multilabel")
    return recipe("classification", data=data, **changes)


def quantities(count: int = 8, size: int = 32) -> tuple[Any, Any]:
    """A quantity of 4000 to 5000 that grows with red, which is even over squares."""
    images = random_images((count, 3, size // 8, size // 8)).repeat(8, 2).repeat(8, 3)
    targets = (4000 + images[:, 0] * 4.0).astype(np.float32)
    targets[:, :3] = np.nan
    return images, targets


def quantity(targets: Any = None, data: Any = None, **changes: Any) -> Any:
    images, own = quantities()
    section = give(images, own if targets is None else targets, RGB, classes=1, task="regression")
    return recipe("segmentation", data=section | (data or {}), **changes)


def target_moments(chosen: Any) -> tuple[float, float]:
    pack = prepare(chosen).pack
    return pack.target_mean.item(), pack.target_std.item()


def supplied(chosen: Any) -> PixelSupply:
    prepared = prepare(chosen)
    scaling = scaling_of(prepared, shared_backbone(prepared, meta=True))
    group = elements(flip=True, rotate=True, square=True)
    return PixelSupply(prepared.pack, "train", scaling, group, torch.device("cpu"), 0)


def test_labels_are_not_flipped_with_their_images() -> None:
    labels = several_labels()[1]
    order = np.arange(12)
    (batch,) = supplied(multilabel()).batches([order], [order % 8])
    assert batch.targets.dtype == torch.int64
    assert np.array_equal(batch.targets.numpy(), labels)


def test_maps_are_flipped_with_their_images_and_resized_by_the_nearest_pixel() -> None:
    targets = quantities()[1]
    order = np.arange(8)
    own = supplied(quantity(data={"normalisation": "none"}))
    (batch,) = own.batches([order], [order])
    wanted = torch.where(batch.targets.isnan(), torch.nan, 4000 + batch.inputs[:, 0] * 4)
    torch.testing.assert_close(batch.targets, wanted, equal_nan=True, rtol=0, atol=0)
    (plain,) = supplied(quantity(data={"image_size": 64})).batches([order], None)
    np.testing.assert_array_equal(plain.targets.numpy(), targets.repeat(2, 1).repeat(2, 2))


def test_target_statistics_are_of_what_is_known() -> None:
    targets = quantities()[1]
    mean, std = target_moments(quantity())
    assert mean == pytest.approx(np.nanmean(targets.astype(float)), rel=1e-12)
    assert std == pytest.approx(np.nanstd(targets.astype(float)), rel=1e-12)
    assert target_moments(quantity(np.full_like(targets, 7))) == (7.0, 1.0)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.finfo(np.float32).min])
def test_a_target_that_marks_no_data_by_its_size_is_refused(value: float) -> None:
    targets = quantities()[1]
    targets[3, 4, 5] = value
    with pytest.raises(RequestError, match=r"sample train-3: has target values .* must be NaN"):
        preflight(prepare(quantity(targets)))


def test_a_target_of_another_shape_is_refused() -> None:
    with pytest.raises(RequestError, match=r"target of shape \(30, 32\), not \(32, 32\)"):
        preflight(prepare(quantity(quantities()[1][:, 2:])))


# Training


def test_multilabel_learns_and_reports_all(tmp_path: Path) -> None:
    chosen = multilabel(trainer={"epochs": 12}, optimiser={"lr": 0.02})
    preflight(prepare(chosen))
    objective = prepare(chosen).recipe.objective
    assert (objective.key, objective.mode) == ("val/f1_micro", "max")
    result = fit.fit(prepare(chosen), tmp_path)
    assert result.value > 0.95
    scores = fit.test(prepare(chosen), tmp_path)
    assert scores.keys() == {f"test/{metric.name}" for metric in MULTILABEL.metrics}
    with pytest.raises(RequestError, match="no confusion matrix"):
        fit.confusion(prepare(chosen), tmp_path)


def test_regression_learns_in_the_targets_own_unit(tmp_path: Path) -> None:
    chosen = quantity(trainer={"epochs": 15}, optimiser={"lr": 0.005})
    preflight(prepare(chosen))
    objective = prepare(chosen).recipe.objective
    assert (objective.key, objective.mode) == ("val/rmse", "min")
    mean, std = target_moments(chosen)
    result = fit.fit(prepare(chosen), tmp_path)
    assert result.value == min(report.value for report in result.reports)
    assert result.value < 0.8 * std
    scores = fit.test(prepare(chosen), tmp_path)
    assert scores.keys() == {f"test/{metric.name}" for metric in REGRESSION.metrics}
    assert scores["test/loss"] == pytest.approx((scores["test/rmse"] / std) ** 2, rel=1e-4)
    assert scores["test/r2"] == pytest.approx(1 - scores["test/loss"], abs=1e-4)
    with safe_open(tmp_path / "best.safetensors", framework="pt") as file:
        assert file.get_tensor("quantity.mean").item() == pytest.approx(mean)
        assert file.get_tensor("quantity.std").item() == pytest.approx(std)


def test_the_targets_unit_changes_nothing_but_the_scores(tmp_path: Path) -> None:
    """Metres or kilometres: the same training, another number."""
    frozen: dict[str, Any] = {"tuning": {"name": "frozen"}, "trainer": {"epochs": 8}}
    targets = quantities()[1]
    one = fit.fit(prepare(quantity(targets, **frozen)), tmp_path / "one")
    other = fit.fit(prepare(quantity(targets / 1024, **frozen)), tmp_path / "other")
    for first, second in zip(one.reports, other.reports, strict=True):
        for name in ("val/loss", "val/r2"):
            assert first.metrics[name] == pytest.approx(second.metrics[name], rel=1e-3)
        assert first.value == pytest.approx(1024 * second.value, rel=1e-3)


def test_unknown_pixels_take_no_gradient_and_are_not_counted() -> None:
    task = Setup(prepare(quantity())).module
    _, std = target_moments(quantity())
    targets = torch.from_numpy(quantities()[1][:2])
    outputs = torch.full((2, 1, 32, 32), 4500.0, requires_grad=True)
    total, counted = task.losses(outputs, targets)
    total.backward()
    assert int(counted) == 2 * 29 * 32
    expected = 2 * (4500 - targets).nan_to_num(0.0) / std**2
    assert outputs.grad is not None
    torch.testing.assert_close(outputs.grad[:, 0], expected)
    assert total.item() == pytest.approx(((4500 - targets) / std).square().nansum().item(), 1e-5)


def test_a_split_without_a_known_pixel_fails(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="the training split holds no known pixel"):
        list(fit.epochs(prepare(quantity(np.full((8, 32, 32), np.nan, np.float32))), tmp_path))


def test_two_quantities_are_refused() -> None:
    images, targets = quantities()
    data = give(images, targets, RGB, classes=2, task="regression")
    with pytest.raises(RequestError, match="a regression has one"):
        Setup(prepare(recipe("segmentation", data=data)))


def test_a_decoder_that_does_not_serve_the_task_is_refused() -> None:
    with pytest.raises(RequestError, match="'attentive_pool' does not serve regression"):
        prepare(quantity(model={"decoder": {"name": "attentive_pool"}}))
    with pytest.raises(RequestError, match="'unet' does not serve multilabel"):
        prepare(multilabel(model={"decoder": {"name": "unet"}}))


@pytest.mark.parametrize("make", [multilabel, quantity])
def test_a_continued_run_is_bit_identical(make: Any, tmp_path: Path) -> None:
    chosen = make()
    whole = [report.metrics for report in fit.epochs(prepare(chosen), tmp_path / "whole")]
    first = [report.metrics for report in islice(fit.epochs(prepare(chosen), tmp_path / "cut"), 1)]
    rest = [report.metrics for report in fit.epochs(prepare(chosen), tmp_path / "cut")]
    assert first + rest == whole
    cut, uncut = (fit.test(prepare(chosen), tmp_path / name) for name in ("cut", "whole"))
    assert cut == uncut


def test_reports_are_json(tmp_path: Path) -> None:
    for name, chosen in (("labels", multilabel()), ("quantity", quantity())):
        for report in fit.epochs(prepare(chosen), tmp_path / name):
            json.dumps(report.metrics, allow_nan=False)

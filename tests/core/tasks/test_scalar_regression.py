"""Numbers of a whole image: scores against scikit-learn, missing values, training."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from engine_support import RGB, give, random_images, recipe
from prediction_support import predicted
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from iterate_core.data.loading.loader import PixelSupply
from iterate_core.engine import fit
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.normalisation import scaling_of
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.engine.setup import Setup
from iterate_core.errors import RequestError
from iterate_core.tasks.declarations import SCALAR_REGRESSION
from iterate_core.tasks.regression import RegressionScores

Array = npt.NDArray[Any]
SCORES = {"rmse": root_mean_squared_error, "mae": mean_absolute_error, "r2": r2_score}


def expected(true: Array, outputs: Array) -> dict[str, float]:
    """Scikit-learn's uniform average over the quantities, each over what is known of it."""
    columns = []
    for wanted, told in zip(true.T, outputs.T, strict=True):
        known = ~np.isnan(wanted)
        if known.any():
            columns.append((wanted[known].astype(float), told[known].astype(float)))
    return {name: float(np.mean([score(*c) for c in columns])) for name, score in SCORES.items()}


def measured(outputs: Array, targets: Array, batch: int) -> dict[str, float]:
    taken = RegressionScores(SCALAR_REGRESSION.metrics, outputs.shape[1])
    for start in range(0, len(outputs), batch):
        part, wanted = (torch.from_numpy(v[start : start + batch]) for v in (outputs, targets))
        taken.update(part, wanted, torch.tensor(1.0), (~wanted.isnan()).sum())
    return taken.compute()


@pytest.mark.parametrize("quantities", [1, 3])
@pytest.mark.parametrize("batch", [1, 4, 100])
def test_scores_are_scikit_learns_over_what_is_known(quantities: int, batch: int) -> None:
    rng = np.random.default_rng(quantities)
    scale = np.array([1.0, 1e3, 1e-3])[:quantities]
    targets = (scale * (5 + rng.normal(size=(23, quantities)))).astype(np.float32)
    outputs = (targets + 0.3 * scale * rng.normal(size=targets.shape)).astype(np.float32)
    targets[rng.random(targets.shape) < 0.3] = np.nan
    values = measured(outputs, targets, batch)
    for name, value in expected(targets, outputs).items():
        assert values[name] == pytest.approx(value, rel=1e-9), name


def test_scores_of_complete_targets_are_scikit_learns_own_average() -> None:
    rng = np.random.default_rng(0)
    targets, outputs = rng.normal(size=(2, 19, 4)).astype(np.float32)
    values = measured(outputs, targets, 5)
    for name, score in SCORES.items():
        average = score(targets, outputs, multioutput="uniform_average")
        assert values[name] == pytest.approx(average, rel=1e-6), name


def test_a_quantity_that_nobody_knows_is_left_out_and_no_number_alone() -> None:
    targets = np.array([[1.0, np.nan], [3.0, np.nan]], np.float32)
    outputs = np.array([[2.0, 9.0], [2.0, 9.0]], np.float32)
    assert measured(outputs, targets, 2)["rmse"] == 1
    assert math.isnan(measured(outputs[:, 1:], targets[:, 1:], 1)["rmse"])


def brightness(count: int = 24) -> tuple[Array, Array]:
    """Brightness of red, and 1000 less that of green; some unknown."""
    images = random_images((count, 3, 2, 2), 5).repeat(8, 2).repeat(8, 3)
    means = images.mean(axis=(2, 3))
    targets = np.stack((means[:, 0], 1000 - means[:, 1]), axis=1)
    targets[1::5, 0] = targets[3::7, 1] = np.nan
    return images, targets


def numbers(targets: Any = None, data: Any = None, **changes: Any) -> Any:
    images, own = brightness()
    targets = own if targets is None else targets
    section = give(images, targets, RGB, targets.shape[1], task="scalar_regression")
    return recipe("classification", data=section | (data or {}), **changes)


def test_each_quantity_is_normalised_by_what_is_known_of_it_in_training() -> None:
    targets = brightness()[1]
    pack = prepare(numbers()).pack
    np.testing.assert_allclose(pack.target_mean, np.nanmean(targets, axis=0), rtol=1e-12)
    np.testing.assert_allclose(pack.target_std, np.nanstd(targets, axis=0), rtol=1e-12)
    task = Setup(prepare(numbers())).module
    assert task.model.quantity is not None
    np.testing.assert_allclose(task.model.quantity.mean, pack.target_mean, rtol=1e-6)


def test_unknown_numbers_take_no_gradient_and_quantities_weigh_alike() -> None:
    task, targets = Setup(prepare(numbers())).module, brightness()[1].astype(np.float32)
    std = prepare(numbers()).pack.target_std
    outputs = torch.full(targets.shape, 500.0, requires_grad=True)
    total, counted = task.losses(outputs, torch.from_numpy(targets))
    total.backward()
    assert int(counted) == np.isfinite(targets).sum()
    assert outputs.grad is not None
    wanted = np.nan_to_num(2 * (500 - targets) / std**2)
    np.testing.assert_allclose(outputs.grad.numpy(), wanted, rtol=1e-5)
    assert total.item() == pytest.approx(np.nansum(((500 - targets) / std) ** 2), rel=1e-5)


def test_it_beats_the_mean_and_its_scores_are_an_independent_computations(tmp_path: Path) -> None:
    """On drawn scenes: less than 0.8 of the error of always telling the training mean."""
    chosen = recipe(
        "scalar_regression",
        data={"samples": [96, 16, 48]},
        model={"decoder": {"name": "linear"}},
        optimiser={"lr": 0.01},
        trainer={"epochs": 12},
    )
    prepared = prepare(chosen)
    preflight(prepared)
    objective = prepared.recipe.objective
    assert (objective.key, objective.mode) == ("val/rmse", "min")
    fit.fit(prepared, tmp_path)
    scores = fit.test(prepared, tmp_path)
    assert scores.keys() == {f"test/{metric.name}" for metric in SCALAR_REGRESSION.metrics}

    true = np.asarray(prepared.pack.targets("test"))
    always = np.broadcast_to(prepared.pack.target_mean, true.shape)
    assert scores["test/rmse"] < 0.8 * expected(true, always)["rmse"]

    for name, value in expected(true, predicted(prepared, tmp_path)).items():
        assert scores[f"test/{name}"] == pytest.approx(value, rel=1e-6), name


@pytest.mark.parametrize("decoder", ["linear", "mlp", "attentive_pool"])
def test_a_continued_run_is_bit_identical(decoder: str, tmp_path: Path) -> None:
    chosen = prepare(numbers(model={"decoder": {"name": decoder}}))
    whole = [report.metrics for report in fit.epochs(chosen, tmp_path / "whole")]
    first = [report.metrics for report in islice(fit.epochs(chosen, tmp_path / "cut"), 1)]
    rest = [report.metrics for report in fit.epochs(chosen, tmp_path / "cut")]
    assert first + rest == whole
    assert fit.test(chosen, tmp_path / "cut") == fit.test(chosen, tmp_path / "whole")


def test_numbers_stay_as_they_are_under_flips_and_another_size() -> None:
    prepared = prepare(numbers(data={"image_size": 24}))
    scaling = scaling_of(prepared, shared_backbone(prepared, meta=True))
    supply = PixelSupply(prepared.pack, "val", scaling, (), torch.device("cpu"), 0)
    (batch,) = supply.batches([np.arange(8)], None)
    np.testing.assert_array_equal(batch.targets, brightness()[1][:8].astype(np.float32))


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.inf, "infinite or mark no data"), (np.finfo(np.float64).min, "infinite or mark no data")],
)
def test_a_number_that_marks_no_data_by_its_size_is_refused(value: float, message: str) -> None:
    targets = brightness()[1]
    targets[3, 1] = value
    with pytest.raises(RequestError, match=rf"sample train-3: .*{message}.* must be NaN"):
        preflight(prepare(numbers(targets)))


def test_a_quantity_that_no_training_sample_knows_is_refused() -> None:
    targets = brightness()[1]
    targets[:, 1] = np.nan
    with pytest.raises(RequestError, match="no training sample has a value of 'class 1'"):
        Setup(prepare(numbers(targets)))


@pytest.mark.parametrize("decoder", ["unet", "knn", "logistic", "attentive_maps"])
def test_a_decoder_of_anything_but_numbers_is_refused(decoder: str) -> None:
    with pytest.raises(RequestError, match=f"'{decoder}' does not serve scalar_regression"):
        prepare(numbers(model={"decoder": {"name": decoder}}))

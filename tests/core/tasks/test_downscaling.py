"""Finer maps: scores against other libraries' values, baselines, grids, training."""

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
from PIL import Image
from prediction_support import predicted
from scipy.ndimage import gaussian_filter
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from iterate.run.sample_intervals import over_samples
from iterate_core.data.augmentation.elements import elements
from iterate_core.data.loading.loader import PixelSupply
from iterate_core.engine import fit
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.features import keeping, supply
from iterate_core.engine.normalisation import scaling_of
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.engine.setup import Setup
from iterate_core.errors import RequestError
from iterate_core.registry import registries
from iterate_core.tasks.downscaling.baseline import departures
from iterate_core.tasks.downscaling.declarations import DOWNSCALING

Array = npt.NDArray[Any]
NAMES = ("red", "green", "blue")


def bicubic(images: Array, factor: int) -> Array:
    """Pillow's interpolation of each band."""
    size = (images.shape[-1] * factor, images.shape[-2] * factor)
    bands = images.reshape(-1, *images.shape[-2:]).astype(np.float32)
    made = [
        np.asarray(Image.fromarray(band).resize(size, Image.Resampling.BICUBIC)) for band in bands
    ]
    return np.stack(made).reshape(*images.shape[:-2], *made[0].shape)


def similarity(one: Array, other: Array) -> Array:
    """Each window's structural similarity of maps from 0 to 1, by scipy's Gaussian filter."""

    def mean(values: Array) -> Array:
        return gaussian_filter(values, 1.5, truncate=3.5)[5:-5, 5:-5]

    a, b = mean(one), mean(other)
    spread = mean(one**2) - a**2 + mean(other**2) - b**2
    common = mean(one * other) - a * b
    return (2 * a * b + 1e-4) * (2 * common + 9e-4) / ((a**2 + b**2 + 1e-4) * (spread + 9e-4))


def expected(true: Array, told: Array, low: Array, reach: Array) -> dict[str, float]:
    """Scores of (n, quantities, height, width) maps, computed apart in float64."""
    columns: dict[str, list[float]] = {name: [] for name in ("rmse", "mae", "psnr", "ssim", "r2")}
    for index in range(true.shape[1]):
        maps, outputs = true[:, index].astype(float), told[:, index].astype(float)
        known = ~np.isnan(maps)
        pair = maps[known], outputs[known]
        rmse = root_mean_squared_error(*pair)
        columns["rmse"].append(rmse)
        columns["mae"].append(mean_absolute_error(*pair))
        columns["psnr"].append(20 * math.log10(reach[index] / rmse))
        columns["r2"].append(r2_score(*pair))
        windows = []
        for wanted, made, there in zip(maps, outputs, known, strict=True):
            scaled = [
                (np.where(there, v, low[index]) - low[index]) / reach[index] for v in (made, wanted)
            ]
            whole = np.lib.stride_tricks.sliding_window_view(there, (11, 11)).all(axis=(2, 3))
            windows.append(similarity(*scaled)[whole])
        columns["ssim"].append(float(np.concatenate(windows).mean()))
    return {name: float(np.mean(values)) for name, values in columns.items()}


def coarse_and_fine(count: int = 8, factor: int = 2) -> tuple[Array, Array]:
    """Squares of one colour, two pixels wide, and the same on a finer grid."""
    squares = random_images((count, 3, 8, 8), 1).repeat(2, 2).repeat(2, 3)
    return squares, squares.repeat(factor, 2).repeat(factor, 3).astype(np.float32)


def pairs(
    targets: Any = None, count: int = 8, factor: int = 2, declared: Any = None, **changes: Any
) -> Prepared:
    images, fine = coarse_and_fine(count, factor)
    targets = fine if targets is None else targets
    declared = {"classes": NAMES, "finer": factor, "task": "downscaling", **(declared or {})}
    section = give(images, targets, RGB, **declared)
    section |= {"normalisation": "none", **changes.pop("data", {})}
    return prepare(recipe("segmentation", data=section, **changes))


def supplied(prepared: Prepared, chosen: Array | None = None) -> Any:
    """The whole training split as one batch, each sample changed by an element of the square's."""
    scaling = scaling_of(prepared, shared_backbone(prepared, meta=True))
    group = elements(flip=True, rotate=True, square=True)
    supply = PixelSupply(prepared.pack, "train", scaling, group, torch.device("cpu"), 0)
    (batch,) = supply.batches([np.arange(8)], None if chosen is None else [chosen])
    return batch


def test_it_beats_bicubic_and_all_scores_are_those_of_other_libraries(tmp_path: Path) -> None:
    """By more than a third of its squared error; a third of the samples are known in part."""
    fine = coarse_and_fine(16)[1]
    fine[::3, :, :7] = np.nan
    prepared = pairs(
        fine,
        count=16,
        data={"image_size": 32, "normalisation": "dataset"},
        optimiser={"lr": 0.01},
        trainer={"epochs": 12},
    )
    preflight(prepared)
    assert (prepared.recipe.objective.key, prepared.recipe.loss.name) == ("val/rmse", "l1")
    fit.fit(prepared, tmp_path)
    scores = fit.test(prepared, tmp_path, keep=tmp_path / "samples.npz")
    assert scores.keys() == {f"test/{metric.name}" for metric in DOWNSCALING.metrics}
    assert scores["test/skill"] > 1 / 3

    told = predicted(prepared, tmp_path)
    interpolated = bicubic(np.asarray(prepared.pack.images("test")), 2)
    low, reach = np.zeros(3), np.full(3, 255.0)  # of 8 bits
    wanted = expected(fine, told, low, reach) | {
        f"baseline_{name}": value
        for name, value in expected(fine, interpolated, low, reach).items()
    }
    ours, theirs = (np.nansum((maps - fine) ** 2.0, (0, 2, 3)) for maps in (told, interpolated))
    wanted["skill"] = float((1 - ours / theirs).mean())
    for name, value in wanted.items():
        assert scores[f"test/{name}"] == pytest.approx(value, rel=1e-6), name
        found = over_samples([tmp_path / "samples.npz"], name)
        assert found is not None
        assert found.value == pytest.approx(value, rel=1e-6), name
        assert found.low is not None
        assert found.high is not None
        assert found.low < value < found.high, name


@pytest.mark.parametrize("tuning", ["full", "frozen"])
def test_a_continued_run_is_bit_identical(tuning: str, tmp_path: Path) -> None:
    chosen = pairs(tuning={"name": tuning})
    whole = [report.metrics for report in fit.epochs(chosen, tmp_path / "whole")]
    first = [report.metrics for report in islice(fit.epochs(chosen, tmp_path / "cut"), 1)]
    rest = [report.metrics for report in fit.epochs(chosen, tmp_path / "cut")]
    assert first + rest == whole
    assert fit.test(chosen, tmp_path / "cut") == fit.test(chosen, tmp_path / "whole")


def test_kept_features_meet_the_same_baselines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    # The last bits of a convolution may depend on how many samples it is given at once.
    monkeypatch.setattr(supply, "CHUNK", 4)
    changes = {
        "tuning": {"name": "frozen"},
        "augmentation": {"rotate": False},
        "trainer": {"epochs": 4},
    }
    kept = fit.fit(pairs(**changes), tmp_path / "kept")
    assert list((tmp_path / "cache/features").rglob("*.npy"))
    monkeypatch.setattr(keeping, "worthwhile", lambda *_: False)
    anew = fit.fit(pairs(**changes), tmp_path / "anew")
    assert [one.metrics for one in kept.reports] == [other.metrics for other in anew.reports]


@pytest.mark.parametrize("size", [None, 24, 64])
def test_targets_and_baselines_turn_with_their_images_and_keep_their_grid(size: int | None) -> None:
    """Of targets that are the interpolation: each sample is turned in another of the eight ways."""
    images = coarse_and_fine()[0]
    prepared = pairs(bicubic(images, 2), data={"image_size": size})
    batch = supplied(prepared, np.arange(8))
    assert batch.targets.values.shape == (8, 3, 32, 32)
    np.testing.assert_allclose(batch.targets.baseline, batch.targets.values, atol=1e-3)
    assert (batch.targets.values[1:] != supplied(prepared).targets.values[1:]).any()
    assert Setup(prepared).module(batch).shape == (8, 3, 32, 32)
    preflight(prepared)


def test_a_quantity_that_is_no_band_departs_from_its_mean(tmp_path: Path) -> None:
    fine = coarse_and_fine()[1] / 10 + 280
    fine[0, 0] = np.nan
    names = ("blue", "warmth", "red")
    fine[:, 2] = coarse_and_fine()[1][:, 0]
    prepared = pairs(fine, declared={"classes": names}, trainer={"epochs": 1})
    baseline = supplied(prepared).targets.baseline
    np.testing.assert_allclose(baseline[:, 1], fine[:, 1].mean(), rtol=1e-6)
    np.testing.assert_allclose(baseline[:, 2], bicubic(coarse_and_fine()[0], 2)[:, 0], atol=1e-3)
    fit.fit(prepared, tmp_path)
    found = departures(prepared.pack)
    np.testing.assert_allclose(found.deviations[1], fine[:, 1].std(), rtol=1e-5)
    # Of 8 bits by their unit, of what has none as the training targets reach.
    lowest, highest = fine[:, 1].min(), fine[:, 1].max()
    np.testing.assert_allclose(found.lows, [0, lowest, 0])
    np.testing.assert_allclose(found.ranges, [255, highest - lowest, 255])


def test_several_dates_are_interpolated_to_their_mean() -> None:
    images, fine = coarse_and_fine()
    dated = np.stack((images, images[::-1]), axis=2)
    data = give(dated, fine, RGB, NAMES, task="downscaling", finer=2)
    prepared = prepare(recipe("segmentation", data=data))
    mean = (images.astype(np.float32) + images[::-1]) / 2
    np.testing.assert_allclose(supplied(prepared).targets.baseline, bicubic(mean, 2), atol=1e-3)
    preflight(prepared)


@pytest.mark.parametrize(("backbone", "factor"), [("test_resnet", 2), ("test_vit", 3)])
def test_every_decoder_of_maps_reaches_the_finer_grid(backbone: str, factor: int) -> None:
    chosen = {"name": backbone, "weights": "none"}
    serving = [entry.name for entry in registries.decoders if "map" in entry.tasks]
    assert {"linear", "unet", "fpn", "upernet", "dpt", "segformer"} <= set(serving)
    serving.remove("identity")  # adds nothing to what a backbone predicts itself
    for name in serving[factor % 2 :: 2]:  # each with one of the two
        model = {"backbone": chosen, "decoder": {"name": name}}
        preflight(pairs(factor=factor, model=model))


def test_an_exact_baseline_and_a_map_without_windows_have_scores_all_the_same(
    tmp_path: Path,
) -> None:
    images = np.full((8, 3, 4, 4), 40, np.uint8)
    data = give(images, np.full((8, 3, 8, 8), 40.0), RGB, NAMES, task="downscaling", finer=2)
    prepared = prepare(recipe("segmentation", data=data, trainer={"epochs": 1}))
    fit.fit(prepared, tmp_path)
    scores = fit.test(prepared, tmp_path)
    told = {name: scores[f"test/baseline_{name}"] for name in ("rmse", "psnr", "r2")}
    assert told == {"rmse": 0, "psnr": 200, "r2": 1}
    assert math.isnan(scores["test/ssim"])
    assert math.isnan(scores["test/skill"])


def test_losses_of_quantities_train_it_and_others_are_refused() -> None:
    fine = coarse_and_fine()[1]
    fine[:, 0, :5] = np.nan
    for name, of in (("l1", np.abs), ("mse", np.square)):
        module = Setup(pairs(fine, loss={"name": name})).module
        batch = supplied(pairs(fine))
        total, counted = module.losses(torch.zeros(fine.shape), batch.targets)
        assert int(counted) == np.isfinite(fine).sum()
        scaled = fine / np.nanstd(fine, axis=(0, 2, 3))[:, None, None]
        assert total.item() == pytest.approx(np.nansum(of(scaled)), rel=1e-5)
    with pytest.raises(RequestError, match="'cross_entropy' does not serve downscaling"):
        pairs(loss={"name": "cross_entropy"})


NEVER = np.full((8, 3, 32, 32), np.nan, np.float32)
NEVER[:, 1:] = 0


@pytest.mark.parametrize(
    ("targets", "declared", "message"),
    [
        (coarse_and_fine()[1][..., ::2, ::2], {"finer": 1}, "on the grid of its images"),
        (coarse_and_fine()[1], {"unit": "kelvin"}, "gives 'red' in kelvin, but its band"),
        (NEVER, {}, "no training sample has a value of 'red'"),
    ],
)
def test_a_dataset_that_cannot_be_downscaled_is_refused(
    targets: Any, declared: Any, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        Setup(pairs(targets, declared=declared))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (coarse_and_fine()[1][:, :2], r"target of shape \(2, 32, 32\), not \(3, 32, 32\)"),
        (coarse_and_fine()[1][..., 1:], r"target of shape \(3, 32, 31\), not \(3, 32, 32\)"),
        (np.full((8, 3, 32, 32), np.inf, np.float32), "infinite or mark no data.* must be NaN"),
    ],
)
def test_what_is_no_finer_map_is_refused(targets: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        preflight(pairs(targets))

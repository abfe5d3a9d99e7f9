"""What each sample adds to a split's scores adds up to those scores."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from engine_support import RGB, give, merged, random_images, recipe

from iterate.bench.runs.sample_intervals import metric_of, over_samples
from iterate_core.engine import fit
from iterate_core.errors import DataError
from iterate_core.recipe import Recipe
from iterate_core.tasks.sample_sums import Outcomes


def scored(asked: Recipe, folder: Path) -> tuple[dict[str, float], Outcomes]:
    fit.fit(asked, folder)
    scores = fit.test(asked, folder, keep=folder / "samples.npz")
    return scores, Outcomes.read(folder / "samples.npz")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("classification", ("accuracy",)),
        ("segmentation", ("miou", "iou_micro", "pixel_accuracy")),
        ("multilabel", ("f1_micro", "f1_macro")),
        ("regression", ("rmse", "mae")),
    ],
)
def test_sums_over_samples_give_the_scores(
    kind: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    decoder = "unet" if kind in ("segmentation", "regression") else "linear"
    asked = recipe(kind, trainer={"epochs": 1}, model={"decoder": {"name": decoder}})
    scores, outcomes = scored(asked, tmp_path)
    assert len(outcomes.sums) == 12
    total = outcomes.sums.sum(axis=0, dtype=np.float64)
    for name in names:
        metric = metric_of(outcomes, name)
        assert metric is not None
        assert float(metric(total)) == pytest.approx(scores[f"test/{name}"], rel=1e-6), name


def test_ignored_pixels_and_an_ignored_class_count_nowhere(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 3, (6, 32, 32))
    section = give(random_images((6, 3, 32, 32)), masks, RGB, 3, ignore_index=2)
    asked = recipe("segmentation", trainer={"epochs": 1})
    asked = Recipe.parse(merged(asked.to_mapping(), {"data": section}))
    scores, outcomes = scored(asked, tmp_path)
    assert outcomes.ignored == 2
    assert outcomes.sums.sum() == np.sum(masks != 2)
    metric = metric_of(outcomes, "miou")
    assert metric is not None
    total = outcomes.sums.sum(axis=0, dtype=np.float64)
    assert float(metric(total)) == pytest.approx(scores["test/miou"])


def test_a_metric_that_is_no_function_of_sums_has_none() -> None:
    assert metric_of(Outcomes("labels", np.ones((2, 6))), "map_micro") is None
    assert metric_of(Outcomes("errors", np.ones((2, 3))), "r2") is None


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "samples.npz"
    with pytest.raises(DataError, match="holds no outcomes"):
        Outcomes.read(path)
    Outcomes("errors", np.ones((3, 3))).write(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match=str(path)):
        Outcomes.read(path)
    np.savez(path, kind="errors", ignored=-1, sums=np.array([{"an": "object"}]))
    with pytest.raises(DataError, match="holds no outcomes"):
        Outcomes.read(path)


def test_errors_give_the_root_of_the_mean_square() -> None:
    outcomes = Outcomes("errors", np.array([[9.0, 3.0, 1.0], [16.0, 4.0, 1.0]]))
    metric = metric_of(outcomes, "rmse")
    assert metric is not None
    assert float(metric(outcomes.sums.sum(axis=0))) == math.sqrt(12.5)


def test_the_interval_over_samples_is_that_of_the_mean_over_repeats(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    right = rng.random((2, 400)) < np.array([[0.7], [0.8]])
    for repeat, hits in enumerate(right):
        # Two classes: the truth is class 0; rows of the matrix are (true, predicted).
        sums = np.zeros((400, 4), dtype=np.int64)
        sums[np.arange(400), np.where(hits, 0, 1)] = 1
        Outcomes("confusion", sums).write(tmp_path / f"{repeat}.npz")
    found = over_samples([tmp_path / "0.npz", tmp_path / "1.npz"], "accuracy")
    assert found is not None
    assert found.value == pytest.approx(right.mean())
    # The mean of n independent samples' mean scores: normal theory is exact to its second digit.
    spread = right.mean(axis=0).std(ddof=1) / math.sqrt(400)
    assert found.error == pytest.approx(spread, rel=0.1)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * spread, rel=0.1)
    assert over_samples([tmp_path / "0.npz", tmp_path / "absent.npz"], "accuracy") is None

"""Two models on the same test samples: what is hard for both cancels in their difference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iterate.run.sample_intervals import difference_over_samples, over_samples
from iterate_core.tasks.sample_sums import SampleSums


def written(file: Path, right: np.ndarray) -> Path:
    """Sums of two classes: each sample is of the first, and found or not."""
    ones = np.ones_like(right)
    first = np.stack((0 * right, 0 * right, ones - right, right), axis=-1)
    second = np.stack((right, ones - right, 0 * right, 0 * right), axis=-1)
    SampleSums("classification", np.concatenate((first, second), axis=-1)).write(file)
    return file


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    hard = rng.random(400) < 0.4
    one = np.where(hard, 0, 1)
    other = one.copy()
    other[np.flatnonzero(one == 1)[:12]] = 0  # wrong where the first is wrong, and 12 times more
    return {
        "one": written(tmp_path / "one.npz", one),
        "other": written(tmp_path / "other.npz", other),
        "short": written(tmp_path / "short.npz", one[:300]),
    }


def test_a_difference_is_better_known_than_either(files: dict[str, Path]) -> None:
    found = difference_over_samples([files["one"]], [files["other"]], "accuracy")
    alone = over_samples([files["one"]], "accuracy")
    assert found is not None
    assert alone is not None
    assert found.value == pytest.approx(12 / 400)
    # The difference of a sample is 1 for 12 of 400 and else 0.
    error = np.sqrt(0.03 * 0.97 / 400)
    assert found.error == pytest.approx(error, rel=0.1)
    assert alone.error == pytest.approx(np.sqrt(0.4 * 0.6 / 400), rel=0.1)
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < 0.03 < found.high < 0.06


def test_it_is_the_mean_over_the_repeats_of_each(files: dict[str, Path]) -> None:
    both = [files["one"], files["other"]]
    found = difference_over_samples(both, [files["other"]], "accuracy")
    assert found is not None
    assert found.value == pytest.approx(6 / 400)


def test_other_samples_are_not_compared(files: dict[str, Path]) -> None:
    assert difference_over_samples([files["one"]], [files["short"]], "accuracy") is None
    assert difference_over_samples([files["one"]], [files["other"]], "loss") is None
    assert difference_over_samples([files["one"]], [], "accuracy") is None
    same = difference_over_samples([files["one"]], [files["one"]], "accuracy")
    assert same is not None
    assert (same.value, same.low) == (0.0, None)

"""Each rule says its piece where results call for it, and is silent where they do not."""

from __future__ import annotations

import math

import pytest

from iterate.hpo.space import Categorical, Float, Int
from iterate.reporting.advice import rules

LOG = Float(1e-4, 1e-1, log=True)


@pytest.mark.parametrize(
    ("dimension", "best", "side"),
    [
        (LOG, 1.1e-4, "smaller"),
        (LOG, 0.09, "larger"),
        (LOG, 3e-3, None),
        (LOG, 0.02, None),  # at a fifth of the range, were it not logarithmic
        (Float(0.0, 0.5), 0.01, None),  # there is nothing below nothing
        (Float(0.0, 0.5), 0.49, "larger"),
        (Int(1, 8), 8, "larger"),
        (Int(1, 8), 4, None),
        (Categorical((8, 16, 32)), 32, "larger"),
        (Categorical((8, 16, 32)), 16, None),
        (Categorical((16, 32)), 32, None),  # one of two is always at an end
        (Categorical(("linear", "mlp", "unet")), "mlp", None),
        (Categorical((True, False)), True, None),
    ],
)
def test_the_edge_of_what_was_searched(dimension: object, best: object, side: str | None) -> None:
    found = rules.at_the_edge("optimiser.lr", dimension, best, 4)  # type: ignore[arg-type]
    assert rules.at_the_edge("optimiser.lr", dimension, best, 3) is None  # type: ignore[arg-type]
    if side is None:
        assert found is None
    else:
        assert found is not None
        assert found.what == f"Widen optimiser.lr towards {side} values"
        assert found.key == "optimiser.lr"


@pytest.mark.parametrize(
    ("curve", "mode", "epochs", "said"),
    [
        ({1: 0.1, 2: 0.2, 3: 0.3}, "max", 3, True),
        ({1: 0.3, 2: 0.2, 3: 0.1}, "min", 3, True),
        ({1: 0.1, 2: 0.3, 3: 0.3}, "max", 3, False),  # equal is no progress
        ({1: 0.1, 2: 0.3, 3: 0.2}, "max", 3, False),
        ({1: 0.1, 2: 0.2, 3: 0.3}, "max", 5, False),  # patience ended it
        ({1: 0.1, 2: 0.2}, "max", 2, False),
        ({1: 0.1, 2: math.nan, 3: 0.3, 4: 0.4}, "max", 4, True),
        ({1: 0.1, 2: 0.2, 3: 0.3}, "max", None, False),
    ],
)
def test_a_trial_that_was_still_improving(
    curve: dict[int, float], mode: str, epochs: int | None, said: bool
) -> None:
    found = rules.still_improving(curve, mode, epochs)
    assert (found is not None) == said
    assert found is None or found.key == "trainer.epochs"


@pytest.mark.parametrize(
    ("train", "val", "mode", "span", "said"),
    [
        (0.95, 0.7, "max", 1.0, True),
        (0.75, 0.7, "max", 1.0, False),
        (0.6, 0.7, "max", 1.0, False),
        (1.0, 2.0, "min", math.inf, True),
        (1.9, 2.0, "min", math.inf, False),
        (None, 0.7, "max", 1.0, False),
        (math.nan, 0.7, "max", 1.0, False),
    ],
)
def test_training_much_better_than_validation(
    train: float | None, val: float, mode: str, span: float, said: bool
) -> None:
    found = rules.overfits(train, val, mode, span, "full")
    assert (found is not None) == said
    if found is not None:
        assert "tuning: frozen" in found.what
        frozen = rules.overfits(train, val, mode, span, "frozen")
        assert frozen is not None
        assert "tuning" not in frozen.what


@pytest.mark.parametrize(
    ("ends", "finished", "said"),
    [
        ([2] * 9, 10, True),
        ([2] * 9 + [6], 12, True),
        ([2] * 5 + [6] * 4, 10, False),
        ([2] * 4, 10, False),
        ([2, 2], 2, False),
        ([], 5, False),
    ],
)
def test_all_pruned_at_the_first_rung(ends: list[int], finished: int, said: bool) -> None:
    found = rules.pruned_early(ends, finished, "search.scheduler.min_epochs")
    assert (found is not None) == said
    assert found is None or "epoch 2" in found.why


@pytest.mark.parametrize(
    ("mean", "low", "high", "n", "span", "what"),
    [
        (0.7, 0.6, 0.8, 3, 1.0, "Take more repeats"),
        (0.7, 0.68, 0.72, 3, 1.0, None),
        (0.7, None, None, 1, 1.0, "Repeat the best point"),
        (0.7, None, None, 3, 1.0, None),
        (10.0, 9.0, 11.0, 3, math.inf, "Take more repeats"),
        (10.0, 9.9, 10.1, 3, math.inf, None),
        (None, None, None, 0, 1.0, None),
    ],
)
def test_a_score_that_is_badly_known(
    mean: float | None,
    low: float | None,
    high: float | None,
    n: int,
    span: float,
    what: str | None,
) -> None:
    found = rules.wide_interval(mean, low, high, n, span)
    assert (None if found is None else found.what) == what


def test_a_parameter_that_hardly_matters() -> None:
    shares, best = {"lr": 0.9, "decay": 0.09, "width": 0.01}, {"lr": 0.1, "decay": 0, "width": 64}
    found = rules.hardly_matters(shares, 12, best)
    assert found is not None
    assert found.what == "Fix width = 64"
    assert rules.hardly_matters(shares, 6, best) is None
    assert rules.hardly_matters({"lr": 0.6, "decay": 0.4}, 12, best) is None
    assert rules.hardly_matters({}, 12, best) is None


def test_a_rare_class_that_is_missed() -> None:
    common = {"name": "land", "support": 900, "recall": 0.95}
    rare = {"name": "water", "support": 20, "recall": 0.2}
    found = rules.misses_rare([common, rare], weighted=False)
    assert found is not None
    assert found.why.startswith("class water is 2.2 % of what is tested, and 20 % of it are found")
    assert rules.misses_rare([common, rare], weighted=True) is None
    assert rules.misses_rare([common, rare | {"recall": 0.8}], weighted=False) is None
    assert rules.misses_rare([common, rare | {"support": 800}], weighted=False) is None
    assert rules.misses_rare([common, rare | {"recall": None}], weighted=False) is None
    assert rules.misses_rare([], weighted=False) is None


@pytest.mark.parametrize(
    ("error", "surplus", "smoothing", "few", "what"),
    [
        (0.2, 0.15, 0.0, False, "Smooth labels (loss=cross_entropy"),
        (0.2, -0.15, 0.0, False, "Train for more epochs"),
        (0.2, -0.15, 0.1, False, "Smooth labels less"),
        (0.2, 0.15, 0.0, True, None),
        (0.02, 0.02, 0.0, False, None),
        (None, None, None, False, None),
    ],
)
def test_poor_calibration(
    error: float | None,
    surplus: float | None,
    smoothing: float | None,
    few: bool,
    what: str | None,
) -> None:
    found = rules.badly_calibrated(error, surplus, smoothing, few=few)
    if what is None:
        assert found is None
    else:
        assert found is not None
        assert found.what.startswith(what)


def test_a_backbone_that_was_never_frozen() -> None:
    assert rules.never_frozen({"full"}, "hub") is not None
    assert rules.never_frozen({"full", "frozen"}, "hub") is None
    assert rules.never_frozen({"lora"}, "hub") is None
    assert rules.never_frozen({"full"}, "none") is None
    assert rules.never_frozen({"full"}, None) is None


def test_trials_that_failed() -> None:
    found = rules.fails_often(2, 10, "memory ran out.")
    assert found is not None
    assert found.why == "2 of 10 trials failed: memory ran out."
    assert rules.fails_often(0, 10, None) is None

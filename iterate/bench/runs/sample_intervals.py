"""Intervals over test samples, from what repeats keep of each sample."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from iterate.statistics import samples
from iterate.statistics.intervals import Estimate
from iterate.statistics.samples import Metric, sample_estimate
from iterate.statistics.scores import Scores
from iterate_core.errors import DataError
from iterate_core.tasks.sample_sums import Outcomes

_ROUNDS = 999

_METRICS: dict[tuple[str, str], Metric] = {
    ("confusion", "accuracy"): samples.pixel_accuracy,
    ("confusion", "pixel_accuracy"): samples.pixel_accuracy,
    ("confusion", "iou_micro"): samples.iou_micro,
    ("labels", "f1_micro"): samples.f1_micro,
    ("labels", "f1_macro"): samples.f1_macro,
    ("errors", "rmse"): samples.rmse,
    ("errors", "mae"): samples.mae,
}


def metric_of(outcomes: Outcomes, name: str) -> Metric | None:
    """The engine's metric as a function of sums over samples; None where it is none."""
    if (outcomes.kind, name) == ("confusion", "miou"):
        return partial(samples.mean_iou, ignored=outcomes.ignored)
    return _METRICS.get((outcomes.kind, name))


def over_samples(files: Sequence[Path], name: str) -> Estimate | None:
    """The mean over repeats of a test metric, with its interval over test samples.

    The repeats are taken as they are, and judged on the same drawn samples.

    Args:
        files: `Outcomes` of each repeat, on the same samples.
        name: The engine's metric.

    Returns:
        None where a file is absent or damaged, or the metric is no function of sums.
    """
    try:
        found = [Outcomes.read(file) for file in files]
    except DataError:
        return None
    metric = metric_of(found[0], name) if found else None
    shapes = {(one.kind, one.sums.shape, one.ignored) for one in found}
    if metric is None or len(shapes) != 1:
        return None
    width = found[0].sums.shape[1]
    sums = np.concatenate([one.sums for one in found], axis=1, dtype=np.float64)

    def mean(drawn: Scores) -> Scores:
        repeats = drawn.reshape(*drawn.shape[:-1], -1, width)
        return np.asarray(metric(repeats).mean(axis=-1))

    return sample_estimate(sums, mean, rounds=_ROUNDS)

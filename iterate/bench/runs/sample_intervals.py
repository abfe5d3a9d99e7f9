"""Intervals over test samples, from what repeats keep of each sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from iterate.statistics.intervals import Estimate
from iterate.statistics.samples import sample_estimate
from iterate.statistics.scores import Scores
from iterate_core.engine.complete import declaration_of
from iterate_core.errors import DataError
from iterate_core.tasks.sample_sums import SampleSums

_ROUNDS = 999


def over_samples(files: Sequence[Path], name: str) -> Estimate | None:
    """The mean over repeats of a test metric, with its interval over test samples.

    The repeats are taken as they are, and judged on the same drawn samples.

    Args:
        files: `SampleSums` of each repeat, on the same samples.
        name: The engine's metric.

    Returns:
        None where a file is absent or damaged, or the metric is no function of sums.
    """
    try:
        repeats = [SampleSums.read(file) for file in files]
    except DataError:
        return None
    if len({(one.task, one.sums.shape) for one in repeats}) != 1:
        return None
    metric = declaration_of(repeats[0].task).metric(name)
    if metric is None or (of_sums := metric.of_sums) is None:
        return None
    terms = repeats[0].sums.shape[1]
    sums = np.concatenate([one.sums for one in repeats], axis=1, dtype=np.float64)

    def mean(drawn: Scores) -> Scores:
        each = of_sums(drawn.reshape(*drawn.shape[:-1], -1, terms))
        return np.asarray(each.mean(axis=-1))

    return sample_estimate(sums, mean, rounds=_ROUNDS)

"""Intervals over test samples, from what repeats keep of each sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from iterate.statistics.intervals import Estimate
from iterate.statistics.samples import Statistic, sample_estimate
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
    found = _terms(files, name)
    if found is None:
        return None
    sums, mean = found
    return sample_estimate(sums, mean, rounds=_ROUNDS)


def difference_over_samples(
    files: Sequence[Path], others: Sequence[Path], name: str
) -> Estimate | None:
    """The difference of two such means, the first less the second, with its interval.

    Both are judged on the same drawn samples, so what is hard for both cancels.

    Args:
        files: See `over_samples`.
        others: Of the repeats that are compared with, on the same samples.
        name: The engine's metric.

    Returns:
        None as in `over_samples`, and where the two were tested on other numbers of samples.
    """
    first, second = _terms(files, name), _terms(others, name)
    if first is None or second is None or len(first[0]) != len(second[0]):
        return None
    width = first[0].shape[1]

    def apart(drawn: Scores) -> Scores:
        return np.asarray(first[1](drawn[..., :width]) - second[1](drawn[..., width:]))

    return sample_estimate(np.concatenate([first[0], second[0]], axis=1), apart, rounds=_ROUNDS)


def _terms(files: Sequence[Path], name: str) -> tuple[Scores, Statistic] | None:
    """The sums of all repeats, sample by sample, and what makes the mean metric of them."""
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

    def mean(drawn: Scores) -> Scores:
        each = of_sums(drawn.reshape(*drawn.shape[:-1], -1, terms))
        return np.asarray(each.mean(axis=-1))

    return np.concatenate([one.sums for one in repeats], axis=1, dtype=np.float64), mean

"""What the GEO-Bench leaderboards compute, number for number.

Source: GEO-Bench-2 leaderboard (arXiv 2511.15658, compile step) and GEO-Bench v1
(arXiv 2306.03831, plotting tools). Their shown error is the standard error of the mean of 100
bootstrap rounds: it shrinks with the number of rounds, whatever the data, and so is no sampling
error. It is here so that published tables can be reproduced; `intervals` has what to believe.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import groupby

import numpy as np
import numpy.typing as npt

from iterate.statistics.scores import CUT, Scores, iqm

ROUNDS = 100
FIRST_SEED = 100


def resampled(cells: Mapping[tuple[str, str], Scores], rounds: int = ROUNDS) -> dict[str, Scores]:
    """The interquartile means of a group's pools under the leaderboard's own resampling.

    In round i, one generator seeded ``100 + i`` goes through all (backbone, dataset) cells in
    sorted order and draws each cell's seeds with replacement (what pandas'
    ``groupby([...]).sample(frac=1, replace=True, random_state=100 + i)`` does); then each
    backbone's scores are pooled over the datasets and averaged by `iqm`.

    Args:
        cells: (backbone, dataset) → normalised scores in the order of the file's rows: all cells
            of the submission that belong to the group, those of backbones which lack a dataset
            included, because they take their part of the random numbers.
        rounds: Bootstrap rounds.

    Returns:
        Backbone → (rounds,) interquartile means.
    """
    keys = sorted(cells)
    drawn: dict[str, list[Scores]] = {}
    picks = _picks(tuple(len(cells[key]) for key in keys), rounds)
    for key, index in zip(keys, picks, strict=True):
        drawn.setdefault(key[0], []).append(cells[key][index])
    return {backbone: iqm(np.concatenate(parts, axis=1)) for backbone, parts in drawn.items()}


@lru_cache(maxsize=32)
def _picks(sizes: tuple[int, ...], rounds: int) -> list[npt.NDArray[np.int64]]:
    """For each cell, the (rounds, size) rows that are drawn of it."""
    drawn = [_draw(sizes, FIRST_SEED + i) for i in range(rounds)]
    return [np.stack([one[position] for one in drawn]) for position in range(len(sizes))]


def _draw(sizes: tuple[int, ...], seed: int) -> list[npt.NDArray[np.int64]]:
    """One round; cells of one size that follow each other are drawn at once."""
    generator = np.random.RandomState(seed)
    return [
        row
        for size, run in groupby(sizes)
        for row in generator.choice(size, size=(len(list(run)), size), replace=True)
    ]


def value(rounds: Scores) -> float:
    """The score a leaderboard shows: the mean of the rounds."""
    return float(np.mean(rounds))


def error(rounds: Scores) -> float:
    """The ± a leaderboard shows: the standard deviation of the rounds divided by √rounds."""
    return bootstrap_sd(rounds) / float(np.sqrt(len(rounds)))


def bootstrap_sd(rounds: Scores) -> float:
    """The standard deviation of the rounds (ddof 1): the sampling error the ± stands for."""
    return float(np.std(rounds, ddof=1))


def sem(values: npt.ArrayLike) -> float | None:
    """The standard error of the mean over seeds (ddof 1); None for a single seed."""
    scores = np.asarray(values, dtype=np.float64)
    if len(scores) < 2:
        return None
    return float(np.std(scores, ddof=1) / np.sqrt(len(scores)))


def trimmed_sem(values: npt.ArrayLike) -> float | None:
    """`sem` of the values that `iqm` keeps: the ± of a normalised score on one dataset."""
    scores = np.sort(np.asarray(values, dtype=np.float64))
    cut = int(CUT * len(scores))
    return sem(scores[cut : len(scores) - cut])


def shown_value(score: float) -> float:
    """In points as displayed: rounded to three digits, then × 100."""
    return round(float(np.round(score, 3)) * 100, 1)


def shown_error(score: float) -> float:
    """An error in points as displayed: rounded to six digits, then × 100."""
    return round(float(np.round(score, 6)) * 100, 4)

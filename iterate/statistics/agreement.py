"""Whether two sets of results rank the same backbones alike: Kendall's τ, and which ranks move.

The chance is that of training seeds, as in `intervals`: in each bootstrap round the seeds of every
backbone on every dataset are drawn with replacement, on both sides, so that scores, ranks and τ
move as other seeds would move them. Datasets, test samples and backbones are taken as they are.
Scores of a dataset that are the same bit for bit are the same trainings, whoever tells them: they
are drawn together.

The interval is that of the rounds' percentiles, widened to contain τ itself. On simulated results
(6 and 10 backbones, 3 and 4 datasets, 5 seeds) it contains the τ of infinitely many seeds in 90 to
100 % of replications. Noise pulls τ towards 0: where the true orders are the same and seeds scatter
as far as backbones lie apart, both it and the interval are too low.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from iterate.statistics.copies import varies
from iterate.statistics.scores import Scores

Pools = Mapping[str, Sequence[Scores]]
"""Backbone → the scores of each dataset, (seeds,) each, in one order of datasets."""

Average = Callable[[Scores], Scores]
"""From (…, scores) to (…): what backbones are ranked by, higher being better."""

ROUNDS = 2000


@dataclass(frozen=True)
class Move:
    """A backbone's two ranks, 1 the best.

    Attributes:
        first: Its rank on the first side, among the backbones that are compared.
        second: On the second.
        low: Lower end of the 95 % interval of ``second - first``; None where seeds say nothing.
        high: Upper end.
    """

    first: int
    second: int
    low: float | None
    high: float | None

    @property
    def beyond_chance(self) -> bool:
        """Whether other seeds would move it the same way."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Agreement:
    """How far two rankings agree.

    Attributes:
        tau: Kendall's τ-b; None with fewer than two backbones, and where all of a side tie.
        p: Two-sided probability of such a τ if the two orders had nothing to do with each other
            (of scipy: exact for few backbones without ties); None as `tau`.
        low: Lower end of the 95 % interval of τ over training seeds; None where seeds say nothing:
            a single one, or none that differ.
        high: Upper end.
        moves: Backbone → its ranks, in the order given.
    """

    tau: float | None
    p: float | None
    low: float | None
    high: float | None
    moves: dict[str, Move]


def agreement(
    first: Pools, second: Pools, average: Average, rounds: int = ROUNDS, seed: int = 0
) -> Agreement:
    """Compare two rankings of the same backbones over the same datasets.

    Args:
        first: One side's scores.
        second: The other's, of the same backbones.
        average: What each backbone's pool of scores comes to.
        rounds: Bootstrap rounds.
        seed: Fixes the draws.

    Raises:
        ValueError: The sides have different backbones.
    """
    names = list(first)
    if set(names) != set(second):
        raise ValueError("both sides must have the same backbones")
    sides = [[side[name] for name in names] for side in (first, second)]
    values = [np.array([float(average(np.concatenate(pool))) for pool in side]) for side in sides]
    ranks = [_ranks(value) for value in values]
    tau, p = _kendall(*values)
    low = high = None
    ends: list[tuple[float | None, float | None]] = [(None, None)] * len(names)
    if names and all(_says_something(pool) for side in sides for pool in side):
        drawn = _drawn(sides, average, rounds, seed)
        places = [_ranks(value) for value in drawn]
        moved = places[1] - places[0]
        ends = [_interval(moved[:, i], ranks[1][i] - ranks[0][i]) for i in range(len(names))]
        if tau is not None:
            low, high = _interval(tau_b(*drawn), tau)
    moves = {
        name: Move(int(ranks[0][i]), int(ranks[1][i]), *ends[i]) for i, name in enumerate(names)
    }
    return Agreement(tau, p, low, high, moves)


def tau_b(first: Scores, second: Scores) -> Scores:
    """Kendall's τ-b along the last axis, for many pairs of orders at once; NaN where all tie."""
    i, j = np.triu_indices(first.shape[-1], 1)
    one, other = (np.sign(side[..., i] - side[..., j]) for side in (first, second))
    with np.errstate(invalid="ignore"):
        untied = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
        return np.asarray((one * other).sum(axis=-1) / untied)


def _kendall(first: Scores, second: Scores) -> tuple[float | None, float | None]:
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None, None
    found = stats.kendalltau(first, second)
    return float(found.statistic), float(found.pvalue)


def _ranks(values: Scores) -> npt.NDArray[np.int64]:
    """1 the best, of equal values each the best rank, along the last axis."""
    better = values[..., None, :] > values[..., :, None]
    return np.asarray(1 + better.sum(axis=-1))


def _says_something(pool: Sequence[Scores]) -> bool:
    """Whether drawing seeds moves a backbone's score at all: as `intervals.pool_estimate` asks."""
    return all(len(scores) > 1 for scores in pool) and any(map(varies, pool))


def _drawn(
    sides: Sequence[Sequence[Sequence[Scores]]], average: Average, rounds: int, seed: int
) -> list[Scores]:
    """(rounds, backbones) of each side, its seeds drawn with replacement."""
    generator = np.random.default_rng(seed)
    known: dict[tuple[int, bytes], Scores] = {}

    def again(dataset: int, scores: Scores) -> Scores:
        ordered = np.sort(scores)
        key = (dataset, ordered.tobytes())
        if key not in known:
            picks = generator.integers(0, len(ordered), (rounds, len(ordered)))
            known[key] = ordered[picks]
        return known[key]

    return [
        np.stack(
            [
                average(np.concatenate([again(*cell) for cell in enumerate(pool)], axis=1))
                for pool in side
            ],
            axis=1,
        )
        for side in sides
    ]


def _interval(drawn: npt.NDArray[np.generic], value: float) -> tuple[float, float]:
    """The middle 95 % of what was drawn, widened to contain the figure itself."""
    low, high = np.nanquantile(drawn.astype(np.float64), [0.025, 0.975])
    return min(float(low), float(value)), max(float(high), float(value))

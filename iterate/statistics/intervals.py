"""95 % intervals over training seeds.

The estimand of a pool is its *population interquartile mean*: the interquartile mean that
infinitely many seeds on each of the group's datasets would give, every dataset weighing the same.
Datasets are fixed; seeds are the only chance. Its estimate is `iqm` of the pool.

Method: the influence function of a trimmed mean is that of the Winsorised scores over the kept
share (Huber and Ronchetti, Robust Statistics, 2009, 3.3), so the variance of the pool is the sum
over strata of the Winsorised variances; degrees of freedom are Satterthwaite's (1946). Each
stratum counts with the scores of it that are kept (at least the pool's share), such that a single
stratum gives the interval of Tukey and McLaughlin (1963) and one kept whole gives Student's.

On simulated benchmarks of 4 to 12 datasets with unequal, normal or skewed spreads, these contain
the truth in 93 to 97 % of replications from 10 seeds on. With 5 seeds they contain it in 94 to
98 %: somewhat too wide where the seeds of several datasets mix at the quartiles, as few seeds say
little of a spread.
A percentile bootstrap covers 86 to 91 % at 5 seeds and 89 to 93 % at 10, since drawing n seeds
again loses a factor (n − 1)/n of the variance and knows nothing of t quantiles.

An interval ends where the metric does: no truth lies beyond, so what is cut off costs no coverage.
Seeds that tie say nothing of their spread. A dataset whose seeds all tie takes the mean variance
of the others; where all do, there is no interval, for one of width zero would claim certainty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from iterate.statistics.scores import CUT, Scores, iqm
from iterate.statistics.ties import tied

Range = tuple[float, float]
"""The least and the greatest value that a figure can have."""

UNBOUNDED: Range = (-np.inf, np.inf)

# Of two seeds of two datasets the interquartile mean cuts most of the spread away: what is left
# made intervals that contained the truth in 83 % of simulated replications.
_FEWEST = 5


@dataclass(frozen=True)
class Estimate:
    """A figure and how far to trust it.

    Attributes:
        value: The estimate.
        error: Its standard error; None where too few scores say nothing of it.
        freedom: Degrees of freedom of that error; None as above.
        low: Lower end of the interval; None as above.
        high: Upper end.
    """

    value: float
    error: float | None = None
    freedom: float | None = None
    low: float | None = None
    high: float | None = None


def mean_estimate(
    values: npt.ArrayLike, within: Range = UNBOUNDED, level: float = 0.95
) -> Estimate:
    """The mean over seeds with Student's interval.

    Args:
        values: One a seed.
        within: What the metric can be.
        level: The share of intervals that contain the mean of infinitely many seeds.
    """
    scores = np.asarray(values, dtype=np.float64)
    centre = float(scores.mean())
    if len(scores) < 2 or tied(scores):
        return Estimate(centre)
    error = float(scores.std(ddof=1) / np.sqrt(len(scores)))
    return with_error(centre, error, len(scores) - 1.0, within, level)


def pool_estimate(
    strata: Sequence[Scores], ranges: Sequence[Range] | None = None, level: float = 0.95
) -> Estimate:
    """The interquartile mean of a pool with its interval.

    Args:
        strata: The scores of each dataset, (seeds,) each.
        ranges: What each dataset's scores can be; None for no limits.
        level: The share of intervals that contain the population value.
    """
    pool = np.concatenate(strata)
    centre = float(iqm(pool))
    few = len(strata) > 1 and len(pool) < _FEWEST
    if few or any(len(stratum) < 2 for stratum in strata) or all(map(tied, strata)):
        return Estimate(centre)
    parts, freedoms = _variances(strata, pool)
    total = float(parts.sum())
    if total == 0.0:
        return Estimate(centre)
    freedom = _satterthwaite(parts, freedoms)
    return with_error(centre, float(np.sqrt(total)), freedom, pool_range(strata, ranges), level)


def difference_estimate(
    first: Sequence[Scores], second: Sequence[Scores], shared: Sequence[bool]
) -> Estimate:
    """The difference of two pools' interquartile means, some of whose strata are the same scores.

    Those move both means together and cancel, as far as both pools keep the same of them.

    Args:
        first: The scores of each dataset, (seeds,) each, in a pool that has an error.
        second: Of the other pool, the datasets in the same order.
        shared: Of each dataset, whether both pools have the same scores.
    """
    pools = [np.concatenate(strata) for strata in (first, second)]
    centre = float(iqm(pools[0]) - iqm(pools[1]))
    own = ~np.array(shared)
    found = [_variances(*pair) for pair in zip((first, second), pools, strict=True)]
    parts = [part[own] for part, _ in found]
    freedoms = [freedom[own] for _, freedom in found]
    for stratum in (stratum for stratum, both in zip(first, shared, strict=True) if both):
        pulls = [_pull(stratum, pool) for pool in pools]
        parts.append(np.array([np.var(pulls[0] - pulls[1], ddof=1) * len(stratum)]))
        freedoms.append(np.array([len(stratum) - 1.0]))
    total = float(np.concatenate(parts).sum())
    if total == 0.0:
        return Estimate(centre)
    freedom = _satterthwaite(np.concatenate(parts), np.concatenate(freedoms))
    return with_error(centre, float(np.sqrt(total)), freedom)


def _pull(stratum: Scores, pool: Scores) -> Scores:
    """By how much each score of a stratum moves the interquartile mean of its pool."""
    low, high, share = _kept(pool)
    return np.asarray(np.clip(stratum, low, high) / (share * len(pool)))


def _kept(pool: Scores) -> tuple[float, float, float]:
    """The least and the greatest score that `iqm` keeps, and the share of those it keeps."""
    count = len(pool)
    cut = int(CUT * count)
    ordered = np.sort(pool)
    return float(ordered[cut]), float(ordered[count - cut - 1]), (count - 2 * cut) / count


def pool_range(strata: Sequence[Scores], ranges: Sequence[Range] | None) -> Range:
    """What the interquartile mean of a pool can be: that of the pool's least or greatest values."""
    if ranges is None:
        return UNBOUNDED
    sizes = [len(stratum) for stratum in strata]
    lowest, highest = np.repeat(np.array(ranges, dtype=np.float64), sizes, axis=0).T
    return float(iqm(lowest)), float(iqm(highest))


def _satterthwaite(parts: Scores, freedoms: Scores) -> float:
    """Degrees of freedom of a sum of variances (Satterthwaite 1946)."""
    shares = parts / parts.sum()
    return 1.0 / float((shares**2 / freedoms).sum())


def _variances(strata: Sequence[Scores], pool: Scores) -> tuple[Scores, Scores]:
    """Of each stratum: its part in the variance of the pool, and its degrees of freedom."""
    count = len(pool)
    low, high, share = _kept(pool)
    sizes = np.array([len(stratum) for stratum in strata], dtype=np.float64)
    spreads = np.array([np.clip(stratum, low, high).var(ddof=1) for stratum in strata])
    inside = np.array([np.sum((stratum >= low) & (stratum <= high)) for stratum in strata])
    equal = np.array([tied(stratum) for stratum in strata])
    others = [float(stratum.var(ddof=1)) for stratum in strata if not tied(stratum)]
    spreads[equal & (inside > 0)] = np.mean(others)
    kept = np.maximum(np.maximum(inside, share * sizes), 2.0)
    small = (sizes - 1) / sizes * kept / (kept - 1)  # 1 for a stratum that is kept whole
    parts = (sizes / count) ** 2 * spreads / share**2 / sizes * small
    return parts, kept - 1.0


def with_error(
    centre: float,
    error: float,
    freedom: float,
    within: Range = UNBOUNDED,
    level: float = 0.95,
) -> Estimate:
    """An estimate with Student's interval, as far as it lies within a range.

    No error at all is none that is known, and then there is no interval.
    """
    half = float(special.stdtrit(freedom, 0.5 + level / 2)) * error
    low, high = max(within[0], centre - half), min(within[1], centre + half)
    if not low < high:
        return Estimate(centre)
    return Estimate(centre, error, freedom, low, high)


def bootstrap_pools(strata: Sequence[Scores], rounds: int, seed: int) -> list[Scores]:
    """Every stratum's seeds drawn with replacement: (rounds, seeds) for each stratum."""
    generator = np.random.default_rng(seed)
    return [
        stratum[generator.integers(0, len(stratum), (rounds, len(stratum)))] for stratum in strata
    ]


def bootstrap_estimate(
    strata: Sequence[Scores], rounds: int = 999, seed: int = 0, level: float = 0.95
) -> Estimate:
    """As `pool_estimate`, with the quantiles of a studentised bootstrap instead of Student's.

    It follows skewed scores where the symmetric interval does not, and needs more seeds for it:
    use it from 10 seeds on (Efron and Tibshirani 1993, 12.5).
    """
    plain = pool_estimate(strata, level=level)
    if plain.error is None:
        return plain
    drawn = bootstrap_pools(strata, rounds, seed)
    deviations = np.empty(rounds)
    for i in range(rounds):
        again = pool_estimate([stratum[i] for stratum in drawn], level=level)
        spread = again.error if again.error else np.nan
        deviations[i] = (again.value - plain.value) / spread
    tail = (1 - level) / 2
    low, high = np.nanquantile(deviations, [tail, 1 - tail])
    ends = (plain.value - float(high) * plain.error, plain.value - float(low) * plain.error)
    return Estimate(plain.value, plain.error, plain.freedom, *ends)

"""Intervals over test samples: would other images of the same kind give the same score?

A test metric is, as a rule, a function of sums over samples: correct and counted ones for accuracy.
Drawing samples with replacement draws those sums, so a bootstrap needs one matrix product and no
second evaluation of the model. Method: the bias-corrected and accelerated bootstrap (Efron 1987).

These intervals say nothing of training seeds, and those over seeds nothing of samples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

from iterate.statistics.intervals import Estimate
from iterate.statistics.scores import Scores
from iterate.statistics.ties import tied

Statistic = Callable[[Scores], Scores]

# Weights of samples held at once: 32 MiB of float64.
_HELD = 4_000_000


def sample_estimate(
    sums: npt.ArrayLike, metric: Statistic, rounds: int = 1999, seed: int = 0, level: float = 0.95
) -> Estimate:
    """A test metric with its interval over test samples.

    Args:
        sums: (samples, terms), what each sample adds to the metric's sums.
        metric: From (..., terms) sums to (...) scores; one that is not finite is not counted.
        rounds: Bootstrap rounds.
        seed: Fixes the draws.
        level: The share of intervals that contain the score of the population of samples.

    Returns:
        Without an interval where draws tell nothing: a single sample, or all samples alike (as
        where every one is right), which would give one of width zero.
    """
    terms = np.asarray(sums, dtype=np.float64)
    total = terms.sum(axis=0)
    centre = float(metric(total))
    if len(terms) < 2:
        return Estimate(centre)
    with np.errstate(invalid="ignore"):  # a draw without a counted pixel is 0 / 0
        drawn = _bootstrap(terms, metric, rounds, seed)
        left_out = np.asarray(metric(total - terms))
    drawn, left_out = drawn[np.isfinite(drawn)], left_out[np.isfinite(left_out)]
    if len(drawn) < rounds / 2 or tied(drawn):
        return Estimate(centre)
    low, high = np.quantile(drawn, _levels(centre, drawn, left_out, level))
    # Corrected for bias, the ends may pass the score where many draws equal it.
    ends = (min(float(low), centre), max(float(high), centre))
    return Estimate(centre, float(drawn.std(ddof=1)), None, *ends)


def _bootstrap(terms: Scores, metric: Statistic, rounds: int, seed: int) -> Scores:
    generator = np.random.default_rng(seed)
    count = len(terms)
    block = max(1, _HELD // count)
    scores = []
    for start in range(0, rounds, block):
        weights = generator.multinomial(
            count, np.full(count, 1 / count), size=min(block, rounds - start)
        )
        scores.append(np.asarray(metric(weights.astype(np.float64) @ terms)))
    return np.concatenate(scores)


def _levels(centre: float, drawn: Scores, left_out: Scores, level: float) -> Scores:
    """The quantiles of the draws that the interval ends at."""
    below = float(np.mean(drawn < centre) + 0.5 * np.mean(drawn == centre))
    bias = special.ndtri(np.clip(below, 1 / (len(drawn) + 1), 1 - 1 / (len(drawn) + 1)))
    pull = left_out.mean() - left_out
    square = float((pull**2).sum())
    skew = float((pull**3).sum()) / (6 * square**1.5) if square > 0 else 0.0
    tail = special.ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    moved = bias + (bias + tail) / (1 - skew * (bias + tail))
    return np.asarray(special.ndtr(moved))

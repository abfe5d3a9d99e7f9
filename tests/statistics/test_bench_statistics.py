"""The statistics of benchmarks against closed forms, scipy, and simulated truth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from iterate.statistics import published
from iterate.statistics.comparisons import alike, compare, holm, ranks
from iterate.statistics.copies import entwined
from iterate.statistics.friedman import critical_difference
from iterate.statistics.intervals import (
    Estimate,
    bootstrap_estimate,
    difference_estimate,
    mean_estimate,
    pool_estimate,
)
from iterate.statistics.samples import sample_estimate
from iterate.statistics.scores import Scale, Scores, iqm, scales
from iterate.statistics.spread import spread


def accuracy(sums: Scores) -> Scores:
    """Of (..., 2) sums: right ones over all."""
    return np.asarray(sums[..., 0] / sums[..., 1])


finite = st.floats(-10, 10, allow_nan=False)
figures = st.floats(-1e100, 1e100) | st.sampled_from([0.0, 0.5, 1.0])


@given(st.lists(finite, min_size=1, max_size=60))
def test_iqm_is_scipys_trimmed_mean(values: list[float]) -> None:
    assert float(iqm(values)) == pytest.approx(float(stats.trim_mean(values, 0.25)), abs=1e-12)


def test_iqm_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="of nothing"):
        iqm([])


def test_scales_are_over_single_scores_and_do_not_clip() -> None:
    found = scales([("a", [0.2, 0.6]), ("b", [1.0]), ("a", [0.4, 0.7])])
    assert found == {"a": Scale(0.2, 0.7)}
    assert found["a"].normalise([0.2, 0.7, 1.2]) == pytest.approx([0.0, 1.0, 2.0])
    falling = scales([("a", [0.2, 0.7])], descending={"a"})["a"]
    assert falling.normalise([0.2, 0.7]) == pytest.approx([1.0, 0.0])
    with pytest.raises(ValueError, match=r"different ends: \(1.0, 1.0\)"):
        Scale(1.0, 1.0)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=2, max_size=6), st.integers(0, 1000))
def test_resampling_is_that_of_pandas(sizes: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    names = [("b" if i % 2 else "a", f"d{i}") for i in range(len(sizes))]
    cells = {name: generator.random(size) for name, size in zip(names, sizes, strict=True)}
    frame = pd.DataFrame(
        [(b, d, score) for (b, d), scores in cells.items() for score in scores],
        columns=["backbone", "dataset", "score"],
    )
    found = published.resampled(cells, rounds=5)
    for i in range(5):
        again = frame.groupby(["backbone", "dataset"]).sample(
            frac=1, replace=True, random_state=100 + i
        )
        for backbone, rows in again.groupby("backbone"):
            expected = stats.trim_mean(rows.score.to_numpy(), 0.25)
            assert found[str(backbone)][i] == pytest.approx(expected, abs=1e-12)


def test_published_errors() -> None:
    rounds = np.array([0.1, 0.2, 0.3, 0.4])
    sd = pd.Series(rounds).std()
    assert published.bootstrap_sd(rounds) == pytest.approx(sd)
    assert published.error(rounds) == pytest.approx(sd / 2)
    assert published.sem([1.0, 2.0, 4.0]) == pytest.approx(stats.sem([1.0, 2.0, 4.0]))
    assert published.trimmed_sem([9.0, 1.0, 2.0, 4.0, -7.0]) == published.sem([1.0, 2.0, 4.0])
    assert published.sem([1.0]) is None
    assert published.shown_value(0.77751) == 77.8


def test_the_mean_has_students_interval() -> None:
    values = [0.61, 0.64, 0.58, 0.66, 0.6]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = mean_estimate(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert mean_estimate([0.5]) == Estimate(0.5)


def test_one_stratum_has_the_interval_of_tukey_and_mclaughlin() -> None:
    values = np.array([0.1, 0.32, 0.35, 0.4, 0.41, 0.43, 0.5, 0.9])
    clipped = np.clip(values, 0.35, 0.43)
    error = np.sqrt(7 * clipped.var(ddof=1) / (4 * 3))
    half = stats.t.ppf(0.975, 3) * error
    found = pool_estimate([values])
    assert found.value == pytest.approx(np.mean([0.35, 0.4, 0.41, 0.43]))
    assert found.high == pytest.approx(found.value + half)


def test_no_interval_is_none() -> None:
    assert pool_estimate([np.array([0.5]), np.array([0.6, 0.7])]) == Estimate(0.6)
    # The middle half of four scores hides how far the two of a noisy dataset lie apart.
    noisy, steady = np.array([0.25, 0.1667]), np.array([0.2504, 0.2496])
    assert pool_estimate([noisy, steady]).low is None
    assert pool_estimate([noisy]).low is not None


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_seeds_that_tie_have_no_interval_of_width_zero(seeds: int) -> None:
    # Three times 0.7833 has a mean that is another number in its last digit.
    for value in (0.5, 0.7833, 0.1):
        equal = np.full(seeds, value)
        assert mean_estimate(equal) == Estimate(float(equal.mean()))
        assert pool_estimate([equal] * 3).low is None
    ties = {"a": pool_estimate([equal]), "b": pool_estimate([equal / 2])}
    assert compare(ties) == []
    assert {(one.low, one.high) for one in ranks(ties, []).values()} == {(1, 2)}


def test_a_dataset_whose_seeds_tie_takes_the_spread_of_the_others() -> None:
    generator = np.random.default_rng(5)
    spread_out = [generator.normal(0.5, 0.02, 5) for _ in range(3)]
    with_tie = pool_estimate([*spread_out, np.full(5, 0.5)])
    likely = pool_estimate([*spread_out, 0.5 + 0.02 * np.array([-1.2, -0.5, 0.0, 0.5, 1.2])])
    assert with_tie.error == pytest.approx(likely.error, rel=0.25)
    # Far outside the quartiles it is cut away, and its spread with it.
    without = pool_estimate([*spread_out, np.full(5, 9.0)])
    jittered = pool_estimate([*spread_out, 9.0 + 0.02 * generator.normal(size=5)])
    assert without.error == pytest.approx(jittered.error)


def test_intervals_end_where_the_metric_does_and_cover_no_less() -> None:
    wide = mean_estimate([0.35, 0.85])
    assert wide.low < 0
    assert wide.high > 1
    within = mean_estimate([0.35, 0.85], (0.0, 1.0))
    assert (within.value, within.low, within.high) == (wide.value, 0.0, 1.0)
    pair = compare({"a": mean_estimate([0.0, 1.0]), "b": mean_estimate([0.1, 0.8])})[0]
    free = pair.difference
    (pair,) = compare(
        {"a": mean_estimate([0.0, 1.0]), "b": mean_estimate([0.1, 0.8])},
        {"a": (0.0, 1.0), "b": (0.0, 1.0)},
    )
    assert free.high > 1
    assert (pair.difference.low, pair.difference.high) == (-1.0, 1.0)
    # Accuracies near 1: what is cut off never held the truth.
    generator = np.random.default_rng(3)
    hits = [0, 0]
    for _ in range(500):
        scores = generator.beta(40, 1.0, 5)
        for i, limits in enumerate(((-np.inf, np.inf), (0.0, 1.0))):
            found = mean_estimate(scores, limits)
            hits[i] += found.low <= 40 / 41 <= found.high
    assert hits[0] == hits[1]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(figures, min_size=1, max_size=6), min_size=1, max_size=5))
def test_any_scores_have_finite_figures_in_order(cells: list[list[float]]) -> None:
    strata = [np.array(cell) for cell in cells]
    inside = [np.abs(stratum) / (1 + np.abs(stratum)) for stratum in strata]
    for scores, limits in ((strata, None), (inside, [(0.0, 1.0)] * len(cells))):
        found = [pool_estimate(scores, limits)]
        found += [mean_estimate(one, (0.0, 1.0) if limits else (-np.inf, np.inf)) for one in scores]
        for estimate in found:
            assert np.isfinite(estimate.value)
            if estimate.low is None:
                assert estimate == Estimate(estimate.value)
                continue
            assert estimate.low <= estimate.value <= estimate.high
            assert estimate.low < estimate.high
            assert np.isfinite([estimate.error, estimate.freedom]).all()
            assert np.isfinite([estimate.low, estimate.high]).all()
            assert limits is None or 0 <= estimate.low < estimate.high <= 1
        named = {str(i): estimate for i, estimate in enumerate(found)}
        pairs = compare(named)
        assert all(0 <= pair.p <= pair.adjusted <= 1 for pair in pairs)
        for one in ranks(named, pairs).values():
            assert 1 <= one.low <= one.rank <= one.high <= len(named)


def test_samples_that_are_all_alike_tell_nothing() -> None:
    right = np.tile([1.0, 1.0], (24, 1))
    assert sample_estimate(right, accuracy) == Estimate(1.0)
    # One wrong of 24: the interval holds the score, ends at 1, and has a width.
    right[0, 0] = 0
    found = sample_estimate(right, accuracy)
    assert found.low < found.value < found.high <= 1


def test_samples_without_counted_pixels_leave_an_interval() -> None:
    counts = np.zeros((6, 2))
    counts[0], counts[1] = [9, 10], [8, 10]
    found = sample_estimate(counts, accuracy)
    assert 0 <= found.low <= found.value <= found.high <= 1


def population_iqm(cdf: Sequence[stats.rv_continuous]) -> float:
    """The interquartile mean of an equal mixture, from its quantile function."""

    def quantile(p: float) -> float:
        low = min(part.ppf(0.001) for part in cdf)
        high = max(part.ppf(0.999) for part in cdf)
        return float(
            optimize.brentq(lambda x: np.mean([part.cdf(x) for part in cdf]) - p, low, high)
        )

    low, high = quantile(0.25), quantile(0.75)
    grid = np.linspace(low, high, 20001)
    mixture = np.mean([part.cdf(grid) for part in cdf], axis=0)
    # By parts: the mean of x between the quartiles is x F(x) there, less the integral of F.
    inner = high * 0.75 - low * 0.25 - float(integrate.trapezoid(mixture, grid))
    return 2 * inner


def benchmark(kind: str, datasets: int, generator: np.random.Generator) -> list[object]:
    """One backbone's normalised scores on each dataset, as distributions over seeds."""
    centres = generator.uniform(0, 1, datasets)
    widths = generator.uniform(0.2, 1, datasets) * 0.15
    if kind == "normal":
        return [stats.norm(c, w) for c, w in zip(centres, widths, strict=True)]
    # Training fails now and then: a long tail towards low scores.
    return [stats.gumbel_l(c, 0.8 * w) for c, w in zip(centres, widths, strict=True)]


def coverage(kind: str, datasets: int, seeds: int, benchmarks: int = 20, each: int = 50) -> float:
    generator = np.random.default_rng(20 + seeds)
    hits = 0
    for _ in range(benchmarks):
        parts = benchmark(kind, datasets, generator)
        truth = population_iqm(parts)
        drawn = [part.rvs((each, seeds), random_state=generator) for part in parts]
        for i in range(each):
            found = pool_estimate([scores[i] for scores in drawn])
            hits += found.low <= truth <= found.high
    return hits / (benchmarks * each)


@pytest.mark.parametrize("kind", ["normal", "skewed"])
@pytest.mark.parametrize("datasets", [4, 12])
@pytest.mark.parametrize("seeds", [10, 20])
def test_intervals_hold_what_they_promise(kind: str, datasets: int, seeds: int) -> None:
    assert 0.93 <= coverage(kind, datasets, seeds) <= 0.97


@pytest.mark.parametrize("kind", ["normal", "skewed"])
@pytest.mark.parametrize("datasets", [4, 12])
def test_five_seeds_give_intervals_that_are_rather_too_wide(kind: str, datasets: int) -> None:
    assert 0.93 <= coverage(kind, datasets, 5) <= 0.99


def test_students_interval_of_the_mean_covers() -> None:
    drawn = np.random.default_rng(0).normal(0.6, 0.02, (1000, 10))
    found = [mean_estimate(scores) for scores in drawn]
    assert 0.93 <= np.mean([one.low <= 0.6 <= one.high for one in found]) <= 0.97


def test_the_studentised_bootstrap_agrees_with_the_closed_form() -> None:
    generator = np.random.default_rng(3)
    strata = [generator.normal(centre, 0.05, 20) for centre in (0.3, 0.4, 0.5, 0.6)]
    plain, drawn = pool_estimate(strata), bootstrap_estimate(strata, rounds=499)
    assert drawn.value == plain.value
    assert drawn.low == pytest.approx(plain.low, abs=0.5 * plain.error)
    assert drawn.high == pytest.approx(plain.high, abs=0.5 * plain.error)
    assert bootstrap_estimate(strata, rounds=499) == drawn


def test_bca_over_samples_is_scipys() -> None:
    generator = np.random.default_rng(5)
    right = (generator.random(300) < 0.9).astype(float)
    found = sample_estimate(np.stack([right, np.ones(300)], axis=1), accuracy, rounds=4999)
    expected = stats.bootstrap(
        (right,), np.mean, n_resamples=4999, method="BCa", rng=np.random.default_rng(0)
    )
    assert found.value == right.mean()
    interval = expected.confidence_interval
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=0.004)
    assert found.error == pytest.approx(expected.standard_error, rel=0.05)


def test_intervals_over_samples_cover() -> None:
    generator = np.random.default_rng(6)
    hits = 0
    for _ in range(1000):
        right = (generator.random(120) < 0.8).astype(float)
        found = sample_estimate(np.stack([right, np.ones(120)], axis=1), accuracy, rounds=400)
        hits += found.low <= 0.8 <= found.high
    assert 0.93 <= hits / 1000 <= 0.97


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])


def estimate(value: float, error: float = 0.01) -> Estimate:
    return Estimate(value, error, 8.0, value - 0.02, value + 0.02)


def test_comparison_of_two_pools_is_welchs_test() -> None:
    first, second = [0.5, 0.52, 0.49, 0.55, 0.51], [0.45, 0.44, 0.5, 0.41, 0.47]
    (pair,) = compare({"a": mean_estimate(first), "b": mean_estimate(second)})
    expected = stats.ttest_ind(first, second, equal_var=False)
    assert pair.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert (pair.difference.low, pair.difference.high) == pytest.approx(
        (interval.low, interval.high)
    )


def test_scores_that_two_pools_share_cancel_in_their_difference() -> None:
    generator = np.random.default_rng(4)
    noisy = generator.normal(0.5, 0.2, 5)
    calm = [generator.normal(centre, 0.001, 5) for centre in (0.49, 0.51)]
    assert difference_estimate([noisy, calm[0]], [noisy, calm[0]], [True, True]) == Estimate(0.0)
    first, second = [noisy, calm[0]], [noisy, calm[1]]
    apart = difference_estimate(first, second, [False, False])
    (pair,) = compare({"a": pool_estimate(first), "b": pool_estimate(second)})
    assert (pair.difference.low, pair.difference.error) == pytest.approx((apart.low, apart.error))
    assert difference_estimate(first, second, [True, False]).error < 0.5 * apart.error
    pools = {"a": [noisy, noisy + 2, *calm[:1]], "b": [noisy, noisy + 2, *calm[1:]]}
    estimates = {name: pool_estimate(strata) for name, strata in pools.items()}
    (pair,) = compare(estimates, entwined=entwined(pools, estimates))
    assert pair.p < 0.05 < compare(estimates)[0].p


def test_ranks_and_groups_follow_the_significant_pairs() -> None:
    estimates = {"d": estimate(0.3), "a": estimate(0.9), "b": estimate(0.88), "c": estimate(0.87)}
    pairs = compare(estimates)
    found = ranks(estimates, pairs)
    assert [(name, r.rank, r.low, r.high) for name, r in found.items()] == [
        ("d", 4, 4, 4),
        ("a", 1, 1, 3),
        ("b", 2, 1, 3),
        ("c", 3, 1, 3),
    ]
    assert alike(estimates, pairs) == [("a", "b", "c")]
    # One score a stratum: nothing can be told apart, and the ranks say so.
    bare = {"a": Estimate(0.9), "b": Estimate(0.1)}
    assert (ranks(bare, compare(bare))["a"].low, ranks(bare, compare(bare))["a"].high) == (1, 2)


def test_backbones_that_do_not_differ_share_a_group() -> None:
    generator = np.random.default_rng(11)
    errors = generator.choice([0.002, 0.02, 0.08], 30)
    values = generator.normal(0.6, 0.05, 30)
    estimates = {str(i): estimate(*one) for i, one in enumerate(zip(values, errors, strict=True))}
    pairs = compare(estimates)
    groups = alike(estimates, pairs)
    together = {pair for group in groups for pair in combinations(sorted(group), 2)}
    expected = {tuple(sorted((p.first, p.second))) for p in pairs if p.adjusted >= 0.05}
    assert together == expected
    assert 0 < len(expected) < len(pairs)
    assert len(groups) < len(estimates)


def test_rank_intervals_contain_the_truth() -> None:
    generator = np.random.default_rng(8)
    truth = np.array([0.5, 0.52, 0.6, 0.8])
    hits = 0
    for _ in range(200):
        scores = {str(i): mean_estimate(generator.normal(m, 0.03, 10)) for i, m in enumerate(truth)}
        found = ranks(scores, compare(scores))
        hits += all(found[str(i)].low <= 4 - i <= found[str(i)].high for i in range(4))
    assert hits / 200 >= 0.95


def test_critical_difference_of_demsar() -> None:
    """Table 6 of Demšar 2006: four classifiers, 14 datasets, CD 1.25 at 0.05 (q = 2.569)."""
    generator = np.random.default_rng(0)
    scores = {str(k): {str(d): generator.random() for d in range(14)} for k in range(4)}
    found = critical_difference(scores)
    assert found.difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=2e-3)
    assert sum(found.ranks.values()) == pytest.approx(10)
    rows = [list(row.values()) for row in scores.values()]
    assert found.p == pytest.approx(stats.friedmanchisquare(*rows).pvalue)
    assert critical_difference({"a": {"x": 1.0}}) is None


def test_backbones_that_tie_everywhere_do_not_differ() -> None:
    scores = {name: {"x": 0.5, "y": 0.7} for name in "abc"}
    found = critical_difference(scores)
    assert found.p == 1.0
    assert found.ranks == {"a": 2.0, "b": 2.0, "c": 2.0}
    cells = {name: {"x": np.full(2, 0.5), "y": np.full(2, 0.7)} for name in scores}
    assert spread(cells) == {}
    tiny = {name: {"x": np.array([k * 1e-170, k * 1e-170])} for k, name in enumerate("abc")}
    assert spread(tiny)["x"].share == pytest.approx(1)


def test_shares_of_spread_add_to_one() -> None:
    generator = np.random.default_rng(1)
    cells = {
        name: {"wide": generator.normal(i, 0.1, 5), "flat": generator.normal(0.5, 0.1, 5)}
        for i, name in enumerate("abcd")
    }
    found = spread(cells)
    assert sum(part.share for part in found.values()) == pytest.approx(1)
    assert found["wide"].share > 0.9
    assert found["wide"].between == pytest.approx(
        np.std([cells[name]["wide"].mean() for name in "abcd"], ddof=1)
    )
    assert found["flat"].seeds == pytest.approx(
        np.sqrt(np.mean([cells[name]["flat"].var(ddof=1) for name in "abcd"]))
    )

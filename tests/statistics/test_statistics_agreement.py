"""Kendall's τ of two rankings, its interval and the moves, against scipy and plain loops."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from iterate.statistics.agreement import Agreement, Pools, agreement, tau_b
from iterate.statistics.scores import Scores, iqm

NAMES = ("a", "b", "c", "d", "e")


def pools(
    seed: int, datasets: int = 3, seeds: int = 5, noise: float = 0.3
) -> dict[str, list[Scores]]:
    """Backbones a step of 0.2 apart."""
    rng = np.random.default_rng(seed)
    return {
        name: [place / 5 + noise * rng.normal(size=seeds) for _ in range(datasets)]
        for place, name in enumerate(NAMES)
    }


def loops(first: Pools, second: Pools, rounds: int, seed: int) -> tuple[Scores, Scores]:
    """(rounds,) τ and (rounds, backbones) moves, one scipy call at a time, nothing shared."""
    rng = np.random.default_rng(seed)
    drawn = [
        [[rng.integers(0, len(cell), (rounds, len(cell))) for cell in side[name]] for name in side]
        for side in (first, second)
    ]
    taus, moves = [], []
    for r in range(rounds):
        scores, ranks = [], []
        for side, picks in zip((first, second), drawn, strict=True):
            values = []
            for name, own in zip(side, picks, strict=True):
                pool = [np.sort(cell)[pick[r]] for cell, pick in zip(side[name], own, strict=True)]
                values.append(stats.trim_mean(np.concatenate(pool), 0.25))
            scores.append(values)
            ranks.append(stats.rankdata(-np.array(values), method="min"))
        taus.append(stats.kendalltau(*scores).statistic)
        moves.append(ranks[1] - ranks[0])
    return np.array(taus), np.array(moves)


@given(st.integers(0, 300), st.booleans())
def test_tau_and_its_p_are_scipys(seed: int, ties: bool) -> None:
    first, second = (
        {name: [np.round(cell, 1) if ties else cell for cell in own] for name, own in one.items()}
        for one in (pools(seed, 1, 1), pools(seed + 1000, 1, 1))
    )
    found = agreement(first, second, iqm)
    values = [[float(side[name][0][0]) for name in NAMES] for side in (first, second)]
    expected = stats.kendalltau(*values)
    assert found.tau == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)
    assert float(tau_b(*map(np.array, values))) == pytest.approx(expected.statistic, abs=1e-12)


@pytest.mark.parametrize("seed", [0, 7])
def test_the_intervals_are_those_of_a_bootstrap_in_plain_loops(seed: int) -> None:
    first, second = pools(1), pools(2)
    found = agreement(first, second, iqm, rounds=150, seed=seed)
    taus, moves = loops(first, second, 150, seed)
    low, high = np.quantile(taus, [0.025, 0.975])
    assert found.tau is not None
    assert found.low == pytest.approx(min(low, found.tau), abs=1e-12)
    assert found.high == pytest.approx(max(high, found.tau), abs=1e-12)
    for place, name in enumerate(NAMES):
        move = found.moves[name]
        ends = np.quantile(moves[:, place], [0.025, 0.975])
        assert move.low == pytest.approx(min(ends[0], move.second - move.first))
        assert move.high == pytest.approx(max(ends[1], move.second - move.first))


def test_what_other_seeds_would_not_undo_is_beyond_chance() -> None:
    first, second = pools(1, noise=0.02), pools(2, noise=0.02)
    second["a"], second["e"] = second["e"], second["a"]
    found = agreement(first, second, iqm)
    assert {name for name, move in found.moves.items() if move.beyond_chance} == {"a", "e"}
    assert (found.moves["a"].first, found.moves["a"].second) == (5, 1)
    noisy = agreement(pools(1, noise=2.0), pools(2, noise=2.0), iqm)
    assert not any(move.beyond_chance for move in noisy.moves.values())


def test_the_same_trainings_are_drawn_together_on_both_sides() -> None:
    same = pools(1, noise=1.0)
    turned = {name: [cell[::-1] for cell in own] for name, own in same.items()}
    found = agreement(same, turned, iqm)
    assert (found.tau, found.low, found.high) == pytest.approx((1.0, 1.0, 1.0))
    # On other data, the same figures would be a coincidence.
    apart = agreement(same, pools(3, noise=1.0), iqm)
    assert apart.low is not None
    assert apart.low < 1.0


def nothing_known(found: Agreement) -> bool:
    return found.low is found.high is None and all(one.low is None for one in found.moves.values())


def test_too_few_seeds_say_nothing_of_an_interval() -> None:
    assert nothing_known(agreement(pools(1, seeds=1), pools(2), iqm))
    equal = {name: [np.full(5, place / 5)] for place, name in enumerate(NAMES)}
    found = agreement(pools(1, datasets=1), equal, iqm)
    assert found.tau is not None
    assert nothing_known(found)


def test_without_an_order_there_is_no_tau() -> None:
    alone = {"a": pools(1)["a"]}
    assert agreement(alone, alone, iqm).tau is None
    tied = {name: [np.arange(5.0)] for name in NAMES}
    found = agreement(pools(1, datasets=1), tied, iqm)
    assert found.tau is found.p is found.low is None
    assert {move.second for move in found.moves.values()} == {1}


def test_backbones_of_one_side_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="must have the same backbones"):
        agreement(pools(1), {"a": pools(1)["a"]}, iqm)


def many(centres: Scores, noise: float, rng: np.random.Generator) -> float:
    """The score of a backbone with 4,000 seeds on each dataset."""
    return float(iqm((centres[:, None] + noise * rng.normal(size=(len(centres), 4000))).ravel()))


def test_the_interval_contains_the_tau_of_many_seeds() -> None:
    inside = []
    for seed, noise in product(range(60), (0.1, 0.3)):
        rng = np.random.default_rng(seed)
        truth = [rng.normal(size=(6, 3)) for _ in range(2)]
        sides = [
            {
                str(i): [centre + noise * rng.normal(size=5) for centre in row]
                for i, row in enumerate(means)
            }
            for means in truth
        ]
        found = agreement(sides[0], sides[1], iqm, rounds=200)
        pooled = [[many(row, noise, rng) for row in means] for means in truth]
        expected = stats.kendalltau(*pooled).statistic
        assert found.low is not None
        assert found.high is not None
        inside.append(found.low - 1e-9 <= expected <= found.high + 1e-9)
    assert np.mean(inside) >= 0.89

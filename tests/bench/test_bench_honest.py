"""Leaderboards of hard cases: ties, few seeds, ends of a metric's range, huge numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_bench_leaderboard import SUITE, Page, classification, line, written
from typer.testing import CliRunner

from iterate.bench.leaderboard.about import RunRecord, SubmittedFile, about
from iterate.bench.leaderboard.entries import entries_of
from iterate.bench.leaderboard.page.html import page
from iterate.bench.leaderboard.rank import build
from iterate.bench.leaderboard.results_csv import read_results
from iterate.bench.leaderboard.tables import json_board, markdown
from iterate.bench.suites.suite import Suite
from iterate.cli.bench.app import app
from iterate.statistics.scores import Scale
from iterate_core.errors import DataError

Find = Callable[[str], Path]
NAMES = SUITE.groups["Classification"]


def ranked(
    folder: Path, lines: Sequence[str], *words: str, suite: str = "geobench-2"
) -> list[dict[str, Any]]:
    """The rows of the command, which have to be strict JSON."""
    path = written(folder / "r.csv", lines)
    command = ["leaderboard", str(path), "--suite", suite, "--json", *words]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.exception

    def never(text: str) -> float:
        raise AssertionError(f"{text} is no JSON")

    found: list[dict[str, Any]] = json.loads(done.stdout, parse_constant=never)
    return found


def assert_honest(row: dict[str, Any]) -> None:
    """Each score within its interval, which has a width, and a rank within its own."""
    for score, low, high in (("value", "low", "high"), ("mean", "mean_low", "mean_high")):
        if row.get(score) is not None and row[low] is not None:
            assert row[low] <= row[score] <= row[high]
            assert row[low] < row[high]
    if row.get("rank") is not None:
        assert row["rank_low"] <= row["rank"] <= row["rank_high"]


def test_backbones_that_tie_everywhere_are_ranked_alike(tmp_path: Path) -> None:
    lines = [line(name, 0.6, seed, b) for b in "abc" for name in NAMES for seed in (1, 2)]
    rows = ranked(tmp_path, lines, "--out", str(tmp_path / "out"))
    groups = [row for row in rows if row["group"] == "Classification"]
    assert [(row["rank"], row["rank_low"], row["rank_high"]) for row in groups] == [(1, 1, 3)] * 3
    assert all(row["low"] is None for row in rows)
    board = json.loads((tmp_path / "out/leaderboard.json").read_text())
    (found,) = [one for one in board["findings"] if one["group"] == "Classification"]
    assert found["friedman"]["p"] == 1.0
    assert found["alike"] == [["a", "b", "c"]]


def test_score_interval_and_rank_are_of_one_quantity(shared_data: Find) -> None:
    files = read_results([shared_data("leaderboard/full_ft")], SUITE)
    board = build(entries_of(files, SUITE)[0], SUITE)
    for group in SUITE.groups:
        rows = [row for row in board.groups if row.group == group and row.value is not None]
        assert [row.rank for row in rows] == [
            1 + sum((other.value or 0) > (row.value or 0) for other in rows) for row in rows
        ]
        for row in rows:
            assert row.low is not None
            assert row.high is not None
            assert (row.low + row.high) / 2 == pytest.approx(row.value)  # none is cut here
            assert row.published_value != row.value


# Two datasets far below the published scale: the mean of bootstrapped interquartile means leaves
# the interval of the interquartile mean.
FAR_OFF = {
    "m-pv4ger-seg": (0.508, 0.503),
    "m-chesapeake": (0.703, 0.704),
    "m-cashew-plant": (0.748, 0.745),
    "m-SA-crop-type": (0.023, 0.015),
    "m-nz-cattle": (0.701, 0.7),
    "m-NeonTree": (0.689, 0.697),
}


def test_a_score_lies_within_its_interval_and_published_figures_stand_apart(tmp_path: Path) -> None:
    lines = [
        f"{name},Jaccard,{score},{seed},a,100%,full_ft"
        for name, scores in FAR_OFF.items()
        for seed, score in enumerate(scores)
    ]
    rows = ranked(tmp_path, lines, suite="geobench")
    for row in rows:
        assert_honest(row)
    (group,) = [row for row in rows if row["group"] == "Segmentation"]
    assert group["published_value"] < group["low"]
    assert group["shown_value"] == -16.0


def test_no_interval_leaves_the_range_of_its_metric(tmp_path: Path) -> None:
    lines = [line(name, score, k) for name in NAMES for k, score in enumerate((0.35, 0.95))]
    for row in ranked(tmp_path, lines):
        if row["kind"] == "dataset":
            assert (row["mean_low"], row["mean_high"]) == (0.0, 1.0)
            scale = SUITE.datasets[row["group"]].scale
            assert scale is not None
            ends = [100 * float(end) for end in scale.normalise([0.0, 1.0])]
            assert (row["low"], row["high"]) == pytest.approx(ends)


def test_two_equal_seeds_have_no_interval(tmp_path: Path) -> None:
    lines = [line("so2sat", 0.7833, seed) for seed in (1, 2)]
    lines += [line("forestnet", 0.55 + 0.01 * seed, seed) for seed in (1, 2)]
    rows = {row["group"]: row for row in ranked(tmp_path, lines, "--out", str(tmp_path / "out"))}
    so2sat, forestnet = rows["so2sat"], rows["forestnet"]
    assert (so2sat["mean_low"], so2sat["low"], so2sat["bootstrap_sd"]) == (None, None, None)
    assert forestnet["mean_low"] < forestnet["mean"] < forestnet["mean_high"]
    assert "2 equal seeds" in (tmp_path / "out/leaderboard.html").read_text()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"about": null}', '{"about": {"sources": 3}}', "[" * 99_999, '{"about": NaN}'],
)
def test_a_foreign_file_beside_the_results_says_nothing_of_them(tmp_path: Path, text: str) -> None:
    (tmp_path / "leaderboard.json").write_text(text)
    assert len(ranked(tmp_path, classification("a", 0.5))) > 4


def test_what_a_run_says_of_datasets_it_has_no_results_of_is_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", [line("so2sat", 0.6, seed) for seed in (1, 2)])
    (file,) = read_results([path], SUITE)
    unlike = {"so2sat": "3 classes instead of 17", "zzz": "not of this suite", "forestnet": "none"}
    run = RunRecord("geobench-2", "mine", None, 100, (), unlike, ())
    board = about([SubmittedFile("r", file.sha256, published=False, run=run)])
    (tmp_path / "leaderboard.json").write_text(json.dumps({"about": asdict(board)}))
    rows = ranked(tmp_path, [line("so2sat", 0.6, seed) for seed in (1, 2)])
    (so2sat,) = [row for row in rows if row["kind"] == "dataset"]
    assert so2sat["value"] == pytest.approx(60)
    # Of another content, it says nothing.
    rows = ranked(tmp_path, [line("so2sat", 0.6, seed) for seed in (1, 3)])
    (so2sat,) = [row for row in rows if row["kind"] == "dataset"]
    assert so2sat["value"] == pytest.approx(62.1, abs=0.1)


def test_a_suite_says_where_a_metric_of_its_own_ends(tmp_path: Path) -> None:
    assert [SUITE.limits(name) for name in ("pastis_r", "everwatch")] == [(0.0, 1.0)] * 2
    assert SUITE.limits("biomassters") == (-math.inf, 1.0)  # 1 less a share of the RMSE
    suite = own_suite(metrics={"RMSE": {"range": (0, None)}})
    rows = [f"x,RMSE,{score},{k},a,100%,full_ft" for k, score in enumerate((0.1, 9.0))]
    path = written(tmp_path / "r.csv", rows)
    (row,) = build(entries_of(read_results([path], suite), suite)[0], suite).datasets
    assert row.mean_low == 0.0
    assert row.mean_high is not None
    assert row.mean_high > 50
    path = written(tmp_path / "r.csv", [*rows, "x,RMSE,-0.5,3,a,100%,full_ft"])
    with pytest.raises(DataError, match=r"must be at least 0, but is -0\.5"):
        read_results([path], suite)


def own_suite(metrics: dict[str, Any] | None = None) -> Suite:
    """A suite of two datasets, whose scores have no limits unless `metrics` says some."""
    dataset = {"task": "regression", "metric": "RMSE", "meaning": "error"}
    return Suite.model_validate(
        {
            "name": "own",
            "title": "Own",
            "reference": "none",
            "tracks": {"full_ft": "Full"},
            "groups": {"All": ("x", "y")},
            "datasets": {"x": dataset, "y": dataset},
            "metrics": metrics or {},
        }
    )


huge = st.floats(-1e308, 1e308) | st.floats(-1e100, 1e100) | st.sampled_from([0.0, 0.5])
end = st.floats(-1e100, 1e100)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.lists(huge, min_size=1, max_size=4), min_size=4, max_size=4),
    st.tuples(end, end).filter(lambda ends: ends[0] != ends[1]),
)
def test_any_scores_make_a_board_or_a_sentence(
    tmp_path: Path, cells: list[list[float]], ends: tuple[float, float]
) -> None:
    suite = own_suite()
    rows = [
        f"{name},RMSE,{score!r},{seed},{backbone},100%,full_ft"
        for (backbone, name), own in zip(("ax", "ay", "bx", "by"), cells, strict=True)
        for seed, score in enumerate(own)
    ]
    path = written(tmp_path / "any.csv", rows)
    try:
        entries, _ = entries_of(read_results([path], suite), suite)
    except DataError as error:
        assert "is too large to reckon with" in str(error)  # noqa: PT017 - or there is a board
        return
    computed, given_ends = build(entries, suite, "computed"), {"x": Scale(*ends), "y": Scale(*ends)}
    for board in (computed, build(entries, suite, given_ends)):
        text = json.dumps(json_board(board), allow_nan=False)
        for row in json.loads(text)["rows"]:
            assert_honest(row)
        reader = Page()
        reader.feed(page(board))
        assert reader.open == []
        assert " nan" not in markdown(board)


def test_a_score_that_its_metric_cannot_have_is_a_mistake(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", [line(score=89.3), line(score=-0.1), line(score="1e308")])
    with pytest.raises(DataError) as caught:
        read_results([path], SUITE)
    told = [str(problem) for problem in caught.value.problems]
    assert "row 2, column 'test metric': must lie in 0 to 1, but is 89.3." in told[0]
    assert "Write 0.893 for 89.3 %" in told[0]
    assert "must lie in 0 to 1, but is -0.1." in told[1]
    assert "must lie in 0 to 1, but is 1e+308." in told[2]

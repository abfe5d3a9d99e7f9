"""What models cost: told by runs, averaged over a group, and set against their scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from board_support import OURS, known_board, with_cells
from hypothesis import given
from hypothesis import strategies as st

from iterate.bench.leaderboard.about import Made
from iterate.bench.leaderboard.costs import (
    KINDS,
    counted,
    devices,
    duration,
    listed_size,
    operations,
)
from iterate.bench.leaderboard.page.costs import cost_group
from iterate.bench.leaderboard.page.html import page
from iterate.bench.leaderboard.page.labels import Label, Spot, labels
from iterate.bench.leaderboard.page.links import links_of
from iterate.bench.leaderboard.page.names import names_of
from iterate.bench.leaderboard.rows import Leaderboard
from iterate.bench.leaderboard.tables import json_rows, write_board
from iterate.bench.suites.suite import SuiteBackbone
from iterate.pages.axis import log_axis_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("costs")


@pytest.fixture(scope="module")
def board(folder: Path) -> Leaderboard:
    return known_board(folder)


def test_costs_are_means_over_the_datasets_that_a_row_is_of(board: Leaderboard) -> None:
    def change(cell: Made) -> Made:
        return replace(cell, flops=3e9, repeat_seconds=30.0) if cell.dataset == "x" else cell

    changed = with_cells(board, change)
    rows = {
        (row["backbone"], row["track"], row["group"]): row["costs"] for row in json_rows(changed)
    }
    assert rows["small", "full_ft", "x"] == {
        "parameters": 20e6,
        "trained_parameters": 20e6,
        "flops": 3e9,
        "repeat_seconds": 30,
        "listed_size": None,
    }
    assert rows["small", "full_ft", "All of it"]["flops"] == pytest.approx((3e9 + 2 * 2e9) / 3)
    assert rows["small", "full_ft", "All of it"]["repeat_seconds"] == (30 + 2 * 300) / 3
    # A group's cost is not known where a dataset's is not.
    assert rows["partial", "full_ft", "All of it"]["parameters"] is None
    assert rows["partial", "full_ft", "Only x"]["parameters"] == 10e6
    # Copied scores say nothing of models; the suite lists some backbones.
    known = {key: cost for key, cost in rows["old", "full_ft", "All of it"].items() if cost}
    assert known == {"listed_size": 25e6}
    json.dumps(json_rows(changed), allow_nan=False)


def test_each_entry_is_placed_by_score_and_cost_or_named(board: Leaderboard) -> None:
    rows = [row for row in board.groups if (row.track, row.group) == ("full_ft", "All of it")]
    ranked = sorted((row for row in rows if row.value is not None), key=lambda row: row.rank or 0)
    views = cost_group(board, ranked, names_of(board, "full_ft"), "k").views
    assert list(views) == [f"k-{kind.key}" for kind in KINDS]
    view = views["k-parameters"]
    # The best lie above the others.
    assert [point.backbone.label for point in view.points][::-1] == [
        row.backbone for row in ranked if row.backbone in OURS
    ]
    assert {entry.label for entry in view.lacking} == {"old", "unlisted"}
    # small is the cheapest; middle and big are better and dearer; probe is worse than both.
    front = {point.backbone.label for point in view.points if point.front}
    assert front == {"small", "middle", "big <i>"}
    # 20 M to 300 M stand on an axis from 20 M to 500 M.
    assert [tick.text for tick in view.across] == ["20 M", "50 M", "100 M", "200 M", "500 M"]
    at = {point.backbone.label: (point.at, point.aside) for point in view.points}
    assert at["small"] == ("0.00%", 0)
    assert at["big <i>"][0] == at["probe"][0] == "84.13%"  # log(15) / log(25)
    assert at["big <i>"][1] == -at["probe"][1] < 0
    free = views["k-trained_parameters"]
    assert [entry.label for entry in free.free] == ["probe"]
    assert "CPU" in views["k-repeat_seconds"].meaning
    assert [one.label for one in views["k-listed_size"].lacking] == [
        row.backbone for row in ranked if row.backbone not in ("old", "big <i>")
    ]


def test_times_on_different_devices_are_said_not_to_compare(board: Leaderboard) -> None:
    entries = [entry for entry in board.entries if entry.backbone == "small"]
    assert devices(board, entries, ("x", "y")) == "Timed on CPU."

    def change(cell: Made) -> Made:
        return replace(cell, devices=("NVIDIA H100",)) if cell.dataset == "y" else cell

    mixed = with_cells(board, change)
    assert devices(mixed, entries, ("x", "y")) == (
        "Timed on different devices (CPU, NVIDIA H100): these times do not compare."
    )
    assert devices(mixed, entries, ("x",)) == "Timed on CPU."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (counted(25_557_032), "25.6 M"),
        (counted(999_600), "1 M"),
        (counted(1.3e9), "1.3 B"),
        (counted(0), "0"),
        (operations(3.6e9), "3.6 GFLOP"),
        (operations(12), "12 FLOP"),
        (duration(4.25), "4.25 s"),
        (duration(150), "2.5 min"),
        (duration(7200), "2 h"),
        (duration(86400 * 2), "2 d"),
    ],
)
def test_costs_are_told_in_units_of_their_size(text: str, expected: str) -> None:
    assert text == expected


def test_sizes_as_suites_list_them() -> None:
    told = {"300M": 3e8, "1.2B": 1.2e9, " 5k ": 5e3, "7": 7.0, "large": None, "": None, "-1M": None}
    for text, size in told.items():
        assert listed_size(SuiteBackbone(name="a", size=text)) == size
    assert listed_size(SuiteBackbone(name="a")) is None


@given(st.floats(1e-6, 1e15), st.floats(1, 1e6))
def test_a_logarithmic_axis_encloses_what_it_shows(low: float, factor: float) -> None:
    axis = log_axis_of(low, low * factor)
    assert -1e-9 <= axis.share(low) <= axis.share(low * factor) <= 1 + 1e-9
    assert axis.share(axis.ticks[0]) == 0
    assert axis.share(axis.ticks[-1]) == 1
    assert 2 <= len(axis.ticks) <= 9


def test_an_axis_of_times_has_minutes_and_hours() -> None:
    times = next(kind.marks for kind in KINDS if kind.timed)
    axis = log_axis_of(40, 4000, times)
    assert [duration(tick) for tick in axis.ticks] == [
        *("20 s", "1 min", "2 min", "5 min", "10 min", "20 min", "1 h", "2 h"),
    ]
    assert log_axis_of(1e-5, 1e-3, times).ticks[0] == pytest.approx(1e-5)


share = st.floats(0, 1)
spots = st.lists(st.builds(Spot, share, st.just(0.0), share, st.text("ab", min_size=1)), max_size=9)


@given(spots)
def test_names_lie_neither_on_points_nor_on_each_other(drawn: list[Spot]) -> None:
    found = labels(drawn)
    boxes = [_box(spot, label) for spot, label in zip(drawn, found, strict=True) if label]
    points = [(900 * spot.share, 384 * spot.level) for spot in drawn]
    for at, (left, top, right, bottom) in enumerate(boxes):
        assert not any(left < x < right and top < y < bottom for x, y in points)
        for other in boxes[:at]:
            assert not (left < other[2] and other[0] < right and top < other[3] < bottom + 13)


def _box(spot: Spot, label: Label) -> tuple[float, float, float, float]:
    x, y = 900 * spot.share + label.right, 384 * spot.level + label.down
    wide = 6 * len(spot.name)
    left = x - {"start": 0, "middle": wide / 2, "end": wide}[label.anchor]
    return left, y - 6, left + wide, y + 6


def test_a_lonely_point_is_named_to_its_right() -> None:
    assert labels([Spot(0.5, 0, 0.5, "one")]) == [Label(12.5, 0, "start")]
    assert labels([Spot(0.99, 0, 0.5, "one")]) == [Label(-12.5, 0, "end")]


def test_reports_are_linked_where_they_are(board: Leaderboard, folder: Path) -> None:
    mine, out = folder / "mine", folder / "my board"
    reports = [mine / "report.html", mine / "x/big <i>/report.html", folder / "report.html"]
    for report in reports:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text("<!doctype html>")
    found = links_of(board, {"mine": mine, "theirs": folder / "theirs"}, out)
    assert found.runs == {"mine": "../mine/report.html"}
    assert list(found.cells) == [("mine", "big <i>", "x")]
    (link,) = found.cells.values()
    assert (out / unquote(link)).resolve() == reports[1].resolve()
    # A leaderboard of others may say anything.
    astray = with_cells(board, lambda cell: replace(cell, folder=".."))
    assert links_of(astray, {"mine": mine}, out).cells == {}
    write_board(board, out, page(board, found))
    text = (out / "leaderboard.html").read_text()
    assert text.count('href="') == 2
    assert f'<a href="{link}">0.8000</a>' in text
    assert page(board).count('href="') == 0

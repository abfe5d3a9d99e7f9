"""Published tables out of published raw results, and leaderboards of made-up ones."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from iterate.bench.leaderboard.entries import entries_of
from iterate.bench.leaderboard.page.html import page
from iterate.bench.leaderboard.rank import build
from iterate.bench.leaderboard.results_csv import read_results
from iterate.bench.leaderboard.rows import GroupRow, Leaderboard
from iterate.bench.leaderboard.tables import json_board, json_rows
from iterate.bench.suites.suite import load_suite, suites
from iterate.cli.bench.app import app
from iterate_core.errors import DataError, RequestError

HERE = Path(__file__).parent
SUITE = load_suite("geobench-2")
Find = Callable[[str], Path]


def capability_table() -> dict[str, dict[str, str]]:
    """Shown name → group → the number of the public leaderboard, or a dash."""
    lines = (HERE / "bench_capabilities.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(lines))
    return {row.pop("model"): row for row in rows}


def board_of(paths: Sequence[Path], normaliser: str = "suite") -> Leaderboard:
    entries, notes = entries_of(read_results(paths, SUITE), SUITE)
    return build(entries, SUITE, normaliser, notes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def published(shared_data: Find) -> Leaderboard:
    base = shared_data("leaderboard/full_ft")
    return board_of([base, shared_data("leaderboard/full_ft_multimodal")], "computed")


def test_the_normaliser_comes_exactly_out_of_the_raw_rows(
    published: Leaderboard, shared_data: Find
) -> None:
    expected = json.loads(shared_data("leaderboard/normalizer.json").read_text(encoding="utf-8"))
    found = {name: [one.worst, one.best] for name, one in published.normaliser.items()}
    assert found == expected
    own = {name: list(one.normaliser or ()) for name, one in SUITE.datasets.items()}
    assert own == expected


def test_the_capability_table_is_that_of_the_leaderboard(published: Leaderboard) -> None:
    table = capability_table()
    found = {
        (row["name"], row["group"]): "–" if row["value"] is None else f"{row['shown_value']:.1f}"
        for row in json_rows(published)
        if row["kind"] == "group" and "(" not in row["backbone"]
    }
    expected = {
        (model, group): cell
        for model, cells in table.items()
        for group, cell in cells.items()
        if (model, group) in found or cell != "–"
    }
    assert found == expected
    assert sum(cell != "–" for cell in found.values()) == 154


def test_the_published_error_is_a_tenth_of_the_bootstrap_sd(published: Leaderboard) -> None:
    rows = [row for row in published.groups if row.value is not None]
    assert len(rows) == 154 + 27
    for row in rows:
        assert row.bootstrap_sd == pytest.approx(10 * row.published_error)
        assert row.low < row.value < row.high
        assert row.rank_low <= row.rank <= row.rank_high
    clay, convnext = (
        next(r for r in rows if r.backbone == name and r.group == "Core")
        for name in ("clay_v1_base", "convnext_xlarge_fb_in22k")
    )
    assert clay.high > convnext.low  # both 77.8: nobody can tell them apart
    assert convnext.high > clay.low


def test_cells_that_two_files_share_count_once(published: Leaderboard) -> None:
    repeats, *copied = published.notes
    assert repeats == (
        "50 of the 57 cells of full_ft_multimodal repeat an earlier file bit for bit; "
        "they are counted once."
    )
    again = [entry for entry in published.entries if "(full_ft_multimodal)" in entry.label]
    assert len(again) == 3
    told = [f"{entry.label} has the same scores as {entry.backbone} on every" for entry in again]
    assert sorted(note[: note.index(" dataset")] for note in copied) == sorted(told)
    assert sum(len(entry.repeated) for entry in again) == 50
    core = next(one for one in published.findings if one.group == "Core")
    assert sum(part.share for part in core.spread.values()) == pytest.approx(1)


def test_the_same_file_twice_changes_nothing(shared_data: Find) -> None:
    path = shared_data("leaderboard/full_ft_multimodal")
    once, twice = board_of([path]), board_of([path, path])
    assert twice.groups == once.groups
    assert "57 of the 57 cells" in twice.notes[0]


def test_accuracies_are_whole_numbers_of_samples(published: Leaderboard) -> None:
    for name in ("forestnet", "so2sat"):
        size = (SUITE.datasets[name].splits or {})["test"]
        for entry in published.entries:
            counts = entry.cells[name].values * size if name in entry.cells else np.zeros(1)
            assert np.abs(counts - np.round(counts)).max() < 1e-4


def test_the_first_benchs_baselines(shared_data: Find) -> None:
    path = shared_data("leaderboard/v1/baseline_segmentation_results.csv")
    result = CliRunner().invoke(app, ["leaderboard", str(path), "--suite", "geobench", "--json"])
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    found = {(r["backbone"], r["dataset"]): r for r in rows if r["kind"] == "dataset"}
    assert len(found) == 36
    scores: dict[tuple[str, str], dict[str, list[float]]] = {}
    with path.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            if row["partition name"] == "1.00x train":
                seeds = scores.setdefault((row["model"], row["dataset"]), {})
                seeds.setdefault(row["seed"], []).append(float(row["test metric"]))
    assert any(len(shared) > 1 for seeds in scores.values() for shared in seeds.values())
    for key, seeds in scores.items():
        stored = [score for shared in seeds.values() for score in shared]
        assert found[key]["published_mean"] == pytest.approx(sum(stored) / len(stored), abs=1e-9)
        values = [sum(shared) / len(shared) for shared in seeds.values()]
        mean = sum(values) / len(values)
        sd = (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5
        assert found[key]["mean"] == pytest.approx(mean, abs=1e-9)
        assert found[key]["sd"] == pytest.approx(sd, abs=1e-9)
        assert found[key]["n"] == len(values)
    less = CliRunner().invoke(
        app, ["leaderboard", str(path), "--suite", "geobench", "--json", "--fraction", "0.01"]
    )
    few = [row for row in json.loads(less.stdout) if row["kind"] == "dataset"]
    assert len(few) == 36
    assert all(row["mean"] < found[row["backbone"], row["dataset"]]["mean"] for row in few)
    # The ends of the printed figures' scale, at their four digits.
    scale = load_suite("geobench").datasets["m-NeonTree"].normaliser
    assert scale == pytest.approx((0.4504, 0.5858), abs=5e-5)


def test_json_rows(shared_data: Find, tmp_path: Path) -> None:
    path = shared_data("leaderboard/full_ft")
    command = ["leaderboard", str(path), "--suite", "geobench-2", "--json", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0
    keys = ("backbone", "track", "group", "value", "published_error", "bootstrap_sd", "low", "high")
    rows = json.loads(result.stdout)
    assert all(set(keys) <= set(row) for row in rows)
    core = next(r for r in rows if r["backbone"] == "clay_v1_base" and r["group"] == "Core")
    assert f"{core['value']:.1f}" == "77.8"
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {
        "leaderboard.md",
        "leaderboard.csv",
        "datasets.csv",
        "leaderboard.html",
        "leaderboard.json",
        "normaliser.json",
    }
    again = CliRunner().invoke(
        app, [*command[:5], "--normaliser", str(tmp_path / "normaliser.json")]
    )
    assert json.loads(again.stdout) == rows


HEADER = "dataset,Metric,test metric,Seed,backbone,partition name,frozen_or_full_ft"


def line(
    dataset: str = "so2sat", score: float | str = 0.6, seed: int | str = 1, backbone: str = "a"
) -> str:
    return f"{dataset},{SUITE.datasets[dataset].metric},{score},{seed},{backbone},100%,full_ft"


def written(path: Path, lines: Sequence[str], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def classification(backbone: str, centre: float, seeds: int = 5) -> list[str]:
    return [
        line(name, round(centre + 0.01 * seed + 0.02 * i, 6), seed, backbone)
        for i, name in enumerate(SUITE.groups["Classification"])
        for seed in range(seeds)
    ]


def rows_of(board: Leaderboard, group: str = "Classification") -> dict[str, GroupRow]:
    return {row.backbone: row for row in board.groups if row.group == group}


def test_files_that_do_not_contradict_are_one_entry(tmp_path: Path) -> None:
    lines = classification("a", 0.5)
    first = written(tmp_path / "first.csv", lines[:10])
    second = written(tmp_path / "second.csv", lines[10:])
    whole = written(tmp_path / "whole.csv", lines)
    assert rows_of(board_of([first, second])) == rows_of(board_of([whole]))


def test_a_gap_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", [*classification("a", 0.5), *classification("b", 0.4)[:15]])
    rows = rows_of(board_of([path]))
    assert rows["b"].value is None
    assert rows["b"].missing == ("treesatai",)
    assert rows["a"].rank == 1
    text = page(board_of([path]))
    assert "b lacks treesatai" in text


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", classification("a", 0.5, seeds=1))
    row = rows_of(board_of([path]))["a"]
    assert (row.low, row.high) == (None, None)
    assert row.value is not None
    json.dumps(json_board(board_of([path])), allow_nan=False)


def test_mistakes_of_all_files_are_told_together(tmp_path: Path) -> None:
    first = written(
        tmp_path / "first.csv",
        [
            line(),
            line(score="nan"),
            line(seed="1.5"),
            line().replace("so2sat", "so2sta"),
            line().replace("full_ft", "half"),
            line().replace("Overall_Accuracy", "F1"),
            line(backbone=" "),
            line().replace("100%", "all"),
        ],
    )
    second = written(tmp_path / "second.csv", ["a"], "dataset")
    with pytest.raises(DataError) as caught:
        read_results([first, second, tmp_path / "third.csv"], SUITE)
    told = [str(problem) for problem in caught.value.problems]
    assert f"{first}, row 3, column 'test metric': must be a finite number, but is 'nan'." in told
    assert f"{first}, row 4, column 'Seed': must be a whole number, but is '1.5'." in told
    assert any("row 5, column 'dataset'" in t and "Did you mean 'so2sat'" in t for t in told)
    assert any("row 6, column 'frozen_or_full_ft': 'half' is no track." in t for t in told)
    assert any("row 7, column 'Metric'" in t for t in told)
    assert any("row 8, column 'backbone'" in t for t in told)
    assert any("row 9, column 'partition name'" in t for t in told)
    assert f"{second}: has no column 'test metric'." in "\n".join(told)
    assert any("third.csv: cannot be read" in t for t in told)


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_results_or_an_error(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "r.csv"
    path.write_bytes(f"{HEADER}\n{line()}\n".encode() + data)
    try:
        (file,) = read_results([path], SUITE)
    except DataError as error:
        problems = error.problems
    else:
        problems = ()
        assert file.cells[0].scores[0].value == 0.6
    assert all(str(path) in problem.where for problem in problems)


def test_suites_are_whole() -> None:
    assert {name: len(load_suite(name).datasets) for name in suites()} == {
        "geobench": 12,
        "geobench-2": 19,
    }
    assert len(SUITE.groups) == 9
    with pytest.raises(RequestError, match="Did you mean 'geobench-2' or 'geobench'"):
        load_suite("geobench2")


def test_a_suite_of_ones_own(tmp_path: Path) -> None:
    text = (
        "{name: own, title: Own, reference: none, tracks: {full_ft: Full}, groups: {All: [x]}, "
        "datasets: {x: {task: regression, metric: RMSE, meaning: error, direction: min}}}"
    )
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    suite = load_suite(str(path))
    rows = [
        f"x,RMSE,{0.1 * i + k},{i},{b},100%,full_ft" for k, b in enumerate("ab") for i in (1, 2)
    ]
    file = written(tmp_path / "r.csv", rows)
    entries, notes = entries_of(read_results([file], suite), suite)
    board = build(entries, suite, notes=notes)
    assert {row.backbone: row.rank for row in board.groups} == {"a": 1, "b": 2}
    assert "The results at hand set the scale of x." in board.notes
    path.write_text(text.replace("[x]", "[y]"), encoding="utf-8")
    with pytest.raises(RequestError, match=r"must list datasets of the suite, not \[[^{]*\]\.$"):
        load_suite(str(path))


class Page(HTMLParser):
    """What a page loads, and how its elements nest."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for key, value in attrs if key in ("src", "href", "srcset")]
        if tag not in ("meta", "line", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    path = written(tmp_path / "r.csv", [*classification(hostile, 0.5), *classification("b|c", 0.4)])
    text = page(board_of([path]))
    reader = Page()
    reader.feed(text)
    assert reader.open == []
    assert reader.loaded == []
    assert not re.search(r"url\(|@import|https?://", text)
    assert hostile not in text
    assert "prefers-color-scheme: dark" in text
    # Two backbones on one group and its four datasets.
    assert text.count('class="whisker"') == 2 * (1 + 4)


def test_known_files_are_marked_as_published(tmp_path: Path) -> None:
    ours = written(tmp_path / "ours.csv", classification("a", 0.5))
    theirs = written(tmp_path / "theirs.csv", classification("b", 0.4))
    command = ["leaderboard", str(ours), "--baseline", str(theirs), "--suite", "geobench-2"]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert {row["backbone"]: row["published"] for row in json.loads(result.stdout)} == {
        "a": False,
        "b": True,
    }

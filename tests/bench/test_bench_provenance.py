"""Where each row of a leaderboard comes from: copied or run, by which protocol and weights."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from test_bench_leaderboard import SUITE, classification, line, written
from typer.testing import CliRunner

from iterate.bench.leaderboard.about import Made, RunRecord, SubmittedFile, about
from iterate.bench.leaderboard.entries import entries_of
from iterate.bench.leaderboard.page.html import page
from iterate.bench.leaderboard.provenance import origins
from iterate.bench.leaderboard.rank import build
from iterate.bench.leaderboard.results_csv import read_results
from iterate.bench.leaderboard.rows import Leaderboard
from iterate.bench.leaderboard.tables import csv_text, json_rows, markdown
from iterate.cli.bench.app import app

DIGEST = "0123456789abcdef" * 4


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    """`a` was copied on three datasets and run on the fourth; `b` was run on all."""
    others = [row for row in classification("a", 0.5) if not row.startswith("so2sat")]
    theirs = written(tmp_path / "theirs.csv", others)
    mine = [line("so2sat", 0.5 + seed / 100, seed, "a") for seed in range(5)]
    ours = written(tmp_path / "ours.csv", [*mine, *classification("b", 0.4)])
    files = read_results([theirs, ours], SUITE)
    cells = [("so2sat", "a"), *((name, "b") for name in SUITE.groups["Classification"])]
    made = tuple(
        Made(*cell, f"hub: w@{DIGEST}", 10**7, 1, 5, 3, {}, {}, None, "MIT") for cell in cells
    )
    run = RunRecord("geobench-2", "mine", None, 100, (), {}, made)
    sources = [
        SubmittedFile("theirs", files[0].sha256, published=False, run=None, licence="CC-BY-4.0"),
        SubmittedFile("ours", files[1].sha256, published=False, run=run),
    ]
    return replace(build(entries_of(files, SUITE)[0], SUITE), about=about(sources))


def test_every_row_says_where_its_scores_come_from(board: Leaderboard) -> None:
    rows = {(row["backbone"], row["group"]): row for row in json_rows(board)}
    copied, mixed = rows["a", "forestnet"], rows["a", "Classification"]
    assert (copied["scores"], copied["sources"]) == (["copied"], ["theirs"])
    assert (copied["protocols"], copied["weights"]) == ([], [])
    assert copied["licences"] == ["results CC-BY-4.0"]
    assert mixed["scores"] == ["copied", "run"]
    assert mixed["licences"] == ["weights MIT", "results CC-BY-4.0"]
    run = rows["b", "Classification"]
    assert (run["scores"], run["sources"], run["protocols"]) == (["run"], ["ours"], ["mine"])
    assert run["weights"] == [f"hub: w@{DIGEST}"]
    assert run["parameters"] == [10**7]
    table = list(csv.DictReader(io.StringIO(csv_text(board, board.groups))))
    (first,) = [row for row in table if row["backbone"] == "a" and row["group"] == "Classification"]
    assert (first["scores"], first["protocols"]) == ("copied; run", "mine")
    assert first["licences"] == "weights MIT; results CC-BY-4.0"


def test_how_many_parameters_train_is_said_where_it_is_not_all(board: Leaderboard) -> None:
    assert board.about is not None
    theirs, ours = board.about.sources
    assert ours.run is not None
    cells = tuple(replace(cell, trained_parameters=250_000) for cell in ours.run.cells)
    run = replace(ours.run, cells=cells)
    adapted = replace(board, about=replace(board.about, sources=(theirs, replace(ours, run=run))))
    assert origins(adapted)[1].parameters == "10 M (0.25 M trained)"
    rows = {(row["backbone"], row["group"]): row for row in json_rows(adapted)}
    assert rows["b", "Classification"]["trained_parameters"] == [250_000]
    whole = tuple(replace(cell, trained_parameters=10**7) for cell in ours.run.cells)
    run = replace(ours.run, cells=whole)
    full = replace(board, about=replace(board.about, sources=(theirs, replace(ours, run=run))))
    assert origins(full)[1].parameters == "10 M"


def test_people_read_the_same(board: Leaderboard) -> None:
    first, second = origins(board)
    assert first.scores == "copied from theirs; run"
    assert (second.scores, second.protocol, second.licence) == ("run", "mine", "weights MIT")
    assert second.parameters == "10 M"
    for text in (markdown(board), page(board)):
        for told in ("copied from theirs; run", "weights MIT; results CC-BY-4.0", "10 M"):
            assert told in text


def test_published_results_have_their_licence(shared_data: Callable[[str], Path]) -> None:
    command = ["leaderboard", str(shared_data("leaderboard/full_ft")), "--suite", "geobench-2"]
    done = CliRunner().invoke(app, [*command, "--json"])
    rows = json.loads(done.stdout)
    assert {(*row["scores"], *row["licences"]) for row in rows} == {
        ("copied", "results Apache 2.0")
    }
    told = " ".join(done.stderr.split())
    assert "18 backbones: copied from full_ft, licence: results Apache 2.0" in told

"""Rows that are no further evidence: copies, several scores of one seed, copied entries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from test_bench_leaderboard import classification, line, written
from typer.testing import CliRunner

from iterate.cli.bench.app import app


def board(folder: Path, lines: Sequence[str], *words: str) -> dict[str, Any]:
    """All that the command says of some rows; `told` is what stands in the terminal."""
    path = written(folder / "r.csv", lines)
    out = folder / "out"
    command = ["leaderboard", str(path), "--suite", "geobench-2", "--out", str(out), *words]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.exception
    found: dict[str, Any] = json.loads((out / "leaderboard.json").read_text(encoding="utf-8"))
    pages = [(out / f"leaderboard.{kind}").read_text(encoding="utf-8") for kind in ("html", "md")]
    for note in found["notes"]:
        assert note in " ".join(done.stderr.split())
        assert all(note.split("(")[0] in page for page in pages)
    return {**found, "told": " ".join(done.stderr.split())}


def test_rows_that_are_the_same_in_every_cell_count_once(tmp_path: Path) -> None:
    lines = [*classification("a", 0.5), *classification("b", 0.45)]
    for name in ("once", "twice"):
        (tmp_path / name).mkdir()
    once = board(tmp_path / "once", lines)
    twice = board(tmp_path / "twice", [row for row in lines for _ in range(2)])
    assert twice["rows"] == once["rows"]
    assert twice["findings"] == once["findings"]
    (note,) = set(twice["notes"]) - set(once["notes"])
    assert note.startswith("Rows of r that are the same as another in every cell: 40.")


def test_several_scores_of_one_seed_are_one_value(tmp_path: Path) -> None:
    scores = {1: (0.5, 0.56), 2: (0.6,), 3: (0.7,)}
    lines = [line("so2sat", one, seed) for seed, values in scores.items() for one in values]
    found = board(tmp_path, lines)
    (row,) = [row for row in found["rows"] if row["kind"] == "dataset"]
    assert row["n"] == 3
    assert row["mean"] == pytest.approx((0.53 + 0.6 + 0.7) / 3)
    assert row["published_mean"] == pytest.approx((0.5 + 0.56 + 0.6 + 0.7) / 4)
    assert any("with several scores under one seed: 1 (a on so2sat)" in n for n in found["notes"])


def of_group(found: dict[str, Any], key: str, group: str = "Classification") -> Any:
    (one,) = [one for one in found["findings"] if one["group"] == group]
    return one[key]


def test_an_entry_that_is_a_copy_of_another_is_not_compared(tmp_path: Path) -> None:
    lines = [*classification("a", 0.5), *classification("b", 0.45), *classification("c", 0.1)]
    for name in ("once", "copied"):
        (tmp_path / name).mkdir()
    once = board(tmp_path / "once", lines)
    copied = board(tmp_path / "copied", [*lines, *classification("twin", 0.5)])
    for key in ("comparisons", "friedman", "spread"):
        assert of_group(copied, key) == of_group(once, key)
    assert [set(group) for group in of_group(copied, "alike")] == [{"a", "twin"}]
    rows = {r["backbone"]: r for r in copied["rows"] if r["group"] == "Classification"}
    places = {name: (r["rank"], r["rank_low"], r["rank_high"]) for name, r in rows.items()}
    assert places == {"a": (1, 1, 2), "twin": (1, 1, 2), "b": (3, 3, 3), "c": (4, 4, 4)}
    told = "twin has the same scores as a on every dataset of Classification (full_ft)"
    assert any(note.startswith(told) for note in copied["notes"])

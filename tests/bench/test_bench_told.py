"""What a leaderboard says where it has little to rank, or knows little of its rows."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from test_bench_leaderboard import SUITE, classification, line, written
from test_bench_repeats import board
from typer.testing import CliRunner

from iterate.cli.bench.app import app
from iterate.cli.views import console
from iterate_core.errors import RequestError


def refusal(*words: str) -> str:
    done = CliRunner().invoke(app, ["leaderboard", *words, "--suite", "geobench-2"])
    assert isinstance(done.exception, RequestError)
    return str(done.exception)


def test_where_no_group_is_whole_the_datasets_stand_in_the_terminal(tmp_path: Path) -> None:
    found = board(tmp_path, [line("so2sat", 0.6 + seed / 100, seed) for seed in (1, 2)])
    assert "No backbone has every dataset of a group." in found["told"]
    assert "so2sat a 0.6150 2" in found["told"]
    text = (tmp_path / "out/leaderboard.md").read_text(encoding="utf-8")
    assert "No backbone has every dataset of a group." in text
    assert "0.6150" in text


def test_a_normaliser_that_is_a_list_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", classification("a", 0.5))
    scale = tmp_path / "scale.json"
    scale.write_text("[1, 2]", encoding="utf-8")
    assert "is no normaliser" in refusal(str(path), "--normaliser", str(scale))


def test_a_share_that_no_row_has_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", classification("a", 0.5))
    told = refusal(str(path), "--fraction", "0.3")
    assert "--fraction: no row has the share 0.3 of the training data. There are: 1." in told


def test_rows_of_other_shares_are_counted(tmp_path: Path) -> None:
    others = [line("so2sat", 0.4, seed).replace("100%", "10%") for seed in (1, 2, 3)]
    found = board(tmp_path, [*classification("a", 0.5), *others])
    assert any(note.endswith("which are left out: 3.") for note in found["notes"])


def test_results_of_unknown_origin_are_told(
    tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    lines = classification("a", 0.5)
    note = "The origin of the data of r is not known; the published scale is assumed."
    assert note in board(tmp_path, lines)["notes"]
    # On another scale, or of a content that the suite knows, nothing is assumed.
    assert note not in board(tmp_path, lines, "--normaliser", "computed")["notes"]
    published = str(shared_data("leaderboard/full_ft"))
    command = ["leaderboard", published, "--suite", "geobench-2", "--out", str(tmp_path / "p")]
    assert CliRunner().invoke(app, command).exit_code == 0
    told = json.loads((tmp_path / "p/leaderboard.json").read_text(encoding="utf-8"))["notes"]
    assert not any("origin" in one for one in told)


@pytest.mark.parametrize("seeds", [(1,), (1, 2)])
def test_no_error_is_shown_where_none_is_known(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    lines = [row for row in classification("a", 0.5, 1) for _ in seeds]
    lines = [row.replace(",0,a", f",{seeds[i % len(seeds)]},a") for i, row in enumerate(lines)]
    found = board(tmp_path, lines)
    assert {row["published_error"] for row in found["rows"]} == {None}
    assert "± –" in found["told"]
    for kind in ("html", "md"):
        text = (tmp_path / f"out/leaderboard.{kind}").read_text(encoding="utf-8")
        assert "± –" in text
        assert "± 0.00" not in text
        assert "As published leaderboards compute it" in text


def test_a_score_beyond_an_open_end_is_told_without_the_other(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", [line("biomassters", 89.3)])
    told = refusal(str(path))
    assert told.endswith("column 'test metric': must be at most 1, but is 89.3.")


def test_a_table_of_another_kind_is_called_what_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", classification("a", 0.5))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(",", ";"), encoding="utf-8")
    assert "has semicolons between its cells instead of commas." in refusal(str(path))
    path.write_text(text, encoding="utf-16")
    assert "is UTF-16 text. Save it as CSV in UTF-8." in refusal(str(path))


def test_blanks_around_a_name_are_no_part_of_it(tmp_path: Path) -> None:
    rows = board(tmp_path, classification(" a ", 0.5))["rows"]
    assert {row["backbone"] for row in rows} == {"a"}


def test_long_names_leave_every_figure_in_a_narrow_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        line(name, 0.5 + one / 50 + seed / 100, seed, f"a_backbone_of_a_very_long_name_{one}")
        for one in range(2)
        for name, dataset in SUITE.datasets.items()
        if dataset.normaliser is not None
        for seed in range(5)
    ]
    path = written(tmp_path / "r.csv", lines)
    shown = io.StringIO()
    narrow = Console(file=shown, width=80, highlight=False)
    monkeypatch.setattr(console, "stderr", lambda: narrow)
    done = CliRunner().invoke(app, ["leaderboard", str(path), "--suite", "geobench-2", "--json"])
    rows = [row for row in json.loads(done.stdout) if row["kind"] == "group"]
    assert len({row["group"] for row in rows}) == 9
    told = shown.getvalue().splitlines()
    assert max(map(len, told)) <= 80
    for number in range(2):
        own = [row for row in rows if row["backbone"].endswith(str(number))]
        figures = [f"{row['value']:.1f}" for row in own]
        assert any(re.findall(r"-?\d+\.\d", text) == figures for text in told)
        first = own[0]
        detail = f" {first['value']:.1f} {first['low']:.1f} to {first['high']:.1f} "
        assert any(detail in " ".join(text.split()) for text in told)

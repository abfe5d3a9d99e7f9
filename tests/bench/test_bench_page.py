"""The leaderboard's page: what others wrote is shown as text, wherever it stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_bench_honest import own_suite
from test_bench_leaderboard import Page

from iterate.bench.leaderboard.about import Made, RunRecord, SubmittedFile, about
from iterate.bench.leaderboard.entries import entries_of
from iterate.bench.leaderboard.page.html import page
from iterate.bench.leaderboard.rank import build
from iterate.bench.leaderboard.results_csv import write_results
from iterate.bench.leaderboard.rows import Leaderboard
from iterate.bench.leaderboard.score import Repeats, Score
from iterate.pages import template

HOSTILE = '<b title="x">{{ 7 * 7 }}</b>\x1b\u202e'
SHOWN = "&lt;b title=&quot;x&quot;&gt;{{ 7 * 7 }}&lt;/b&gt;\\x1b\\u202e"


def board(folder: Path, text: str) -> Leaderboard:
    """A board on which a text stands wherever people, files and suites can put one."""
    plain = own_suite()
    datasets = {text: plain.datasets["x"].model_copy(update={"meaning": text, "metric": text})}
    suite = plain.model_copy(
        update={
            "title": text,
            "reference": text,
            "tracks": {"full_ft": text},
            "groups": {text: (text,), "more": (text, "y")},
            "datasets": {**datasets, "y": plain.datasets["y"]},
        }
    )
    cells = [
        Repeats(
            tuple(
                Score(backbone, dataset, "full_ft", text, seed, value + seed / 10)
                for seed in (1, 2)
            )
        )
        for backbone, value in ((text, 0.3), ("two", 0.1))
        for dataset in suite.datasets
        if (backbone, dataset) != (text, "y")
    ]
    file = write_results(folder / "results.csv", cells)
    made = Made(text, text, text, 1, 1, 1, 1, {text: text}, {text: text}, None)
    run = RunRecord("own", text, text, 100, (text,), {}, (made,))
    sources = [SubmittedFile(text, file.sha256, published=True, run=run)]
    found = build(entries_of([file], suite)[0], suite, notes=[text])
    return replace(found, about=about(sources))


def test_foreign_text_is_neither_markup_nor_template(tmp_path: Path) -> None:
    text = page(board(tmp_path, HOSTILE))
    reader = Page()
    reader.feed(text)
    assert reader.open == []
    assert text.startswith("<!doctype html>\n<html")
    assert "<b title" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert ">49<" not in text
    # Nothing is escaped twice, and nothing is lost.
    assert text.count(SHOWN) == page(board(tmp_path, "PLAIN")).count("PLAIN") > 30


def test_style_and_script_are_no_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("page.css", "leaderboard.css", "page.js", "leaderboard.js"):
        text = f"/* {name}: {{{{ 7 }}}} {{% if %}} {{# a #}} <&> */"
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(template, "files", lambda _: tmp_path)
    text = page(board(tmp_path, "plain"))
    for name in ("page.css", "leaderboard.css", "page.js", "leaderboard.js"):
        assert (tmp_path / name).read_text() in text


@pytest.mark.parametrize("count", [1, 2])
def test_tracks_can_be_chosen_where_there_are_several(tmp_path: Path, count: int) -> None:
    suite = own_suite().model_copy(update={"tracks": {"a": "First", "b": "Second"}})
    cells = [
        Repeats(
            (
                Score("one", dataset, track, "RMSE", 1, 0.5),
                Score("one", dataset, track, "RMSE", 2, 0.6),
            )
        )
        for track in ("a", "b")[:count]
        for dataset in ("x", "y")
    ]
    file = write_results(tmp_path / "r.csv", cells)
    text = page(build(entries_of([file], suite)[0], suite, "computed"))
    assert ('data-for="track"' in text) == (count == 2)
    assert text.count('data-set="track"') == count
    assert text.count("No results file here says what its models cost.") == count

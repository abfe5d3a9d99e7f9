"""The submission folder: what is refused, why, and that what is written is valid."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from iterate.bench.leaderboard.about import RunRecord, SubmittedFile, about
from iterate.bench.leaderboard.entries import entries_of
from iterate.bench.leaderboard.rank import build
from iterate.bench.leaderboard.results_csv import columns, read_results
from iterate.bench.leaderboard.score import Score, Training
from iterate.bench.leaderboard.submission import check_submission, write_submission
from iterate.bench.suites.suite import load_suite
from iterate.cli.bench.app import app
from iterate_core.errors import RequestError

SUITE = load_suite("geobench-2")
SEEDS = (913, 205, 2254, 2007, 1829)
INFO: dict[str, Any] = {
    "Paper Link": "",
    "Code Repository Link ": "",
    "License": "Apache-2.0",
    "Number of HPO trials": "16",
    "Additional information about submission": "",
    "Comments on new models in submission": "",
    "New model info": [{"model_display_name": "A", "model_size": "1M", "unique_backbone_key": "a"}],
}
Rows = list[dict[str, Any]]


def rows_of(backbone: str = "a", group: str = "Classification") -> Rows:
    training = Training(
        experiment="study",
        decoder="linear",
        batch_size=8,
        batch_size_searched=True,
        lr=1e-4,
        weight_decay=0.01,
        trials=16,
        patience=10,
    )
    return [
        columns(
            Score(
                backbone=backbone,
                dataset=dataset,
                track="full_ft",
                metric=SUITE.datasets[dataset].metric,
                seed=seed,
                value=0.5 + 0.01 * i,
                training=training,
            )
        )
        for dataset in SUITE.groups[group]
        for i, seed in enumerate(SEEDS)
    ]


def folder_of(where: Path, rows: Rows, info: Any = None) -> Path:
    """A submission written without any check."""
    folder = where / "new_submission"
    folder.mkdir()
    names = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / "results_and_parameters.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, names)
        writer.writeheader()
        writer.writerows(rows)
    text = json.dumps(INFO if info is None else info)
    (folder / "additional_info.json").write_text(text, encoding="utf-8")
    return folder


def told(folder: Path) -> str:
    return "\n".join(map(str, check_submission(folder, SUITE)))


@pytest.mark.parametrize("name", ["full_ft", "full_ft_multimodal"])
def test_published_submissions_are_valid(name: str, shared_data: Callable[[str], Path]) -> None:
    assert check_submission(shared_data(f"leaderboard/{name}"), SUITE) == []


def test_what_is_written_is_valid_and_ranks(tmp_path: Path) -> None:
    rows = [*rows_of("a"), *rows_of("b")]
    folder = write_submission(rows, INFO, tmp_path, SUITE)
    assert check_submission(folder, SUITE) == []
    assert {path.name for path in tmp_path.iterdir()} == {"new_submission"}
    entries, notes = entries_of(read_results([folder], SUITE), SUITE)
    board = build(entries, SUITE, notes=notes)
    assert {r.backbone for r in board.groups if r.value is not None} == {"a", "b"}
    with pytest.raises(RequestError, match="exists already"):
        write_submission(rows, INFO, tmp_path, SUITE)


def without(rows: Rows, *names: str) -> Rows:
    return [{key: value for key, value in row.items() if key not in names} for row in rows]


def changed(rows: Rows, number: int, **values: Any) -> Rows:
    return [*rows[:number], {**rows[number], **values}, *rows[number + 1 :]]


def test_rejects_four_seeds(tmp_path: Path) -> None:
    assert "a on so2sat has 4 rows; 5 are needed." in told(folder_of(tmp_path, rows_of()[1:]))


@pytest.mark.parametrize("column", list(rows_of()[0]))
def test_rejects_a_missing_column(column: str, tmp_path: Path) -> None:
    assert f"has no column '{column}'" in told(folder_of(tmp_path, without(rows_of(), column)))


@pytest.mark.parametrize("column", ["test metric", "lr", "Seed", "batch_size", "n_trials"])
def test_rejects_text_where_a_number_belongs(column: str, tmp_path: Path) -> None:
    found = told(folder_of(tmp_path, changed(rows_of(), 2, **{column: "high"})))
    assert f"row 4, column '{column}': must be a" in found
    assert "but is 'high'" in found


def test_rejects_numbers_where_text_belongs(tmp_path: Path) -> None:
    rows = [{**row, "experiment_name": 12} for row in rows_of()]
    assert "column 'experiment_name': must be text" in told(folder_of(tmp_path, rows))


def test_rejects_a_backbone_that_completes_no_group(tmp_path: Path) -> None:
    rows = rows_of("a") + [row for row in rows_of("b") if row["dataset"] != "forestnet"]
    found = told(folder_of(tmp_path, rows))
    assert "b completes no capability group. Nearest is Classification" in found
    assert "lacks forestnet" in found
    assert "a completes" not in found


def test_rejects_an_unknown_track_and_a_mixture(tmp_path: Path) -> None:
    rows = changed(changed(rows_of(), 0, frozen_or_full_ft="half"), 1, frozen_or_full_ft="frozen")
    found = told(folder_of(tmp_path, rows))
    assert "'half' is no track. Legal: full_ft, frozen." in found
    assert "mixes the tracks frozen, full_ft" in found


def test_rejects_unknown_datasets_and_other_metrics(tmp_path: Path) -> None:
    rows = changed(changed(rows_of(), 0, dataset="so2sta"), 6, Metric="F1")
    found = told(folder_of(tmp_path, rows))
    assert "'so2sta' is no dataset of geobench-2. Did you mean 'so2sat'?" in found
    assert "row 8, column 'Metric': is 'F1', but forestnet is ranked by" in found


def test_rejects_wrong_files(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, rows_of())
    (folder / "more.txt").write_text("", encoding="utf-8")
    assert "must hold two files only, not more.txt" in told(folder)
    (folder / "additional_info.json").unlink()
    assert "lacks the file additional_info.json" in told(folder)


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ([], "must be an object"),
        ({**INFO, "License": 2}, "'License': must be text, but is 2"),
        (
            {key.strip(): value for key, value in INFO.items()},
            "lacks the key 'Code Repository Link '. Did you mean 'Code Repository Link'",
        ),
        ({**INFO, "New model info": [{"model_size": ""}]}, "'New model info'[0]: must have"),
        ({**INFO, "New model info": "none"}, "must be a list"),
    ],
)
def test_rejects_wrong_information(info: Any, expected: str, tmp_path: Path) -> None:
    assert expected in told(folder_of(tmp_path, rows_of(), info))


def test_all_that_is_wrong_is_told_together_and_nothing_is_written(tmp_path: Path) -> None:
    rows = changed(without(rows_of(), "lr")[1:], 3, **{"test metric": "high"})
    with pytest.raises(RequestError) as caught:
        write_submission(rows, {}, tmp_path, SUITE)
    found = str(caught.value)
    for part in ("no column 'lr'", "has 4 rows", "but is 'high'", "lacks the key 'License'"):
        assert part in found
    assert str(tmp_path) not in found
    assert list(tmp_path.iterdir()) == []


def test_suites_without_a_format_say_so(tmp_path: Path) -> None:
    (problem,) = check_submission(tmp_path, load_suite("geobench"))
    assert "has no submission format" in str(problem)


@settings(max_examples=60, deadline=None)
@given(results=st.binary(max_size=200), info=st.binary(max_size=100))
def test_any_bytes_are_told_and_never_valid(
    results: bytes, info: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "results_and_parameters.csv").write_bytes(results)
    (folder / "additional_info.json").write_bytes(info)
    assert check_submission(folder, SUITE)


def test_the_command_checks_and_writes(tmp_path: Path) -> None:
    good = folder_of(tmp_path, [*rows_of(), *rows_of("b")])
    source = str(good / "results_and_parameters.csv")
    done = CliRunner().invoke(app, ["submit", source, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.stderr
    written = tmp_path / "out" / "new_submission"
    assert check_submission(written, SUITE) == []
    assert CliRunner().invoke(app, ["submit", str(written)]).exit_code == 0
    (written / "additional_info.json").write_text("{}", encoding="utf-8")
    refused = CliRunner().invoke(app, ["submit", str(written)])
    assert isinstance(refused.exception, RequestError)
    assert len(refused.exception.problems) == 7


def test_a_repeated_seed_is_refused(tmp_path: Path) -> None:
    rows = changed(rows_of(), 1, Seed="913.0")
    done = CliRunner().invoke(app, ["submit", str(folder_of(tmp_path, rows))])
    assert isinstance(done.exception, RequestError)
    (problem,) = done.exception.problems
    assert problem.what == "a on so2sat has seed 913 2 times."
    assert problem.hint == "5 different seeds are needed."


def refusal(*words: str) -> str:
    done = CliRunner().invoke(app, ["submit", *words])
    assert isinstance(done.exception, RequestError)
    return str(done.exception)


def test_a_run_of_a_suite_without_submissions_says_so(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, rows_of())
    (folder / "summary.json").write_text("{}", encoding="utf-8")
    digest = hashlib.sha256((folder / "results_and_parameters.csv").read_bytes()).hexdigest()
    run = RunRecord("geobench", "quick", None, 100, (), {}, ())
    told = about([SubmittedFile("r", digest, published=False, run=run)])
    text = json.dumps({"about": asdict(told)})
    (folder / "leaderboard.json").write_text(text, encoding="utf-8")
    found = refusal(str(folder))
    assert "is of geobench, not of geobench-2. geobench takes no submissions." in found
    assert "geobench has no submission format" in refusal(str(folder), "--suite", "geobench")


def test_missing_information_is_called_missing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, rows_of())
    (folder / "additional_info.json").unlink()
    found = refusal(str(folder / "results_and_parameters.csv"))
    assert "additional_info.json: is missing." in found


def test_rejects_blanks_around_a_backbone(tmp_path: Path) -> None:
    found = told(folder_of(tmp_path, changed(rows_of(), 0, backbone=" a")))
    assert "row 2, column 'backbone': must not begin or end in a blank." in found

"""A score on its way: out of a run or a file, kept with its study, written, read and ranked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterate.bench.leaderboard.about import Made
from iterate.bench.leaderboard.entries import entries_of
from iterate.bench.leaderboard.rank import build
from iterate.bench.leaderboard.results_csv import ResultsFile, read_results, write_results
from iterate.bench.leaderboard.rows import DatasetRow
from iterate.bench.leaderboard.score import Repeats, Score, Training
from iterate.bench.leaderboard.tables import markdown
from iterate.bench.runs.scores import CellResult
from iterate.bench.suites.suite import load_suite
from iterate_core.errors import RequestError

SUITE = load_suite("geobench-2")
TRAINING = Training("run", "linear", 8, batch_size_searched=True, lr=1e-4, weight_decay=0, trials=2)
SCORE = Score("one", "so2sat", "full_ft", "Overall_Accuracy", 1, 0.5, training=TRAINING)


def repeats(*values: float, samples: tuple[float, float] | None = None) -> Repeats:
    scores = [replace(SCORE, seed=seed, value=value) for seed, value in enumerate(values)]
    return Repeats(tuple(scores), samples)


names = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(bool)
)


@settings(max_examples=60, deadline=None)
@given(
    backbone=names,
    seed=st.integers(0, 2**31),
    value=st.floats(0, 1),
    percent=st.integers(1, 100),
    training=st.none() | st.just(TRAINING),
)
def test_what_is_written_is_read_to_the_last_digit(
    backbone: str,
    seed: int,
    value: float,
    percent: int,
    training: Training | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    score = replace(SCORE, backbone=backbone, seed=seed, value=value, fraction=percent / 100)
    cell = Repeats((replace(score, training=training),))
    path = tmp_path_factory.mktemp("scores") / "results_and_parameters.csv"
    told = write_results(path, [cell])
    (read,) = read_results([path], SUITE)
    assert read == replace(told, cells=(Repeats((replace(score, training=None),)),))


def test_published_scores_stay_what_they_are(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    (file,) = read_results([shared_data("leaderboard/full_ft")], SUITE)
    write_results(tmp_path / "again.csv", file.cells)
    (again,) = read_results([tmp_path / "again.csv"], SUITE)
    assert again.cells == file.cells
    assert sum(len(cell.scores) for cell in file.cells) > 1000


def rows(*files: ResultsFile) -> Sequence[DatasetRow]:
    return build(entries_of(files, SUITE)[0], SUITE).datasets


def test_an_interval_over_samples_stands_beside_the_mean_it_is_of(tmp_path: Path) -> None:
    known = write_results(tmp_path / "run.csv", [repeats(0.5, 0.6, samples=(0.4, 0.7))])
    (row,) = rows(known)
    assert (row.sample_low, row.mean, row.sample_high) == (0.4, 0.55, 0.7)
    # The same mean, summed in another order: the interval holds it nevertheless.
    (row,) = rows(replace(known, cells=(repeats(0.5, 0.6, samples=(0.55 + 1e-15, 0.7)),)))
    assert row.sample_low == row.mean == 0.55


def test_a_file_with_the_scores_of_a_run_does_not_hide_what_the_run_knows(tmp_path: Path) -> None:
    run = write_results(tmp_path / "run.csv", [repeats(0.5, 0.6, samples=(0.4, 0.7))])
    file = write_results(tmp_path / "file.csv", [repeats(0.5, 0.6)])
    for files in ((run, file), (file, run)):
        (row,) = rows(*files)
        assert (row.sample_low, row.sample_high) == (0.4, 0.7)
    other = write_results(tmp_path / "other.csv", [repeats(0.5, 0.7)])
    first, second = rows(other, run)
    assert (first.backbone, first.sample_low) == ("one", None)
    assert (second.backbone, second.sample_low) == ("one (run)", 0.4)
    text = markdown(build(entries_of((other, run), SUITE)[0], SUITE))
    told = text.split("Would other seeds")[1].splitlines()
    assert [line.split("|")[2].strip() for line in told if line.count("|") == 6][2:] == [
        "one", "one (run)",
    ]  # fmt: skip
    assert "not known" in text


def test_what_a_study_keeps_comes_back_as_it_was() -> None:
    made = Made("so2sat", "one", "random", 10, 2, 1, 3, {"optimiser.lr": 1e-4}, {}, None)
    kept = CellResult("so2sat", "one", (SCORE,), ("seed 2: why",), (0.1 + 0.2, 0.7), made, "why")
    assert CellResult.from_text(kept.to_text()) == kept


def test_what_another_version_kept_is_told() -> None:
    kept = {**asdict(CellResult("so2sat", "one", (SCORE,))), "scores": [{"score": 0.5}]}
    with pytest.raises(RequestError, match="in the form of another version"):
        CellResult.from_text(json.dumps(kept))

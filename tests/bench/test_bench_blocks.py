"""Runs on splits drawn by blocks of ground: from the command to the table."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from bench_support import request_of
from test_bench_leaderboard import classification, written
from typer.testing import CliRunner

from iterate.bench.leaderboard.about import RunRecord, SubmittedFile, about
from iterate.bench.leaderboard.portion import Blocks, Portion, read_portion
from iterate.bench.leaderboard.results_csv import read_results
from iterate.bench.runs.labels import labels_of
from iterate.bench.runs.plan import cells_of, drawn_shares
from iterate.bench.runs.protocol import load_protocol
from iterate.bench.suites.suite import load_suite
from iterate.cli.bench.app import app
from iterate_core.data.geobench_v2.synthetic.generate import generate
from iterate_core.errors import RequestError

FAR = Portion(blocks=Blocks(200_000, 10_000))
NAME = "100% by blocks of 200000 m, 10000 m apart"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of samples all over Europe, and one whose files tell no places."""
    folder = tmp_path_factory.mktemp("root")
    for name in ("so2sat", "biomassters"):
        generate(name, folder / name, (16, 6, 6), pixels=16)
    return folder


def run(*words: str) -> Any:
    """Call the command as people do."""
    return CliRunner().invoke(app, [*words])


def test_results_of_drawn_splits_stand_apart_and_sets_without_places_are_gaps(
    root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = [
        "--suite", "geobench-2", "--protocol", "quick", "--data", str(root), "--out", str(out),
        "--datasets", "so2sat,biomassters", "--backbones", "test_resnet=none", "resources.gpu=0",
        "search.trials=1", "search.repeats=2", "trainer.epochs=1",
    ]  # fmt: skip
    done = run(*words, "--block-metres", "200000", "--distance-metres", "10000", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    (gap,) = found["gaps"]
    assert gap["dataset"] == "biomassters"
    assert "need the place of every sample; 28 of 28 have none" in gap["reason"]

    file = out / "results_and_parameters.csv"
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert [(row["dataset"], row["partition name"]) for row in rows] == [("so2sat", NAME)] * 2
    page = (out / "leaderboard.md").read_text(encoding="utf-8")
    assert "splits drawn by blocks of 200000 m, 10000 m apart" in page
    (source,) = json.loads((out / "leaderboard.json").read_text())["about"]["sources"]
    assert source["run"]["splits"] == FAR.blocks.told if FAR.blocks else False
    assert "splits drawn by blocks of 200000 m" in source["run"]["unlike"]["so2sat"]
    recipe = yaml.safe_load((out / found["studies"][0]["name"] / "recipe.yaml").read_text())
    assert recipe["data"]["split"]["block_metres"] == 200_000

    # The folder is of these splits; a table of the published ones has no such rows.
    with pytest.raises(RequestError, match="block-metres and --distance-metres: was blocks of"):
        raise run(*words).exception
    board = ("leaderboard", str(file), "--suite", "geobench-2")
    assert f"There are: {NAME}." in str(run(*board).exception)
    (*_, row) = json.loads(run(*board, "--fraction", NAME, "--json").stdout)
    assert (row["group"], row["n"]) == ("so2sat", 2)
    assert "is of splits drawn by blocks" in str(run("submit", str(out)).exception)


def test_rows_of_drawn_splits_are_no_rows_of_published_ones(tmp_path: Path) -> None:
    apart = [row.replace("100%", f'"{NAME}"') for row in classification("a", 0.4)]
    path = written(tmp_path / "r.csv", [*apart, *classification("a", 0.5)])
    board = ("leaderboard", str(path), "--suite", "geobench-2", "--json")
    means = {}
    for asked in ("100%", NAME):
        rows = json.loads(run(*board, "--fraction", asked).stdout)
        means[asked] = {row["mean"] for row in rows if row["group"] == "so2sat"}
    assert means["100%"] != means[NAME]


def recorded(folder: Path, splits: str | None, unlike: dict[str, str]) -> Path:
    """A results file of two backbones, and beside it what is known of the run that made it."""
    lines = [*classification("a", 0.4 if splits else 0.6), *classification("b", 0.5)]
    named = [row.replace("100%", f'"{NAME}"') if splits else row for row in lines]
    folder.mkdir()
    path = written(folder / "r.csv", named)
    (file,) = read_results([path], load_suite("geobench-2"))
    run = RunRecord("geobench-2", "own", None, 100, (), unlike, (), splits=splits)
    board = about([SubmittedFile("r", file.sha256, published=False, run=run)])
    (folder / "leaderboard.json").write_text(json.dumps({"about": asdict(board)}))
    return path


def test_ranks_of_published_and_drawn_splits_are_compared(tmp_path: Path) -> None:
    assert FAR.blocks is not None
    drawn = FAR.blocks.told
    plain = recorded(tmp_path / "plain", None, {})
    unlike = {"so2sat": drawn, "forestnet": f"{drawn}, 3 classes instead of 12"}
    apart = recorded(tmp_path / "apart", drawn, unlike)
    done = run("compare", str(plain), str(apart), "--json")
    assert done.exit_code == 0, done.exception
    found = {one["name"]: one for one in json.loads(done.stdout)["rankings"]}
    assert found["so2sat"]["tau"] == -1  # every rank moved
    # Another dataset is not compared, however it is divided.
    assert "forestnet" not in found
    assert "forestnet of r #2 is left out" in " ".join(done.stderr.split())


def test_a_share_is_one_of_the_drawn_training_samples(root: Path) -> None:
    request = request_of(
        root, "geobench-2", "quick", "test_resnet=none", "so2sat", partition="0.5x",
        block_metres=2e5,
    )  # fmt: skip
    (cell,) = cells_of(request)[0]
    data = cell.loaded.recipe.data
    assert (data.share, data.model_dump()["split"]["block_metres"]) == (0.5, 2e5)
    (note,) = drawn_shares(request)
    assert "define no 0.50x of the training data in splits drawn by blocks of 200000 m" in note


def test_splits_that_the_table_would_not_tell_are_refused(root: Path) -> None:
    words = ("data.split.block_metres=1000",)
    request = request_of(root, "geobench-2", "quick", "test_resnet=none", "so2sat", words)
    with pytest.raises(RequestError, match=r"data\.split: .*Say --block-metres"):
        cells_of(request)


def test_the_command_line_takes_the_place_of_the_protocol(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    bench = {"block_metres": 1000, "distance_metres": 100, "shots": 2}
    content = {"defaults": ["recipe", "_self_"], "name": "own", "bench": bench}
    file.write_text(yaml.safe_dump(content))
    own = load_protocol(str(file), load_suite("geobench"))
    assert labels_of(own).portion == Portion(shots=2, blocks=Blocks(1000, 100))
    assert labels_of(own, distance_metres=50).portion.blocks == Blocks(1000, 50)
    assert labels_of(own, block_metres=500).portion.blocks == Blocks(500, 0)
    assert labels_of(own, block_metres=0).portion == Portion(shots=2)
    quick = load_protocol("quick", load_suite("geobench"))
    with pytest.raises(RequestError, match=r"--distance-metres: .*Add --block-metres"):
        labels_of(quick, distance_metres=50)


@pytest.mark.parametrize(
    "portion",
    [FAR, Portion(0.1, blocks=Blocks(1500.5)), Portion(shots=5, blocks=Blocks(3e7, 0.25))],
)
def test_drawn_splits_are_read_as_they_are_named(portion: Portion) -> None:
    assert read_portion(portion.name) == portion


@pytest.mark.parametrize("end", ["0 m", "x m", "-5 m", "10 m, nan m apart", "10 m, 5 m", "inf m"])
def test_no_other_text_names_drawn_splits(end: str) -> None:
    assert read_portion(f"100% by blocks of {end}") is None

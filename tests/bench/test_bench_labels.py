"""Runs on some of the training labels: shares and episodes, from the command to the table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench_support
import numpy as np
import pytest
import ray
import yaml
from bench_support import folders, play, request_of, small_suite
from test_bench_leaderboard import classification, line, written
from test_bench_run_cli import bench, demo
from typer.testing import CliRunner

from iterate.bench.leaderboard.portion import Portion, read_portion
from iterate.bench.leaderboard.results_csv import write_results
from iterate.bench.leaderboard.score import Repeats, Score
from iterate.bench.runs.board import board_of
from iterate.bench.runs.labels import episode_seeds, labels_of
from iterate.bench.runs.plan import Request, cells_of, drawn_shares
from iterate.bench.runs.protocol import load_protocol
from iterate.bench.suites.suite import load_suite
from iterate.cli.bench.app import app
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.recipe import Recipe


@pytest.fixture(scope="module", autouse=True)
def _stand_ins_travel(one_ray: None) -> Iterator[None]:
    # Workers do not see the folder of the stand-ins.
    ray.cloudpickle.register_pickle_by_value(bench_support)
    yield
    ray.cloudpickle.unregister_pickle_by_value(bench_support)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of scenes and a set of masks, both small."""
    folder = tmp_path_factory.mktemp("root")
    demo().make_root(folder, drawn=("m-forestnet", "m-pv4ger-seg"), samples=(40, 6, 6), size=32)
    return folder


def recipes(request: Request) -> dict[str, Recipe]:
    """Study → its recipe."""
    return {cell.name: cell.loaded.recipe for cell in cells_of(request)[0]}


def geobench(root: Path, **labels: Any) -> Request:
    datasets = "m-forestnet,m-pv4ger-seg"
    return request_of(root, "geobench", "quick", "test_resnet=none", datasets, **labels)


def test_a_share_is_that_of_the_files_and_else_drawn(root: Path) -> None:
    for name in ("0.50x", "50%", "0.50x_train", "0.50x_train_partition.json"):
        for one in recipes(geobench(root, partition=name)).values():
            assert (one.data.model_dump()["partition"], one.data.share) == ("0.50x", None)
    for one in recipes(geobench(root, partition="0.3x")).values():
        assert (one.data.model_dump()["partition"], one.data.share) == ("default", 0.3)
        assert len(prepare(one).training) == 12


def test_shots_are_the_same_episodes_for_every_backbone(tmp_path: Path) -> None:
    suite = small_suite(tmp_path)
    data = folders(tmp_path / "data", suite, "alpha")
    names = "resnet10t=none,resnet14t=none"
    request = request_of(data, suite, "quick", names, "alpha", shots=5, episodes=4)
    cells, _ = cells_of(request)
    asked = {(one.loaded.config.search.repeats, one.loaded.config.search.seeds) for one in cells}
    ((repeats, seeds),) = asked
    assert repeats == len(set(seeds)) == 4
    assert seeds[:2] == (913, 205)  # the protocol's own come first
    assert {one.loaded.recipe.data.shots for one in cells} == {5}
    # More episodes go on where those before ended.
    assert tuple(episode_seeds(request.protocol, 6)[:4]) == seeds


def test_episodes_stand_in_the_results_and_are_ranked_alone(tmp_path: Path) -> None:
    suite = small_suite(tmp_path)
    data = folders(tmp_path / "data", suite, "alpha")
    words = ("search.trials=2", "trainer.epochs=2", "resources.concurrent=1")
    request = request_of(
        data, suite, "quick", "resnet10t=none", "alpha", words, shots=5, episodes=3
    )
    result, _ = play(request, tmp_path / "run")
    assert result.board is not None
    file = tmp_path / "run/results_and_parameters.csv"
    with file.open(encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    assert [(row["partition name"], row["data_percentages"]) for row in rows] == [
        ("5-shot", "")
    ] * 3
    (row,) = result.board.datasets
    assert row.n == 3
    about = json.loads((tmp_path / "run/leaderboard.json").read_text(encoding="utf-8"))["about"]
    assert about["sources"][-1]["run"]["shots"] == 5
    page = (tmp_path / "run/leaderboard.md").read_text(encoding="utf-8")
    assert "5 training samples of each class, drawn anew for each repeat" in page
    # The folder holds this question's results and no other's.
    other = request_of(data, suite, "quick", "resnet10t=none", "alpha", words)
    with pytest.raises(RequestError, match=r"--shots: was 5, now left out\."):
        play(other, tmp_path / "run")
    found = CliRunner().invoke(app, ["leaderboard", str(file), "--suite", suite])
    assert "no row has the share 1 of the training data. There are: 5-shot." in str(found.exception)
    command = ["leaderboard", str(file), "--suite", suite, "--fraction", "5-shot", "--json"]
    (again,) = json.loads(CliRunner().invoke(app, command).stdout)[-1:]
    assert again["mean"] == row.mean


def test_episodes_train_on_other_samples_and_test_on_all(root: Path, tmp_path: Path) -> None:
    words = [
        *("--data", str(root), "--out", str(tmp_path / "run"), "--backbones", "test_resnet=none"),
        *("--datasets", "m-forestnet", "search.trials=1", "trainer.epochs=1"),
    ]
    found, told = bench(*words, "--shots", "2", "--episodes", "3")
    (study,) = found["studies"]
    assert len(study["repeats"]) == 3
    mapping = yaml.safe_load((tmp_path / "run" / study["name"] / "recipe.yaml").read_text())
    draws = []
    for repeat in study["repeats"]:
        prepared = prepare(Recipe.parse({**mapping, "seed": repeat["seed"]}))
        labels = np.array(prepared.pack.targets("train"))
        there = np.bincount(labels, minlength=12)
        drawn = np.bincount(labels[prepared.training], minlength=12)
        assert drawn.tolist() == np.minimum(there, 2).tolist()
        assert len(prepared.pack.names("test")) == 6
        draws.append(tuple(prepared.training))
    assert len(set(draws)) == 3
    assert found["folder"].endswith("run")
    assert "2 training samples of each class" in " ".join(told.split())
    # Runs of other labels have other names, but this folder is of these.
    quick = ["--suite", "geobench", "--protocol", "quick", "resources.gpu=0", *words]
    refused = CliRunner().invoke(app, [*quick, "--shots", "3"]).exception
    assert isinstance(refused, RequestError)
    assert "--shots: was 2, now 3." in str(refused)
    assert "name another folder with --out" in str(refused)


def test_a_drawn_share_is_said(root: Path, tmp_path: Path) -> None:
    request = geobench(root, partition="0.25x")
    score = Score(
        "test_resnet", "m-forestnet", "full_ft", "Accuracy", 1, 0.5, request.percent / 100
    )
    results = write_results(tmp_path / "results_and_parameters.csv", [Repeats((score,))])
    assert ",25%," in (tmp_path / "results_and_parameters.csv").read_text(encoding="utf-8")
    (note,) = [one for one in board_of(request, results, [], [], []).notes if "define" in one]
    assert note.startswith(
        "m-forestnet, m-pv4ger-seg: the files define no 0.25x of the training data; one was drawn"
    )
    assert drawn_shares(geobench(root, partition="0.50x")) == []


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"partition": "half"}, "--partition: must be a share of the training samples"),
        ({"partition": "5-shot"}, "--partition: must be a share of the training samples"),
        ({"partition": "0.10x", "shots": 5}, "and so do shots"),
        ({"episodes": 5}, "--episodes: episodes are draws of so many samples of each class"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, Any], says: str) -> None:
    protocol = load_protocol("quick", load_suite("geobench"))
    with pytest.raises(RequestError) as error:
        labels_of(protocol, **asked)
    assert says in str(error.value)


def test_labels_that_the_table_would_not_tell_are_refused(root: Path) -> None:
    asked = geobench(root, overrides=("data.shots=3",))
    with pytest.raises(RequestError, match="Say --partition or --shots"):
        cells_of(asked)


def test_the_command_line_takes_the_place_of_the_protocol(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    content = {"defaults": ["recipe", "_self_"], "name": "own"}
    content["bench"] = {"shots": 5, "episodes": 4}
    file.write_text(yaml.safe_dump(content))
    own = load_protocol(str(file), load_suite("geobench"))
    assert (labels_of(own).portion, labels_of(own).episodes) == (Portion(shots=5), 4)
    assert labels_of(own, shots=1).portion == Portion(shots=1)
    assert labels_of(own, shots=1).episodes == 4
    assert labels_of(own, partition="0.10x").portion == Portion(0.1)
    assert labels_of(own, partition="default").portion == Portion()


@pytest.mark.parametrize("portion", [Portion(), Portion(0.1), Portion(0.333), Portion(shots=5)])
def test_a_portion_is_read_as_it_is_named(portion: Portion) -> None:
    assert read_portion(portion.name) == portion


def test_rows_of_shots_are_no_rows_of_all_data(tmp_path: Path) -> None:
    few = [row.replace("100%", "5-shot") for row in classification("a", 0.4)]
    path = written(tmp_path / "r.csv", [*few, *classification("a", 0.5), line("so2sat", 0.5, 9)])
    for asked, count in (("1", 6), ("100%", 6), ("5-shot", 5)):
        command = ["leaderboard", str(path), "--suite", "geobench-2", "--json", "--fraction", asked]
        rows = json.loads(CliRunner().invoke(app, command).stdout)
        assert [row["n"] for row in rows if row["group"] == "so2sat"] == [count]
    refused = CliRunner().invoke(
        app, ["leaderboard", str(path), "--suite", "geobench-2", "--fraction", "2"]
    )
    assert "--fraction: must be a share above 0 to 1, or such as 5-shot" in str(refused.exception)

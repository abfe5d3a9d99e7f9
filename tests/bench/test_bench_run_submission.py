"""From a run of GEO-Bench-2 to a submission, on given curves."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import bench_support
import pytest
import ray
from bench_support import folders, play, request_of
from typer.testing import CliRunner

from iterate.bench.leaderboard.csv_table import table
from iterate.bench.leaderboard.results_csv import REAL, RESULTS_FILE, TEXT, WHOLE
from iterate.bench.leaderboard.submission import INFO_TEXT, check_submission
from iterate.bench.suites.suite import load_suite
from iterate.cli.bench.app import app
from iterate_core.errors import RequestError

SUITE = load_suite("geobench-2")
GROUP = ("benv2", "treesatai", "so2sat", "forestnet")
SEEDS = ["913", "205", "2254", "2007", "1829"]
WORDS = ("search.trials=2", "resources.gpu=0", "resources.cpu=1", "trainer.precision=32-true")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two backbones over the classification group, under the published protocol's seeds."""
    base = tmp_path_factory.mktemp("submission")
    root = folders(base / "data", "geobench-2", ",".join(GROUP))
    request = request_of(
        root, "geobench-2", "geobench-2-full", "resnet50=none,resnet18=none", ",".join(GROUP), WORDS
    )
    ray.cloudpickle.register_pickle_by_value(bench_support)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    result, _ = play(request, base / "run")
    assert result.gaps == ()
    yield base / "run"
    ray.cloudpickle.unregister_pickle_by_value(bench_support)
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_a_complete_group_of_five_seeds_is_a_valid_submission(ran: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["submit", str(ran), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "new_submission"
    assert check_submission(folder, SUITE) == []
    assert sorted(path.name for path in folder.iterdir()) == [
        "additional_info.json", "results_and_parameters.csv",
    ]  # fmt: skip
    header, rows, _ = table(folder / RESULTS_FILE)
    assert set(header) == {*TEXT, *WHOLE, *REAL}
    assert len(rows) == 2 * 4 * 5
    for backbone in ("resnet50", "resnet18"):
        for dataset in GROUP:
            own = [r["Seed"] for r in rows if (r["backbone"], r["dataset"]) == (backbone, dataset)]
            assert own == SEEDS
    assert {row["Metric"] for row in rows} == {"Multilabel_F1_Score", "Overall_Accuracy"}
    assert {row["early_stop_patience"] for row in rows} == {"10"}
    assert {row["data_percentages"] for row in rows} == {"100"}


def test_a_run_is_checked_without_writing_and_told_what_is_empty(ran: Path) -> None:
    before = sorted(path.name for path in ran.iterdir())
    done = CliRunner().invoke(app, ["submit", str(ran)])
    assert done.exit_code == 0, done.output
    assert "says nothing of Paper Link, Code Repository Link, License" in done.output
    assert sorted(path.name for path in ran.iterdir()) == before


def test_the_draft_says_what_the_run_knows_and_is_never_overwritten(ran: Path) -> None:
    info = json.loads((ran / "additional_info.json").read_text())
    assert set(INFO_TEXT) <= set(info)
    assert info["Number of HPO trials"] == "2"
    # resnet50 is known to the leaderboard; resnet18 is new to it.
    assert [model["unique_backbone_key"] for model in info["New model info"]] == ["resnet18"]


def test_four_seeds_are_refused_and_nothing_is_written(ran: Path, tmp_path: Path) -> None:
    lines = (ran / RESULTS_FILE).read_text().splitlines(keepends=True)
    lacking = [line for line in lines if not ("so2sat" in line and ",resnet50," in line
                                              and ",1829," in line)]  # fmt: skip
    assert len(lacking) == len(lines) - 1
    (tmp_path / RESULTS_FILE).write_text("".join(lacking))
    (tmp_path / "additional_info.json").write_text((ran / "additional_info.json").read_text())
    done = CliRunner().invoke(
        app, ["submit", str(tmp_path / RESULTS_FILE), "--out", str(tmp_path / "out")]
    )
    assert isinstance(done.exception, RequestError)
    assert "resnet50 on so2sat has 4 rows; 5 are needed" in str(done.exception)
    assert not (tmp_path / "out" / "new_submission").exists()

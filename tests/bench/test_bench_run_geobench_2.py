"""All of GEO-Bench-2: published files where there are any, drawn ones of their layout elsewhere."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from test_bench_run_cli import demo
from typer.testing import CliRunner

from iterate.bench.leaderboard.submission import check_submission
from iterate.bench.suites.suite import load_suite
from iterate.cli.bench.app import app

Find = Callable[[str], Path]
BACKBONES = ("test_resnet", "test_vit")
REAL = ["benv2", "flair2", "pastis", "everwatch", "pastis_r"]


def test_published_files_are_taken_and_the_rest_is_drawn(shared_data: Find, tmp_path: Path) -> None:
    given, drawn = demo("demo_2").make_root(tmp_path, shared_data("geobench_v2"), (1, 1, 1), 16)
    assert given == REAL
    assert {*given, *drawn} == set(load_suite("geobench-2").datasets)
    assert (tmp_path / "pastis/pastis.tortilla").is_symlink()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nothing_is_a_gap_every_group_is_ranked_and_the_submission_is_valid(
    shared_data: Find, tmp_path: Path
) -> None:
    root, out, suite = tmp_path / "data", tmp_path / "run", load_suite("geobench-2")
    demo("demo_2").make_root(root, shared_data("geobench_v2"))
    words = [
        "--suite", "geobench-2", "--protocol", "quick", "--data", str(root), "--out", str(out),
        "--backbones", ",".join(f"{name}=none" for name in BACKBONES), "resources.gpu=0",
        "search.trials=1", "search.repeats=5", "trainer.epochs=1",
    ]  # fmt: skip
    assert CliRunner().invoke(app, words).exit_code == 0

    summary = json.loads((out / "summary.json").read_text())
    assert summary["gaps"] == []
    assert len(summary["studies"]) == len(suite.datasets) * len(BACKBONES) == 19 * 2
    rows = json.loads((out / "leaderboard.json").read_text())["rows"]
    scored = {(row["group"], row["backbone"]) for row in rows if math.isfinite(row["value"])}
    assert scored == set(product([*suite.groups, *suite.datasets], BACKBONES))
    done = CliRunner().invoke(app, ["submit", str(out), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert check_submission(tmp_path / "new_submission", suite) == []

"""A run that was stopped says what it owes, and how it is finished."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bench_support import folders, request_of, settings_in, stand_in
from typer.testing import CliRunner

from iterate.bench.leaderboard.results_csv import RESULTS_FILE, write_results
from iterate.bench.leaderboard.score import Repeats, Score
from iterate.bench.runs import unfinished
from iterate.bench.runs.plan import Plan, cells_of, check_cells
from iterate.cli.bench.app import app
from iterate.cli.bench.run import _again
from iterate_core.errors import RequestError

TASKS = {"benv2": "multilabel", "treesatai": "multilabel", "so2sat": "classification"}


def plan_of(root: Path, backbones: str) -> Plan:
    """Five repeats of each backbone on three datasets."""
    data, names = folders(root / "data", "geobench-2", ",".join(TASKS)), ",".join(TASKS)
    request = request_of(data, "geobench-2", "geobench-2-full", backbones, names)
    cells, gaps = cells_of(request)
    plan = Plan(gaps=gaps)
    check_cells(request, cells, plan, settings_in(root / "run"), partial(stand_in, tasks=TASKS))
    return plan


def found(dataset: str, seeds: tuple[int, ...]) -> Repeats:
    metric = "Overall_Accuracy" if dataset == "so2sat" else "Multilabel_F1_Score"
    scores = (Score("resnet18", dataset, "full_ft", metric, seed, 0.5, 1.0) for seed in seeds)
    return Repeats(tuple(scores))


def submit(source: Path) -> str:
    done = CliRunner().invoke(app, ["submit", str(source)])
    assert isinstance(done.exception, RequestError)
    return str(done.exception)


def test_a_stopped_run_is_not_handed_in(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "studies.db").touch()
    first, second = (plan_of(tmp_path, f"{name}=none") for name in ("resnet18", "resnet50"))
    unfinished.begin(run, first, "iterate bench first")
    unfinished.begin(run, second, "iterate bench second")
    results = (found("benv2", (1, 2, 3, 4, 5)), found("treesatai", (1, 2)))
    write_results(run / RESULTS_FILE, results)
    for source in (run, run / RESULTS_FILE):
        assert submit(source) == (
            f"{run}: this run is not finished: 23 of 30 results are missing: "
            "resnet18 on treesatai (3 of 5 seeds), resnet18 on so2sat (5 of 5 seeds), "
            "resnet50 on benv2 (5 of 5 seeds), 2 more. "
            "Finish it: iterate bench first and iterate bench second"
        )
    # What the second command has come to the end of is not owed, whatever failed in it.
    unfinished.end(run, second)
    assert "8 of 15 results are missing" in submit(run)
    unfinished.end(run, first)
    assert not (run / unfinished.UNFINISHED_FILE).exists()
    told = submit(run)
    assert "is missing. It says what people should know of a submission" in told
    assert "must hold two files only" not in told


def test_a_fresh_run_is_taken_up_by_its_folder() -> None:
    words = ["bench", "--suite", "geobench-2", "--fresh", "--out", "a", "search.trials=2"]
    assert _again(words, Path("my runs/a-2")) == (
        "iterate bench --suite geobench-2 search.trials=2 --out 'my runs/a-2'"
    )
    secret = ["bench", "search.storage=postgresql://me:secret@host/db"]
    assert _again(secret, Path("a")) == "iterate bench search.storage=postgresql://me:***@host/db"

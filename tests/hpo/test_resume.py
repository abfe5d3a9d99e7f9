"""A run that is killed at any moment and started again ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from mlflow import MlflowClient
from optuna.trial import FrozenTrial, TrialState
from resume_support import EPOCHS, SEARCH


def command(folder: Path, *words: str) -> list[str]:
    search = folder / "search.yaml"
    search.write_text(SEARCH, encoding="utf-8")
    out = str(folder / "out")
    return [sys.executable, "-m", "iterate", "hpo", str(search), "--out", out, "--json", *words]


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"ITERATE_CACHE": str(folder.parent / "cache")}


def finish(folder: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        command(folder, *words), capture_output=True, text=True, env=environment(folder)
    )
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def start_and_kill(folder: Path, whom: str, after: float, *words: str) -> None:
    """Start the command, let it work for a while, and kill the driver or one of its workers."""
    process = subprocess.Popen(
        command(folder, *words),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(folder),
    )
    deadline = time.monotonic() + after
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    if whom == "worker":
        for victim in [p for p in family if "ray::Worker" in _name(p)][:1]:
            victim.kill()
        time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    psutil.wait_procs(family, timeout=30)


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def trials(folder: Path) -> list[FrozenTrial]:
    database = folder / "out/studies.db"
    if not database.exists():
        return []
    try:
        return optuna.load_study(study_name="killed", storage=f"sqlite:///{database}").trials
    except KeyError:  # killed before the study was written
        return []


def ended(folder: Path) -> dict[int, dict[str, Any]]:
    return {
        trial.number: {"params": trial.params, "value": trial.value, "notes": trial.user_attrs}
        for trial in trials(folder)
        if trial.state.is_finished()
    }


def files(folder: Path) -> set[Path]:
    transient = ("-wal", "-shm", "-journal")
    found = (folder / "out").rglob("*")
    return {path for path in found if not path.name.endswith((*transient, ".part"))}


def kill_and_continue(folder: Path, kills: int, *words: str) -> dict[str, Any]:
    chance = random.Random(7)
    for attempt in range(kills):
        before, there = ended(folder), files(folder)
        whom = "worker" if attempt % 3 == 2 else "driver"
        start_and_kill(folder, whom, chance.uniform(4, 22), *words)
        after = ended(folder)
        assert {number: after[number] for number in before} == before
        assert there <= files(folder)
    return finish(folder, *words)


def check_mlflow(folder: Path, count: int) -> None:
    client = MlflowClient(f"sqlite:///{folder / 'out/mlflow.db'}")
    experiment = client.get_experiment_by_name("killed")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    kinds = [run.data.tags["iterate.kind"] for run in runs]
    assert sorted(kinds) == ["repeat", "study", *["trial"] * count]
    for run in runs:
        assert run.info.status == "FINISHED"
        if run.data.tags["iterate.kind"] == "trial":
            history = client.get_metric_history(run.info.run_id, "val/accuracy")
            assert [point.step for point in history] == [*range(1, EPOCHS + 1)]


@pytest.mark.parametrize(("kills", "count"), [(2, 4), pytest.param(10, 12, marks=pytest.mark.slow)])
@pytest.mark.timeout(1500)
def test_killed_runs_lose_nothing_and_train_nothing_twice(
    tmp_path: Path, kills: int, count: int
) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    whole.mkdir()
    words = (f"search.trials={count}",)
    summary = kill_and_continue(killed, kills, *words)
    assert summary["studies"][0]["trials"] == {"complete": count, "pruned": 0, "failed": 0}
    assert [trial.state for trial in trials(killed)] == [TrialState.COMPLETE] * count
    check_mlflow(killed, count)

    undisturbed = finish(whole, *words)
    assert [t.params for t in trials(killed)] == [t.params for t in trials(whole)]
    assert [t.value for t in trials(killed)] == [t.value for t in trials(whole)]
    assert summary["studies"][0]["test"] == undisturbed["studies"][0]["test"]

    began = time.monotonic()
    assert finish(killed, *words)["studies"] == summary["studies"]
    assert time.monotonic() - began < 60

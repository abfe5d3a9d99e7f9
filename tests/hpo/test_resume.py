"""A run that is killed at any moment and started again ends as if nothing had happened."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from door_support import Command, commands
from mlflow import MlflowClient
from optuna.trial import FrozenTrial, TrialState
from resume_support import EPOCHS, SEARCH


def command(folder: Path, *words: str) -> list[str]:
    search = folder / "search.yaml"
    search.write_text(SEARCH, encoding="utf-8")
    out = str(folder / "out")
    return [sys.executable, "-m", "iterate", "hpo", str(search), "--out", out, "--json", *words]


@pytest.fixture
def iterate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """The command in this process."""
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    return commands(monkeypatch, capsys)


def finish(iterate: Command, folder: Path, *words: str) -> dict[str, Any]:
    _, _, _, *asked = command(folder, *words)
    said = iterate(*asked)
    assert said.code == 0, said.err
    summary: dict[str, Any] = json.loads(said.out)
    return summary


def start_and_kill(folder: Path, whom: str, due: Callable[[], bool], *words: str) -> None:
    """Start the command, let it work until it is due, and kill the driver or a worker of it."""
    process = subprocess.Popen(
        command(folder, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not due() and process.poll() is None:
        time.sleep(0.02)
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    if whom == "worker":
        for victim in [p for p in family if _name(p) == "iterate-worker"][:1]:
            victim.kill()
        time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    psutil.wait_procs(family, timeout=30)


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
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


Moments = Callable[[Path], Iterator[tuple[str, Callable[[], bool]]]]


def amid_the_third_trial(folder: Path) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Once, when two workers have ended one trial at least, and train another."""
    yield "driver", lambda: any((folder / "out/trials/0002").glob("*.ckpt"))
    assert ended(folder)


def ten_times(folder: Path) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Whenever it may be: while the command starts, draws, trains, writes or repeats."""
    chance = random.Random(7)
    for attempt in range(10):
        deadline = time.monotonic() + chance.uniform(4, 22)
        whom = "worker" if attempt % 3 == 2 else "driver"
        yield whom, lambda deadline=deadline: time.monotonic() >= deadline  # type: ignore[misc]


def kept_through(folder: Path, work: Callable[[], Any]) -> Any:
    """What some work gives, through which no trial that ended, and no file, may change or go."""
    before, there = ended(folder), files(folder)
    done = work()
    after = ended(folder)
    assert {number: after[number] for number in before} == before
    assert there <= files(folder)
    return done


def kill_and_continue(
    iterate: Command, folder: Path, moments: Moments, *words: str
) -> dict[str, Any]:
    for whom, due in moments(folder):
        kept_through(folder, partial(start_and_kill, folder, whom, due, *words))
    summary: dict[str, Any] = kept_through(folder, partial(finish, iterate, folder, *words))
    return summary


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


@pytest.mark.parametrize(
    ("moments", "count"),
    [(amid_the_third_trial, 3), pytest.param(ten_times, 12, marks=pytest.mark.slow)],
)
@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("one_ray")  # of what goes on and what is undisturbed, in this process
def test_killed_runs_lose_nothing_and_train_nothing_twice(
    iterate: Command, tmp_path: Path, moments: Moments, count: int
) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    whole.mkdir()
    words = (f"search.trials={count}", "resources.concurrent=2")
    summary = kill_and_continue(iterate, killed, moments, *words)
    assert summary["studies"][0]["trials"] == {"complete": count, "pruned": 0, "failed": 0}
    assert [trial.state for trial in trials(killed)] == [TrialState.COMPLETE] * count
    check_mlflow(killed, count)

    undisturbed = finish(iterate, whole, *words, "tracking.enabled=false")
    assert [t.params for t in trials(killed)] == [t.params for t in trials(whole)]
    assert [t.value for t in trials(killed)] == [t.value for t in trials(whole)]
    assert summary["studies"][0]["test"] == undisturbed["studies"][0]["test"]

    began = time.monotonic()
    assert finish(iterate, killed, *words)["studies"] == summary["studies"]
    assert time.monotonic() - began < 60

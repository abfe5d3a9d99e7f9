"""What a worker sees, and how the pool gets rid of one that hangs or takes too long."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from pool_support import make_study

from iterate.hpo import hardware
from iterate.hpo.jobs import Job, Progress, Train
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool import own_ray
from iterate.hpo.pool.cluster import cluster
from iterate.hpo.pool.forked import pool as forked_pool
from iterate.hpo.pool.workplace import Workplace
from iterate.hpo.settings import RaySettings, ResourceSettings
from iterate.hpo.shares import check_local
from iterate.hpo.storage.open import open_storage
from iterate.hpo.study import Study
from iterate.hpo.trials.view import TrialView
from iterate_core.engine.reports import EpochReport
from iterate_core.errors import RequestError


@pytest.fixture(scope="module", params=["forked", "ray"])
def two_gpus(request: pytest.FixtureRequest) -> Iterator[Workplace]:
    """Workers on this machine, told of two GPUs that are not there."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    there = {"CPU": 4.0, "GPU": 2.0}
    wanted = [ResourceSettings()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_ray, "gpus", lambda: 2)
        patch.setattr(own_ray, "usable_cores", lambda: 4)
        patch.setattr(forked_pool, "gpu_names", lambda: ["0", "1"])
        patch.setattr(forked_pool, "machine", lambda: there)
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        kind = request.param
        with (
            forked_pool.forked(wanted) if kind == "forked" else cluster(RaySettings(), wanted)
        ) as place:
            yield place


Play = Callable[..., list[TrialView]]


@pytest.fixture
def play(two_gpus: Workplace, tmp_path: Path) -> Play:
    """Run a study to its end with a stand-in for training; gives its trials."""

    def run(study: Study, train: Train) -> list[TrialView]:
        ledger = Ledger(study, open_storage(None, tmp_path), tmp_path)
        two_gpus.run([ledger], train)
        assert ledger.finished
        return ledger.history("trial")

    return run


def held(study: Study, **resources: Any) -> Study:
    return dataclasses.replace(study, resources=ResourceSettings(**resources))


def epoch(number: int, *, done: bool = False) -> Progress:
    report = EpochReport(number, {"val/score": 0.5}, 0.5, 0.5, 0.0, done)
    return Progress((report,), done=done)


# GPUs


def looks(job: Job) -> Iterator[Progress]:
    """A trial that says which GPUs CUDA would show it."""
    yield Progress(device=f"sees {os.environ.get('CUDA_VISIBLE_DEVICES', 'all')!r}")
    time.sleep(0.5)
    yield epoch(1, done=True)


def looks_beside_another(job: Job) -> Iterator[Progress]:
    """As `looks`, by two trials that wait for each other: both hold what they see at once."""
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / "began").touch()
    deadline = time.monotonic() + 120
    while len(list(job.folder.parent.glob("*/began"))) < 2:
        assert time.monotonic() < deadline, "the other trial never began"
        time.sleep(0.05)
    yield from looks(job)


def seen(trials: list[TrialView]) -> list[str]:
    return sorted(trial.device for trial in trials)


def test_a_trial_takes_one_gpu_where_there_are_some_and_sees_no_other(play: Play) -> None:
    assert seen(play(make_study(trials=2), looks_beside_another)) == ["sees '0'", "sees '1'"]


def test_a_trial_sees_all_the_gpus_it_holds(play: Play) -> None:
    trials = play(held(make_study(trials=1), gpu=2), looks)
    assert seen(trials) in (["sees '0,1'"], ["sees '1,0'"])


def test_a_trial_without_a_gpu_sees_none(play: Play) -> None:
    assert seen(play(held(make_study(trials=2), gpu=0), looks)) == ["sees ''"] * 2


@pytest.mark.parametrize("accelerator", ["cpu", "mps"])
def test_trials_of_a_recipe_for_no_gpu_of_rays_hold_none(accelerator: str, play: Play) -> None:
    study = make_study(trials=2)
    trainer = study.recipe.trainer.model_copy(update={"accelerator": accelerator})
    recipe = study.recipe.model_copy(update={"trainer": trainer})
    assert seen(play(dataclasses.replace(study, recipe=recipe), looks)) == ["sees ''"] * 2


def test_a_recipe_for_the_gpu_is_refused_where_its_trials_hold_none(play: Play) -> None:
    study = held(make_study(), gpu=0)
    trainer = study.recipe.trainer.model_copy(update={"accelerator": "gpu"})
    recipe = study.recipe.model_copy(update={"trainer": trainer})
    with pytest.raises(RequestError, match=r"trainer.accelerator: is gpu, .*resources.gpu is 0"):
        play(dataclasses.replace(study, recipe=recipe), looks)


@pytest.mark.parametrize(
    ("named", "count"),
    [(None, 4), ("", 0), ("-1", 0), ("NoDevFiles", 0), ("2", 1), ("0,1,-1,2", 2), ("0,1,2,3,4", 4)],
)
def test_gpus_are_counted_as_the_environment_leaves_them(
    monkeypatch: pytest.MonkeyPatch, named: str | None, count: int
) -> None:
    monkeypatch.setattr(hardware, "_driver_gpus", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert hardware.gpus() == count


def test_more_gpus_than_this_machine_has_are_refused_before_ray_starts() -> None:
    with pytest.raises(RequestError, match=r"resources.gpu: a trial asks for 99, this machine has"):
        check_local(RaySettings(), [held(make_study(), gpu=99)])


# Hours and silence


def never_ends(job: Job) -> Iterator[Progress]:
    """The first trial hangs before its first epoch, the second after it."""
    yield Progress(training=True)
    if job.number == 0:
        time.sleep(10**6)
    yield epoch(1)
    if job.number == 1:
        time.sleep(10**6)
    yield epoch(2, done=True)


def test_a_silent_worker_is_ended_and_its_trial_has_failed(play: Play) -> None:
    trials = play(make_study(trials=4, silence_minutes=0.05), never_ends)
    states = [trial.state for trial in trials]
    assert states == ["FAIL"] * 2 + ["COMPLETE"] * 2
    for trial in trials[:2]:
        assert trial.failure == (
            "its worker gave no sign of life for 0.05 minutes (search.silence_minutes)"
        )


def slow_but_alive(job: Job) -> Iterator[Progress]:
    """No epoch for long, but signs of life as the engine gives them, only more often."""
    from iterate.hpo import execute
    from iterate_core.heartbeat import beat

    job.folder.mkdir(parents=True)
    (job.folder / ".lock").touch()
    execute._SECONDS_BETWEEN_SIGNS = 1.0
    with execute.signs_of_life(job.folder):
        for _ in range(80):
            beat()
            time.sleep(0.1)
    yield epoch(1, done=True)


def test_a_long_epoch_is_no_silence_while_batches_go_on(play: Play) -> None:
    (trial,) = play(make_study(trials=1, silence_minutes=0.1), slow_but_alive)
    assert trial.state == "COMPLETE"


def test_a_trial_past_its_hours_is_pruned_with_its_epochs_or_has_failed_without(
    play: Play,
) -> None:
    trials = play(make_study(trials=4, trial_hours=0.001), never_ends)
    states = [trial.state for trial in trials]
    assert states == ["FAIL", "PRUNED", "COMPLETE", "COMPLETE"]
    assert "no epoch was finished within its 0.001 hours" in trials[0].failure
    assert trials[1].curve == {1: 0.5}
    assert trials[1].stopped == "its 0.001 hours (search.trial_hours) were over"


def cold(job: Job) -> Iterator[Progress]:
    """A worker that takes longer to come up than its trial may train."""
    time.sleep(4)
    yield Progress(training=True)
    yield epoch(1, done=True)


def test_a_cold_start_is_no_time_of_its_trial(play: Play) -> None:
    (trial,) = play(make_study(trials=1, trial_hours=0.0005), cold)
    assert trial.state == "COMPLETE"


# What Ray Tune has to say


def test_ray_tune_says_nothing_of_its_own(play: Play) -> None:
    """Its loggers are as they were afterwards."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("ray.tune", "ray")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(handler)
    try:
        play(make_study(trials=2, trial_hours=0.0005), never_ends)
    finally:
        loggers[0].removeHandler(handler)
    assert said == []
    assert [logger.level for logger in loggers] == levels


# Folders


def test_a_working_directory_that_a_node_lacks_is_named(
    two_gpus: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    monkeypatch.setattr(Path, "cwd", lambda: gone)
    ledger = Ledger(make_study(trials=3), open_storage(None, tmp_path), tmp_path)
    two_gpus.run([ledger], looks)
    (reason,) = {trial.failure for trial in ledger.history("trial")}
    assert f"the working directory {gone} is not there on the node" in reason


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%41b", "a {b}", "a&mode=memory?x=1"])
def test_a_study_is_kept_in_its_folder_whatever_the_folders_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    Ledger(make_study(), open_storage(None, folder), folder)
    assert (folder / "studies.db").stat().st_size > 0
    assert {path.name for path in tmp_path.iterdir()} == {name}

"""The pool, forked and on a real Ray, with real Optuna storages and curves instead of training."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import ray
from pool_support import make_study

from iterate.hpo.jobs import Job, Train
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.cluster import cluster
from iterate.hpo.pool.forked.pool import forked
from iterate.hpo.pool.workplace import Workplace
from iterate.hpo.replay import Recorded
from iterate.hpo.settings import RaySettings, ResourceSettings, samplers, schedulers
from iterate.hpo.storage.open import open_storage
from iterate.hpo.study import Study
from iterate.states import State
from iterate_core.errors import MachineError, WorkError


@pytest.fixture(scope="module", params=["forked", "ray"])
def place(request: pytest.FixtureRequest) -> Iterator[Workplace]:
    """Where the studies are worked on; both give the same."""
    # Ray's workers do not see this folder, so what it defines travels with the job.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    wanted = [ResourceSettings()]
    with forked(wanted) if request.param == "forked" else cluster(RaySettings(), wanted) as one:
        yield one


Play = Callable[..., list[Ledger]]


@pytest.fixture
def play(place: Workplace, tmp_path: Path) -> Play:
    """Run studies to their end with a stand-in for training."""

    def run(*studies: Study, train: Train) -> list[Ledger]:
        storage = open_storage(None, tmp_path)
        ledgers = [Ledger(study, storage, tmp_path / study.name) for study in studies]
        place.run(ledgers, train)
        assert all(ledger.finished for ledger in ledgers)
        return ledgers

    return run


def in_turn(ledger: Ledger, train: Train) -> None:
    """Do a study's jobs one after another in this process, without Ray."""
    while (job := ledger.next_job()) is not None:
        for progress in train(job):
            if ledger.record(job.key, progress):
                break


def rising(job: Job) -> Sequence[float]:
    """Every curve ends at its learning rate, and never crosses another."""
    lr = job.recipe["optimiser"]["lr"]
    return [lr * (1 + epoch / 100) for epoch in range(9)]


def states(ledger: Ledger) -> list[State]:
    return [trial.state for trial in ledger.history("trial")]


def test_every_trial_of_every_study_trains_once_and_repeats_follow(play: Play) -> None:
    one = make_study("one", trials=5, repeats=2, sampler={"name": "random"})
    two = make_study("two", trials=3, repeats=3, sampler={"name": "random"}, mode="min")
    first, second = play(one, two, train=Recorded(rising))
    assert states(first) == ["COMPLETE"] * 5
    assert states(second) == ["COMPLETE"] * 3
    best = first.best()
    assert best is not None
    assert best.params["optimiser.lr"] == max(
        t.params["optimiser.lr"] for t in first.history("trial")
    )
    assert best.value == pytest.approx(best.params["optimiser.lr"] * 1.08)
    worst = second.best()
    assert worst is not None
    assert worst.value == pytest.approx(worst.params["optimiser.lr"])
    assert [len(first.repeats_of(best)), len(second.repeats_of(worst))] == [2, 3]
    seeds = {t.seed for ledger in (first, second) for t in ledger.history("repeat")}
    assert len(seeds) == 5


class Openings:
    """Sees which studies have begun and not finished, at every change."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.finished: list[str] = []
        self.most = 0

    def changed(self, ledger: Ledger, job: Job) -> None:
        if job.study not in self.begun:
            self.begun.append(job.study)
        if ledger.finished and job.study not in self.finished:
            self.finished.append(job.study)
        self.most = max(self.most, len(self.begun) - len(self.finished))


def test_no_more_studies_are_open_than_workers_are(place: Workplace, tmp_path: Path) -> None:
    names = [f"study{number}" for number in range(7)]
    studies = [make_study(name, trials=4, repeats=1) for name in names]
    storage = open_storage(None, tmp_path)
    ledgers = [Ledger(study, storage, tmp_path / study.name) for study in studies]
    seen = Openings()
    place.run(ledgers, Recorded(rising), [seen])
    assert seen.begun == names
    assert sorted(seen.finished) == names
    workers = int(place.there["CPU"])
    assert seen.most <= workers + 1  # one job is drawn ahead


@pytest.mark.parametrize("mode", ["max", "min"])
def test_asha_stops_the_worse_curves_in_the_direction_of_the_objective(
    play: Play, mode: str
) -> None:
    scheduler = {"name": "asha", "min_epochs": 1, "reduction_factor": 3}
    study = make_study(trials=18, mode=mode, scheduler=scheduler, sampler={"name": "random"})
    (ledger,) = play(study, train=Recorded(rising))
    trials = ledger.history("trial")
    lr = {
        state: [t.params["optimiser.lr"] for t in trials if t.state == state]
        for state in ("COMPLETE", "PRUNED")
    }
    assert len(lr["PRUNED"]) >= 9
    middle = {state: sum(values) / len(values) for state, values in lr.items()}
    better = middle["COMPLETE"] > middle["PRUNED"]
    assert better == (mode == "max")
    best = ledger.best()
    assert best is not None
    pick = max if mode == "max" else min
    assert best.params["optimiser.lr"] == pick(t.params["optimiser.lr"] for t in trials)
    for trial in trials:
        if trial.state == "PRUNED":
            assert trial.last_epoch in (1, 3)
            assert list(trial.curve.values()) == pytest.approx(
                [trial.params["optimiser.lr"] * (1 + e / 100) for e in range(trial.last_epoch)]
            )


def sometimes_nan(job: Job) -> Sequence[float]:
    return [0.5, math.nan] if job.number % 2 else [0.5, 0.6]


def test_a_metric_that_is_not_finite_fails_its_trial_and_the_study_goes_on(play: Play) -> None:
    (ledger,) = play(make_study(trials=6), train=Recorded(sometimes_nan))
    expected = ["FAIL" if number % 2 else "COMPLETE" for number in range(6)]
    assert states(ledger) == expected
    for trial in ledger.history("trial")[1::2]:
        assert trial.failure == "the objective val/score is nan"
        assert trial.value is None


def always_nan(job: Job) -> Sequence[float]:
    return [math.nan]


def test_one_reason_for_every_failure_ends_the_study(play: Play) -> None:
    (ledger,) = play(make_study(trials=50, repeats=2), train=Recorded(always_nan))
    assert "COMPLETE" not in states(ledger)
    assert len(states(ledger)) <= 6
    assert ledger.stop_reason is not None
    assert "the objective val/score is nan" in ledger.stop_reason
    assert ledger.history("repeat") == []


def out_of_memory(job: Job) -> Sequence[float]:
    raise WorkError(f"GPU memory ran out with batch size {2**job.number}: lower data.batch_size")


def test_failures_of_one_kind_end_the_study_whatever_figures_they_tell(play: Play) -> None:
    (ledger,) = play(make_study(trials=50), train=Recorded(out_of_memory))
    assert set(states(ledger)) == {"FAIL"}
    assert len(states(ledger)) <= 6
    assert ledger.stop_reason is not None
    assert "GPU memory ran out with batch size" in ledger.stop_reason


def falling(job: Job) -> Sequence[float]:
    return [1.0 / (1 + job.number)]


def test_patience_ends_a_search_that_does_not_improve(play: Play) -> None:
    (ledger,) = play(make_study(trials=50, patience=4, concurrent=1), train=Recorded(falling))
    assert 5 <= len(states(ledger)) <= 7
    assert ledger.stop_reason == "4 finished trials in a row did not improve"


def test_grid_visits_every_point_once(play: Play) -> None:
    space = {"optimiser.lr": "choice(0.1, 0.2, 0.3, 0.4, 0.5)"}
    study = make_study(space=space, trials=50, sampler={"name": "grid"})
    (ledger,) = play(study, train=Recorded(rising))
    drawn = sorted(t.params["optimiser.lr"] for t in ledger.history("trial"))
    assert drawn == [0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "cmaes", "gp", "nsgaii"])
def test_points_are_fixed_by_the_name_of_the_study(tmp_path: Path, sampler: str) -> None:
    drawn = []
    for attempt in ("a", "b"):
        folder = tmp_path / attempt
        folder.mkdir()
        study = make_study(trials=4, sampler={"name": sampler}, concurrent=1)
        ledger = Ledger(study, open_storage(None, folder), folder)
        in_turn(ledger, Recorded(rising))
        drawn.append([t.params["optimiser.lr"] for t in ledger.history("trial")])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 4


def dies_twice(job: Job) -> Sequence[float]:
    """The process is killed the first two times it tries job 1."""
    job.folder.mkdir(parents=True, exist_ok=True)
    deaths = len(list(job.folder.glob("death-*")))
    if job.number == 1 and deaths < 2:
        (job.folder / f"death-{deaths}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return [0.5, 0.6]


def test_a_worker_that_dies_is_replaced_and_its_job_goes_on(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        (ledger,) = play(make_study(trials=3), train=Recorded(dies_twice))
    assert states(ledger) == ["COMPLETE"] * 3
    told = "the worker of study/trial/1 has died, perhaps for want of memory; another goes on"
    assert caplog.text.count(told) == 2


def always_dies(job: Job) -> Sequence[float]:
    if job.kind == "trial" and job.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return [0.5]


def test_a_job_whose_workers_are_killed_waits_and_fails_in_the_second_command(
    place: Workplace, tmp_path: Path
) -> None:
    study = make_study(trials=3, repeats=1)

    def command() -> Ledger:
        ledger = Ledger(study, open_storage(None, tmp_path), tmp_path)
        place.run([ledger], Recorded(always_dies))
        return ledger

    # The machine may have been short of memory: the others are trained, and the job waits.
    with pytest.raises(MachineError, match=r"study/trial/1: .* died 3 times, perhaps for want of"):
        command()
    waiting = Ledger(study, open_storage(None, tmp_path), tmp_path)
    assert states(waiting) == ["COMPLETE", "RUNNING", "COMPLETE"]
    assert waiting.history("repeat") == []
    # Whatever the machine was doing then: if the job cannot be kept alive again, it is the job.
    ledger = command()
    assert states(ledger) == ["COMPLETE", "FAIL", "COMPLETE"]
    assert "process died 6 times" in ledger.history("trial")[1].failure
    assert [trial.state for trial in ledger.history("repeat")] == ["COMPLETE"]


def all_die(job: Job) -> Sequence[float]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def test_where_no_worker_can_be_kept_alive_the_run_pauses(place: Workplace, tmp_path: Path) -> None:
    ledger = Ledger(make_study(trials=50), open_storage(None, tmp_path), tmp_path)
    with pytest.raises(MachineError, match="worker processes of several trials died"):
        place.run([ledger], Recorded(all_die))
    assert set(states(ledger)) == {"RUNNING"}
    assert len(states(ledger)) <= 6


PLUG_IN = """
from optuna.pruners import PercentilePruner
from optuna.samplers import PartialFixedSampler, RandomSampler

from iterate_core.registry.registry import Entry
from iterate_core.registry.options import Component


class Fixed(Component):
    name: str = "fixed"
    lr: float = 0.5


class Half(Component):
    name: str = "half"


def sampler(settings, seeds):
    return PartialFixedSampler({"optimiser.lr": settings.lr}, RandomSampler(seeds.trial))


def scheduler(settings, epochs):
    return PercentilePruner(50.0, n_startup_trials=1, n_warmup_steps=epochs - 2)


def add_sampler(registry):
    registry.register(Entry("fixed", Fixed, "plug_in:sampler"))


def add_scheduler(registry):
    registry.register(Entry("half", Half, "plug_in:scheduler"))
"""


def test_samplers_and_schedulers_of_other_packages_search(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plug_in.py").write_text(PLUG_IN)
    package = tmp_path / "plug_in-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: plug-in\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[iterate.samplers]\nfixed = plug_in:add_sampler\n"
        "[iterate.trial_schedulers]\nhalf = plug_in:add_scheduler\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for registry in (samplers, schedulers):  # as in a process that has not looked for any yet
        monkeypatch.setattr(registry, "_discovered", False)
        monkeypatch.setattr(registry, "_entries", {})
    sampler = {"name": "fixed", "lr": 0.25}
    study = make_study(trials=4, sampler=sampler, scheduler="half", concurrent=1)
    (ledger,) = play(study, train=Recorded(worse_each_time))
    assert [t.params["optimiser.lr"] for t in ledger.history("trial")] == [0.25] * 4
    assert states(ledger) == ["COMPLETE"] + ["PRUNED"] * 3


def worse_each_time(job: Job) -> Sequence[float]:
    return [1.0 / (1 + job.number)] * 9

"""What a study's budget counts: hours of work on it, and failures of one kind in this command."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from door_support import commands
from engine_support import recipe
from optuna.storages import BaseStorage
from pool_support import make_space, make_study
from rich.console import Console
from test_results import work

from iterate.cli.views.tables import outcome
from iterate.hpo import account, clock
from iterate.hpo.failures import failed, kind_of
from iterate.hpo.jobs import Job, Progress
from iterate.hpo.ledger import Ledger
from iterate.hpo.results import failure_of, summarise
from iterate.hpo.storage.open import opened_storage
from iterate.hpo.study import Study
from iterate.hpo.trials import running, view
from iterate.resources import shipped
from iterate.run import session
from iterate.run.session import RunResult
from iterate_core.engine import fit
from iterate_core.engine.reports import EpochReport
from iterate_core.engine.resolved import prepare
from iterate_core.errors import Problem, RequestError
from iterate_core.tasks.supervised import SupervisedTask

HOUR = 3600.0


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[BaseStorage]:
    with opened_storage(None, tmp_path) as opened:
        yield opened


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass."""
    now = 1000.0

    def wait(hours: float) -> None:
        nonlocal now
        now += hours * HOUR

    stopped = SimpleNamespace(monotonic=lambda: now, time=lambda: now)
    for module in (clock, account, running, view):
        monkeypatch.setattr(module, "time", stopped)
    return wait


def opened(study: Study, storage: BaseStorage) -> Ledger:
    return Ledger(study, storage, Path(study.name))


def begun(of: Ledger) -> Job:
    """The next job, in the hands of a worker that trains it."""
    job = of.next_job()
    assert job is not None
    of.started(job.key)
    of.record(job.key, Progress(training=True))
    return job


def ended(of: Ledger, job: Job, hours: float, packing: float = 0.0) -> None:
    report = EpochReport(1, {"val/score": 0.5}, 0.5, 0.5, 0.5, done=True)
    seconds = {"held_seconds": hours * HOUR, "preparing_seconds": packing * HOUR}
    of.record(job.key, Progress((report,), done=True, **seconds))


# Hours


def test_checking_and_another_studys_turn_are_no_hours_of_a_study(
    storage: BaseStorage, wait: Callable[[float], None]
) -> None:
    first = opened(make_study("first", hours=1.5, trials=9, sampler="random"), storage)
    second = opened(make_study("second", hours=1.5, trials=9, sampler="random"), storage)
    wait(4)  # checking, packing, Ray
    job = begun(first)
    wait(2)
    ended(first, job, hours=2)
    assert first.next_job() is None
    assert first.stop_reason == "it was worked on for its 1.5 hours"
    assert second.account.worked_seconds == 0
    job = begun(second)
    wait(1)
    ended(second, job, hours=1)
    assert second.account.worked_seconds == pytest.approx(1 * HOUR)
    assert second.next_job() is not None


def test_an_hour_counts_once_however_many_workers_had_jobs_in_it_and_packing_does_not(
    storage: BaseStorage, wait: Callable[[float], None]
) -> None:
    found = opened(make_study(trials=9, sampler="random"), storage)
    one = begun(found)
    wait(1)
    two = begun(found)
    wait(2)
    assert found.account.worked_seconds == pytest.approx(3 * HOUR)  # neither has reported yet
    ended(found, one, hours=3, packing=0.5)
    wait(1)
    ended(found, two, hours=3)
    assert found.account.worked_seconds == pytest.approx(3.5 * HOUR)
    wait(5)
    assert found.account.worked_seconds == pytest.approx(3.5 * HOUR)


def test_what_a_worker_does_before_it_trains_is_no_hour_of_study_or_trial(
    storage: BaseStorage, wait: Callable[[float], None]
) -> None:
    found = opened(make_study(trials=9, sampler="random"), storage)
    job = found.next_job()
    assert job is not None
    for cold in (1, 3):  # the second process replaces the first
        found.started(job.key)
        wait(cold)  # imports
        found.record(job.key, Progress(held_seconds=cold * HOUR, preparing_seconds=HOUR / 2))
        trained = found.running[job.key].trained_seconds
        assert found.account.worked_seconds == trained == (cold > 1) * HOUR
        held = cold * HOUR
        found.record(job.key, Progress(training=True, held_seconds=held, preparing_seconds=held))
        wait(1)
        report = EpochReport(cold, {"val/score": 0.5}, 0.5, 0.5, HOUR, done=False)
        seconds = {"held_seconds": held + HOUR, "preparing_seconds": held}
        found.record(job.key, Progress((report,), **seconds))
    assert found.account.worked_seconds == pytest.approx(2 * HOUR)
    assert found.running[job.key].trained_seconds == pytest.approx(2 * HOUR)


def test_a_worker_that_falls_silent_counts_from_when_it_trained(
    storage: BaseStorage, wait: Callable[[float], None]
) -> None:
    found = opened(make_study(trials=9, sampler="random", silence_minutes=120), storage)
    job = found.next_job()
    assert job is not None
    found.started(job.key)
    wait(1)  # imports
    cold = {"held_seconds": HOUR, "preparing_seconds": HOUR}
    found.record(job.key, Progress(training=True, **cold))
    wait(2)
    found.silent(job.key, 3 * HOUR)
    told = "its worker gave no sign of life for 120 minutes (search.silence_minutes)"
    assert [trial.failure for trial in found.history("trial")] == [told]
    assert found.account.worked_seconds == pytest.approx(2 * HOUR)
    assert found.account.worker_seconds == pytest.approx(3 * HOUR)


def test_trials_that_hang_until_their_time_is_over_use_up_the_hours_of_their_study(
    storage: BaseStorage, wait: Callable[[float], None]
) -> None:
    study = make_study(trials=9, hours=1.5, trial_hours=1, sampler="random")
    found = opened(study, storage)
    for hours in (1, 2):
        job = begun(found)
        wait(1)
        found.out_of_time(job.key, HOUR)
        assert found.account.worked_seconds == pytest.approx(hours * HOUR)
    assert found.next_job() is None
    assert found.stop_reason == "it was worked on for its 1.5 hours"


def test_what_a_worker_trained_before_it_died_stays_counted(
    storage: BaseStorage, wait: Callable[[float], None]
) -> None:
    found = opened(make_study(trials=9, sampler="random"), storage)
    job = begun(found)
    wait(1)
    assert found.account.worked_seconds == pytest.approx(1 * HOUR)
    found.started(job.key)  # by the process that replaces it
    assert found.account.worked_seconds == pytest.approx(1 * HOUR)
    wait(3)  # imports
    found.record(job.key, Progress(training=True))
    wait(1)
    found.killed(job.key, 3)
    assert found.account.worked_seconds == pytest.approx(2 * HOUR)


def test_hours_of_all_commands_count_together(
    storage: BaseStorage, wait: Callable[[float], None]
) -> None:
    study = make_study(trials=9, hours=2.5, sampler="random")
    for _ in range(2):
        found = opened(study, storage)
        wait(7)
        job = begun(found)
        wait(1)
        ended(found, job, hours=1)
    stopped = opened(study, storage)
    begun(stopped)
    wait(1)
    stopped.account.note()  # as a command does that is stopped
    assert opened(study, storage).stop_reason == "it was worked on for its 2.5 hours"


def test_a_budget_that_ends_without_a_finished_trial_is_a_failure_and_advertises_no_recipe(
    storage: BaseStorage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = opened(make_study(trials=9, hours=1.0, sampler="random"), storage)
    found.notes.keep_session(0, [2 * HOUR, 2 * HOUR, 2 * HOUR])
    found = opened(found.study, storage)
    assert found.finished
    told = failure_of(found)
    assert told == "no trial finished, and it was worked on for its 1 hour"
    result = RunResult(summarise([found]), tmp_path, {found.study.name: told}, None)
    assert "recipe.yaml" not in shown(result)
    assert told in " ".join(shown(result).split())
    monkeypatch.setattr(session, "run_studies", lambda *_: result)
    search = str(shipped("search_spaces") / "quickstart.yaml")
    assert commands(monkeypatch, capsys)("hpo", search, "--out", str(tmp_path / "run")).code == 1
    (tmp_path / "recipe.yaml").touch()
    assert "recipe.yaml" in shown(result)


def shown(result: RunResult) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(outcome(result))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("search", "why"),
    [
        ({"hours": 1.5}, "stopped after 2 of 6 trials: it was worked on for its 1.5 hours"),
        ({"patience": 1}, "stopped after 2 of 6 trials: 1 finished trial in a row did not"),
        ({"max_failures": 2}, "stopped after 2 of 6 trials"),
        ({}, None),
    ],
)
def test_the_table_says_why_a_search_ended_before_its_trials(
    storage: BaseStorage,
    wait: Callable[[float], None],
    search: dict[str, Any],
    why: str | None,
) -> None:
    found = opened(make_study(trials=6 if search else 2, sampler="random", **search), storage)
    for _ in range(2):
        if "max_failures" in search:
            fail(found, Progress(failure="memory ran out"))
            continue
        job = begun(found)
        wait(1)
        ended(found, job, hours=1)
    assert found.next_job() is None
    summary = summarise([found])
    told = " ".join(shown(RunResult(summary, Path(), {}, None)).replace("│", " ").split())
    assert (why or "stopped") in told if why else "stopped" not in told
    if "max_failures" not in search:
        assert summary["studies"][0]["worked_seconds"] == pytest.approx(2 * HOUR)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ({"seconds": 12.0}, "took 12 s, of which"),
        ({"seconds": 12.0, "continued": True}, "took 12 s, with the commands before it 60 s;"),
        ({"seconds": 2.0, "continued": True, "worked": False}, "nothing was left to train; in all"),
    ],
)
def test_a_command_tells_its_own_time(command: dict[str, Any], told: str, tmp_path: Path) -> None:
    summary = {"studies": [], "wall_seconds": 60.0, "train_seconds": 5.0}
    assert told in shown(RunResult(summary, tmp_path, {}, None, **command))


# Failures


def fail(of: Ledger, why: Progress) -> None:
    job = of.next_job()
    assert job is not None
    of.record(job.key, why)


def test_out_of_memory_is_one_kind_of_failure_whatever_the_batch_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: BaseStorage
) -> None:
    def exhausted(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(SupervisedTask, "training_step", exhausted)
    found = opened(make_study(trials=12, sampler="random"), storage)
    for size in (4, 8, 12):
        try:
            list(fit.epochs(prepare(recipe(data={"batch_size": size})), tmp_path / str(size)))
        except Exception as error:  # noqa: BLE001 - as a worker does
            fail(found, failed(error, tmp_path))
    texts = {str(trial.failure) for trial in found.history("trial")}
    assert len(texts) == 3
    assert found.next_job() is None
    assert found.finished
    assert "batch size 12" in str(found.stop_reason)


def test_failures_of_several_kinds_do_not_end_a_study(storage: BaseStorage) -> None:
    found = opened(make_study(trials=12, max_failures=2, sampler="random"), storage)
    fail(found, Progress(failure="a", failure_kind="one"))
    fail(found, Progress(failure="a", failure_kind="another"))
    assert found.stop_reason is None


def test_what_failed_before_this_command_may_have_been_mended(storage: BaseStorage) -> None:
    study = make_study(trials=12, repeats=1, max_failures=2, sampler="random")
    why = Progress(failure="the weights are not there", failure_kind="weights")
    first = opened(study, storage)
    fail(first, why)
    fail(first, why)
    assert first.finished
    second = opened(study, storage)
    work(second, [0.5])
    fail(second, why)
    fail(second, why)
    assert not second.finished
    assert second.failing is None
    # Now nothing works any longer: to go on would burn the budget, repeats included.
    third = opened(study, storage)
    fail(third, why)
    fail(third, why)
    assert third.finished
    assert third.best() is not None
    assert (
        failure_of(third)
        == "every trial failed for one kind of reason, such as: the weights are not there"
    )
    assert failure_of(opened(study, storage)) is None


def test_failures_kept_by_an_earlier_version_are_told_apart_by_their_words(
    storage: BaseStorage,
) -> None:
    found = opened(make_study(trials=12, max_failures=2, sampler="random"), storage)
    fail(found, Progress(failure="ran out with batch size 8 of /data/a/b.tif"))
    fail(found, Progress(failure="ran out with batch size 16 of /data/c.tif"))
    assert found.stop_reason is not None


def test_a_wrong_recipe_is_of_the_kind_of_what_is_wrong_with_it() -> None:
    def wrong(where: str, what: str) -> str:
        return kind_of(RequestError(Problem(where, what)))

    heads = wrong("model.heads", "7 heads do not divide 384.")
    assert heads == wrong("model.heads", "5 heads do not divide 96.")
    assert heads != wrong("model.width", "7 heads do not divide 384.")
    assert heads != wrong("model.heads", "7 heads are too many.")


# Points that run out


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
@pytest.mark.parametrize("space", [{}, {"optimiser.lr": "choice(0.5)"}])
def test_where_nothing_varies_one_trial_is_made_and_then_the_repeats(
    space: dict[str, Any], sampler: str, storage: BaseStorage
) -> None:
    study = make_study(trials=5, repeats=2, sampler=sampler)
    still = replace(
        study,
        space=make_space(space),
        recipe_at=lambda _, seed: study.recipe_at({"optimiser.lr": 0.5}, seed),
    )
    found = opened(still, storage)
    kinds = []
    while (job := found.next_job()) is not None:
        found.started(job.key)
        kinds.append(job.kind)
        ended(found, job, 0.1)
    assert kinds == ["trial", "repeat", "repeat"]
    assert found.finished
    assert found.stop_reason == "nothing varies, so one trial was made"


# The machine's faults


def test_what_the_machine_lacks_counts_nowhere_and_waits(storage: BaseStorage) -> None:
    study = make_study(trials=2, repeats=1, max_failures=1, sampler="random")
    found = opened(study, storage)
    first = begun(found)
    found.record(first.key, Progress(fault="no space left"))
    work(found, [0.5])
    assert found.next_job() is None  # no repeat of what may not be the best
    assert not found.finished
    assert found.waits_for == "no space left"
    assert found.stop_reason == "all 2 trials were drawn"
    again = opened(study, storage)
    assert again.next_job() == first
    states = [trial.state for trial in again.history("trial")]
    assert states == ["RUNNING", "COMPLETE"]


def test_a_job_that_is_killed_is_at_fault_only_where_others_could_finish(
    storage: BaseStorage,
) -> None:
    study = make_study(trials=2, sampler="random")

    def command() -> Ledger:
        found = opened(study, storage)
        found.killed(begun(found).key, 3)
        return found

    assert [command().history("trial")[0].state for _ in range(2)] == ["RUNNING"] * 2
    found = opened(study, storage)
    first = begun(found)
    work(found, [0.5])
    found.killed(first.key, 3)
    assert str(found.history("trial")[0].failure).startswith("the worker process died 9")
    assert found.finished

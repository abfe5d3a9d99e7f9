"""Trials whose heads train together in one worker, each a trial of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import yaml
from engine_support import recipe
from mlflow import MlflowClient
from safetensors.torch import save_file
from tuning_support import FROZEN

from iterate import Study, search
from iterate.hpo.execute import train, train_together
from iterate.hpo.jobs import Progress, Told
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.coordinator import Coordinator
from iterate.hpo.pool.sharing import Shares
from iterate.hpo.settings import ResourceSettings
from iterate.hpo.storage.open import open_storage
from iterate_core.engine import fit
from iterate_core.engine.reports import LAST
from iterate_core.engine.resolved import prepare
from iterate_core.recipe import Recipe

RATES = {"optimiser.lr": "tag(log, interval(0.005, 0.02))"}


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Heads on a small network's features of drawn scenes."""
    path = tmp_path_factory.mktemp("weights") / "test_resnet.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet", num_classes=0).state_dict(), path)
    return recipe(
        model={"backbone": {"weights": str(path)}},
        tuning=FROZEN,
        augmentation={"flip": False, "rotate": False},
        trainer={"threads": 1},
    )


Open = Callable[..., Ledger]


@pytest.fixture
def opened(frozen: Recipe, tmp_path: Path) -> Open:
    """A study's ledger."""

    def make(space: dict[str, Any] = RATES, together: int | None = None, **asked: Any) -> Ledger:
        asked = {"trials": 6, "sampler": "random", "repeats": 0, **asked}
        study = replace(
            Study.of("study", frozen, space, **asked), resources=ResourceSettings(together=together)
        )
        folder = tmp_path / f"{together}-{len(space)}"
        folder.mkdir()
        return Ledger(study, open_storage(None, folder), folder)

    return make


def sizes(ledger: Ledger, workers: int = 1) -> list[int]:
    """How many jobs each worker is given, until all are."""
    groups = iter(lambda: len(ledger.next_jobs(workers)), 0)
    return list(groups)


def test_a_worker_takes_as_many_as_it_may_and_no_more_than_its_part(opened: Open) -> None:
    assert sizes(opened()) == [6]
    assert sizes(opened(together=4)) == [4, 2]
    assert sizes(opened(together=1)) == [1] * 6


def test_every_worker_is_left_some(opened: Open) -> None:
    assert sizes(opened(), workers=2) == [3, 2, 1]


def test_a_sampler_that_learns_from_each_result_draws_one_at_a_time(opened: Open) -> None:
    assert sizes(opened(sampler="gp")) == [1] * 6


def test_what_differs_in_more_than_its_head_forms_groups_of_its_own(opened: Open) -> None:
    ledger = opened(RATES | {"data.batch_size": "choice(4, 8)"}, together=6)
    groups = list(iter(lambda: ledger.next_jobs(1), ()))
    kinds = [{job.recipe["data"]["batch_size"] for job in group} for group in groups]
    assert sorted(map(len, kinds)) == [1, 1]
    assert sum(map(len, groups)) == 6


def test_points_are_those_of_trials_that_train_alone(opened: Open) -> None:
    def drawn(ledger: Ledger) -> list[Any]:
        while ledger.next_jobs(1):
            continue
        return [trial.params for trial in ledger.history("trial")]

    assert drawn(opened()) == drawn(opened(together=1))


def gathered(told: Iterator[Told]) -> dict[str, list[Progress]]:
    """What is told of each job."""
    found: dict[str, list[Progress]] = {}
    for some in told:
        for key, progress in some.items():
            found.setdefault(key, []).append(progress)
    return found


def curve(told: list[Progress]) -> list[float]:
    return [report.value for progress in told for report in progress.reports]


def test_each_is_told_of_as_if_it_trained_alone(opened: Open, tmp_path: Path) -> None:
    jobs = opened().next_jobs(1)
    told = gathered(train_together(jobs))
    for job in jobs:
        alone = list(train(replace(job, folder=tmp_path / "alone" / str(job.number))))
        mine = told[job.key]
        assert curve(mine) == pytest.approx(curve(alone), abs=1e-4)
        assert [one.done for one in mine][-1]
        for field in ("parameters", "device"):
            wanted = {getattr(one, field) for one in alone}
            assert {getattr(one, field) for one in mine} == wanted
        assert sum(one.training for one in mine) == 1


def test_one_that_the_driver_lets_go_of_trains_no_further_in_any_process(opened: Open) -> None:
    first, second, *_ = jobs = opened().next_jobs(1)
    first.leave()
    told = gathered(train_together(jobs))
    assert first.key not in told
    assert told[second.key][-1].done


def test_what_the_machine_could_not_finish_trains_in_the_next_command(opened: Open) -> None:
    before = opened()
    there = {"CPU": 1.0}
    place = [before], [], Shares([before.study], there), lambda: there
    coordinator = Coordinator(*place, groups=True)
    jobs = coordinator.next_jobs("a")
    coordinator.started("a")
    coordinator.record("a", {job.key: Progress(fault="the disk is full") for job in jobs})
    assert all(job.left for job in jobs)
    ledger = Ledger(before.study, open_storage(None, before.folder), before.folder)
    again = Coordinator([ledger], *place[1:], groups=True).next_jobs("b")
    assert [job.key for job in again] == [job.key for job in jobs]
    told = gathered(train_together(again))
    assert all(told[job.key][-1].done for job in again)


def test_one_that_fails_is_told_of_alone(opened: Open) -> None:
    first, second, *_ = opened().next_jobs(1)
    wild = first.recipe | {"optimiser": first.recipe["optimiser"] | {"lr": 1e30}}
    told = gathered(train_together([replace(first, recipe=wild), second]))
    assert "diverged" in str(told[first.key][-1].failure)
    assert told[second.key][-1].done


@pytest.mark.usefixtures("one_ray")
def test_in_the_pool_each_is_a_trial_and_a_run_and_poor_ones_leave(
    frozen: Recipe, tmp_path: Path
) -> None:
    asha = {"name": "asha", "min_epochs": 1, "reduction_factor": 3}
    study = Study.of("study", frozen, RATES, trials=6, sampler="random", repeats=1, scheduler=asha)
    result = search(replace(study, resources=ResourceSettings(together=6)), tmp_path)
    (summary,) = result.summary["studies"]
    pruned = summary["trials"]["pruned"]
    assert pruned
    assert pruned + summary["trials"]["complete"] == 6
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = {run.info.run_name: run.info.run_id for run in client.search_runs(["1"])}
    lengths = []
    for number, folder in enumerate(sorted((tmp_path / "trials").iterdir())):
        chosen = Recipe.parse(yaml.safe_load((folder / "recipe.yaml").read_text()))
        alone = list(fit.epochs(prepare(chosen), tmp_path / "alone" / folder.name))
        points = client.get_metric_history(runs[f"trial {number:02}"], "val/accuracy")
        told = {point.step: point.value for point in points}
        lengths.append(len(told))
        assert told == pytest.approx(
            {report.epoch: report.value for report in alone[: len(told)]}, abs=1e-4
        )
        assert fit.test(prepare(chosen), folder)
        assert (folder / LAST).exists() == (len(told) == len(alone))
    assert sum(length < 3 for length in lengths) == pruned

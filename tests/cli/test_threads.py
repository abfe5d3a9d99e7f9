"""The recipe that a search leaves gives the search's own number again, to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from door_support import commands
from engine_support import recipe
from pool_support import make_study

from iterate.hpo.jobs import Job, Progress
from iterate.hpo.ledger import Ledger
from iterate.hpo.results import best_recipe
from iterate.hpo.settings import ResourceSettings
from iterate.hpo.storage.open import open_storage
from iterate_core.engine import fit
from iterate_core.engine.reports import EpochReport
from iterate_core.engine.resolved import prepare

SEARCH = """
defaults: [recipe, _self_]
name: again
data: {kind: classification, samples: [32, 16, 16], size: 32, batch_size: 8}
model: {backbone: {name: resnet10t, weights: none}}
trainer: {epochs: 2}
objective: {metric: loss}
space: {optimiser.lr: "choice(0.001, 0.002)"}
search: {sampler: random, trials: 1, repeats: 0}
tracking: {enabled: false}
"""


@pytest.fixture
def iterate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Any]]:
    """Runs a command as in a process that would use so many threads; gives its JSON."""
    monkeypatch.chdir(tmp_path)
    run, before = commands(monkeypatch, capsys), torch.get_num_threads()

    def told(threads: int, *words: str) -> Any:
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        torch.set_num_threads(threads)
        said = run(*words, "--json")
        assert said.code == 0, said.err
        return json.loads(said.out)

    yield told
    torch.set_num_threads(before)


def test_fit_of_the_best_recipe_gives_its_trials_result(
    tmp_path: Path, iterate: Callable[..., Any]
) -> None:
    """In another process than the worker's, which would use other threads."""
    (tmp_path / "search.yaml").write_text(SEARCH)
    summary = iterate(2, "hpo", "search.yaml", "--out", "out", "resources.cpu=1")
    (study,) = summary["studies"]
    written = yaml.safe_load((tmp_path / "out/recipe.yaml").read_text())
    trained = yaml.safe_load((tmp_path / "out/trials/0000/recipe.yaml").read_text())
    assert written == trained
    assert written["trainer"]["threads"] == 1
    fitted = iterate(2, "fit", "out/recipe.yaml")
    assert fitted["best"] == study["best"]["value"]
    assert fitted["threads"] == 1
    environment = json.loads((tmp_path / "out/environment.json").read_text())
    assert environment["threads"] == {"again": [1]}


def test_a_fit_goes_on_with_the_threads_it_began_with(
    tmp_path: Path, iterate: Callable[..., Any]
) -> None:
    """A recipe that says none takes the machine's, once, and says them in its folder."""
    text = yaml.safe_dump(recipe(trainer={"epochs": 1}).to_mapping())
    (tmp_path / "recipe.yaml").write_text(text)
    asked = ("fit", "recipe.yaml", "--out", "run")
    assert iterate(2, *asked)["threads"] == 2
    assert iterate(1, *asked)["threads"] == 2
    written = yaml.safe_load((tmp_path / "run/recipe.yaml").read_text())
    assert written["trainer"]["threads"] == 2
    tested = iterate(1, "test", *asked[1:])
    assert next(iter(tested)) == "test/accuracy"
    assert sum(row["support"] for row in tested["classes"]) == 12
    assert sum(map(sum, tested["confusion"])) == 12


@pytest.mark.parametrize("threads", [1, 3])
def test_a_recipe_trains_with_its_threads_and_puts_them_back(
    threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    before = torch.get_num_threads()
    forward = torch.nn.Module.__call__

    def watched(*args: Any, **options: Any) -> Any:
        seen.append(torch.get_num_threads())
        return forward(*args, **options)

    monkeypatch.setattr(torch.nn.Module, "__call__", watched)
    chosen = recipe(trainer={"epochs": 1, "threads": threads})
    fit.fit(prepare(chosen), tmp_path)
    fit.test(prepare(chosen), tmp_path)
    assert set(seen) == {threads}
    assert torch.get_num_threads() == before


def jobs(folder: Path, cpu: float, seed: int = 0, **search: Any) -> Ledger:
    study = make_study(trials=2, sampler={"name": "random"}, seed=seed, **search)
    held = replace(study, resources=ResourceSettings(cpu=cpu))
    return Ledger(held, open_storage(None, folder), folder)


def begun(ledger: Ledger) -> Job:
    job = ledger.next_job()
    assert job is not None
    return job


@pytest.mark.parametrize(("cpu", "threads"), [(0.5, 1), (1, 1), (3.5, 3)])
def test_a_trial_has_as_many_threads_as_cpus(cpu: float, threads: int, tmp_path: Path) -> None:
    ledger = jobs(tmp_path, cpu)
    job = begun(ledger)
    assert job.recipe["trainer"]["threads"] == threads
    assert ledger.history("trial")[0].threads == threads


def test_an_interrupted_trial_goes_on_as_it_began(tmp_path: Path) -> None:
    """Whatever `search.seed` and `resources.cpu` say by then; so does the best recipe."""
    first = begun(jobs(tmp_path, 1))
    ledger = jobs(tmp_path, 2, seed=5)
    again = begun(ledger)
    assert again == first
    report = EpochReport(1, {"val/score": 0.5}, 0.5, 0.5, 0.1, done=True)
    ledger.record(again.key, Progress((report,), done=True))
    best = best_recipe(ledger)
    assert best is not None
    assert best.to_mapping() == first.recipe

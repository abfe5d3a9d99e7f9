"""A package that adds a part of every kind through entry points alone, searched with by command.

The package is `tests/plug_in`: dataset, task, backbone, neck, decoder, way to fine-tune, loss,
optimiser, learning-rate schedule, augmentation, sampler, trial scheduler.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import yaml
from safetensors import safe_open
from torch import nn

PLUG_IN = Path(__file__).parent / "plug_in"
SEARCH = """
defaults:
  - search: random
  - _self_
name: counting
data: {name: dots, most: 4, batch_size: 8}
model:
  backbone: {name: patches, weights: none, width: 6}
  neck: {name: gains, first: 2.0}
  decoder: {name: gated, hidden: 4}
tuning: norms
loss: {name: deviance, weight: 1000}
optimiser: {name: signs}
scheduler: {name: stairs, factor: 0.25}
trainer: {epochs: 2}
space:
  optimiser.lr: tag(log, interval(1e-4, 1e-1))
  model.decoder.hidden: choice(2, 4)
  augmentation.dusk.factor: interval(0.01, 0.02)
search:
  sampler: halton
  scheduler: {name: upper, percentile: 25}
  trials: 6
  repeats: 1
resources: {cpu: 1, concurrent: 1}
tracking: {enabled: false}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search with all of the package's parts."""
    folder = tmp_path_factory.mktemp("plug-in")
    (folder / "search.yaml").write_text(SEARCH)
    path = os.pathsep.join(filter(None, (str(PLUG_IN), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path, "ITERATE_CACHE": str(folder / "cache")}
    line = [sys.executable, "-m", "iterate", "hpo", "search.yaml", "--out", "run"]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_its_task_and_metric_are_tested(run: Path) -> None:
    (study,) = json.loads((run / "summary.json").read_text())["studies"]
    assert study["dataset"] == "dots"
    assert study["objective"] == {"metric": "count_error", "mode": "min"}
    assert 0 < study["test"]["count_error"]["mean"] < 4


def test_its_sampler_draws_and_its_scheduler_stops(run: Path) -> None:
    storage = f"sqlite:///{run / 'studies.db'}"
    trials = optuna.load_study(study_name="counting", storage=storage).trials
    assert any(trial.state is optuna.trial.TrialState.PRUNED for trial in trials)
    # Four points in a row of a Halton sequence in base 2 lie in a quarter of the range each.
    decades = [math.log10(trial.params["optimiser.lr"] / 1e-4) for trial in trials[1:5]]
    assert sorted(int(4 * decade / 3) for decade in decades) == [0, 1, 2, 3]


def test_its_way_to_fine_tune_decides_what_a_checkpoint_holds(run: Path) -> None:
    with safe_open(next(run.rglob("best.safetensors")), framework="pt") as file:
        names = set(file.keys())
    trained = {name for name in names if name.startswith("backbone.")}
    state = nn.BatchNorm2d(6).state_dict()
    assert trained == {f"backbone.norm.{name}" for name in state}  # the filters are not
    assert names - trained == {
        "neck.gains",
        *(f"decoder.{layer}.{name}" for layer in ("gate.0", "last") for name in ("weight", "bias")),
    }


def test_its_augmentation_dims_what_is_trained_on(run: Path) -> None:
    for path in run.rglob("best.safetensors"):
        recipe = yaml.safe_load((path.parent / "recipe.yaml").read_text())
        assert 0.01 <= recipe["augmentation"]["dusk"]["factor"] <= 0.02
        with safe_open(path, framework="pt") as file:
            spread = file.get_tensor("backbone.norm.running_var")
            steps = int(file.get_tensor("backbone.norm.num_batches_tracked"))
        # What it is where all images are alike: each step goes a tenth of the way from 1 to 0.
        assert spread.amax().item() == pytest.approx(0.9**steps, abs=1e-3)


def test_its_neck_learns_as_its_loss_says(run: Path) -> None:
    (study,) = json.loads((run / "summary.json").read_text())["studies"]
    # A thousand times the deviance, which is some 1.5 of counts from 0 to 4.
    assert 500 < study["test"]["loss"]["mean"] < 5000
    for path in run.rglob("best.safetensors"):
        with safe_open(path, framework="pt") as file:
            moved = file.get_tensor("neck.gains") - 2.0
        lr = yaml.safe_load((path.parent / "recipe.yaml").read_text())["optimiser"]["lr"]
        assert 0 < moved.abs().max() <= 2.51 * lr


def test_its_optimiser_goes_as_far_as_its_schedule_lets_it(run: Path) -> None:
    moved: set[float] = set()
    for path in run.rglob("best.safetensors"):
        recipe = yaml.safe_load((path.parent / "recipe.yaml").read_text())
        with safe_open(path, framework="pt") as file:
            steps = file.get_tensor("backbone.norm.bias") / recipe["optimiser"]["lr"]
        moved |= {round(step, 2) for step in steps.tolist()}
    # Two steps of one length in the first epoch, and two of a quarter of it in the second.
    first = {-2.0, 0.0, 2.0}
    assert moved <= first | {one + less for one in first for less in (-0.5, 0.0, 0.5)}
    assert any(step % 1 for step in moved)

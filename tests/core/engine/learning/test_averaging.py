"""Averages of weights: their formulas, what they are of, and across an interruption."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_support import recipe
from safetensors.torch import load_file
from torch import nn
from tuning_support import FROZEN

from iterate_core.engine import fit
from iterate_core.engine.learning.gradients import GradientLearner
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import RequestError

DECAY = 0.6


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def learner_of(trainer: Trainer) -> GradientLearner:
    assert isinstance(trainer.learner, GradientLearner)
    return trainer.learner


def steps_of(trainer: Trainer, epochs: int) -> list[dict[str, torch.Tensor]]:
    """What training changes, after each step of the optimiser."""
    found: list[dict[str, torch.Tensor]] = []

    def note(*_: Any) -> None:
        found.append({name: value.clone() for name, value in trainer.setup.trained().items()})

    learner_of(trainer).learning.optimiser.register_step_post_hook(note)
    for number in range(epochs):
        trainer.epoch(number + 1)
    return found


@pytest.mark.parametrize("changes", [{}, {"tuning": FROZEN}], ids=["full", "frozen"])
def test_weights_are_the_moving_average_of_all_that_trains(changes: dict[str, Any]) -> None:
    trainer = Trainer(prepare(recipe(trainer={"ema": DECAY}, **changes)))
    steps = steps_of(trainer, 2)
    assert len(steps) == 6
    found = trainer.learner.weights()
    assert found.keys() == trainer.setup.trained().keys()
    moved = 0
    for name, last in steps[-1].items():
        if not last.is_floating_point():
            assert torch.equal(found[name], last)
            continue
        wanted = steps[0][name].double()
        for step in steps[1:]:
            wanted = DECAY * wanted + (1 - DECAY) * step[name].double()
        torch.testing.assert_close(found[name].double(), wanted, atol=1e-6, rtol=1e-5)
        moved += not torch.equal(found[name], last)
    # Batch normalisation's statistics are among them.
    assert moved >= len([name for name in found if "num_batches" not in name]) // 2


def test_training_goes_on_from_its_own_weights_and_the_average_is_scored() -> None:
    plain, averaged = (Trainer(prepare(recipe(trainer={"ema": ema}))) for ema in (None, DECAY))
    for number in (1, 2):
        without, _ = plain.epoch(number)
        scored, value = averaged.epoch(number)
        assert scored["train/loss"] == without["train/loss"]
        assert scored["val/loss"] != without["val/loss"]
        assert value == scored["val/accuracy"]
    last = plain.setup.trained()
    for name, value in averaged.setup.trained().items():
        assert torch.equal(value, last[name])


def test_a_continued_run_is_bit_identical_and_keeps_its_average(tmp_path: Path) -> None:
    prepared = prepare(recipe(trainer={"ema": 0.9}, objective={"metric": "loss"}))
    whole = list(fit.epochs(prepared, tmp_path / "whole"))
    cut = list(islice(fit.epochs(prepared, tmp_path / "cut"), 1))
    cut += fit.epochs(prepared, tmp_path / "cut")
    assert [replace(one, seconds=0.0) for one in cut] == [
        replace(one, seconds=0.0) for one in whole
    ]
    assert fit.test(prepared, tmp_path / "cut", "val")["val/loss"] == whole[-1].best
    best = "best.safetensors"
    assert (tmp_path / "cut" / best).read_bytes() == (tmp_path / "whole" / best).read_bytes()
    trainer = Trainer(prepared)
    reached = next(one.epoch for one in whole if one.value == whole[-1].best)
    for number in range(reached):
        trainer.epoch(number + 1)
    wanted = trainer.learner.weights()
    kept = load_file(tmp_path / "cut" / best)
    assert all(torch.equal(kept[name], value) for name, value in wanted.items())
    own = trainer.setup.trained()
    assert any(not torch.equal(kept[name], value) for name, value in own.items())


def test_a_recipe_without_an_average_keeps_its_identity() -> None:
    plain, none, some = (
        prepare(recipe(trainer=trainer)).identity for trainer in ({}, {"ema": None}, {"ema": 0.9})
    )
    assert plain == none != some


# Stochastic weight averaging


def ends_of(trainer: Trainer, *epochs: int) -> list[dict[str, torch.Tensor]]:
    """What training changes, after each epoch."""
    found = []
    for number in epochs:
        trainer.epoch(number)
        found.append({name: value.clone() for name, value in trainer.setup.trained().items()})
    return found


@pytest.mark.parametrize(
    "changes", [{}, {"tuning": {"name": "last_k", "k": 1}}], ids=["full", "last_k"]
)
def test_weights_are_the_mean_of_the_last_epochs_and_statistics_those_of_the_mean(
    changes: dict[str, Any],
) -> None:
    trainer = Trainer(prepare(recipe(trainer={"epochs": 4, "swa": 0.5}, **changes)))
    ends = ends_of(trainer, 1, 2)
    assert all(
        torch.equal(value, ends[-1][name]) for name, value in trainer.learner.weights().items()
    )
    ends += ends_of(trainer, 3, 4)
    kept = trainer.learner.weights()
    assert kept.keys() == ends[-1].keys()
    statistics = [name for name in kept if name.endswith(("running_mean", "running_var"))]
    assert statistics
    for name in kept.keys() - {*statistics}:
        if not name.endswith("num_batches_tracked"):
            mean = (ends[-2][name].double() + ends[-1][name].double()) / 2
            torch.testing.assert_close(kept[name].double(), mean, atol=1e-6, rtol=1e-5)
    # Each batch's own statistics under the mean weights, and their mean.
    model = trainer.setup.module.model
    seen: dict[str, list[torch.Tensor]] = {}

    def note(name: str) -> Any:
        return lambda _, inputs: seen.setdefault(name, []).append(inputs[0].detach())

    norms = {
        name: part
        for name, part in model.named_modules()
        if isinstance(part, nn.BatchNorm2d) and f"{name}.running_mean" in kept
    }
    hooks = [part.register_forward_pre_hook(note(name)) for name, part in norms.items()]
    model.train()
    trainer.setup.take(kept)
    course = learner_of(trainer).course(4)
    with torch.no_grad():
        for batch in trainer.setup.supplies.batches("train", course):
            trainer.setup.module(batch)
    for hook in hooks:
        hook.remove()
    for name, batches in seen.items():
        means = torch.stack([one.mean((0, 2, 3)) for one in batches]).mean(0)
        spreads = torch.stack([one.transpose(0, 1).flatten(1).var(1) for one in batches]).mean(0)
        torch.testing.assert_close(kept[f"{name}.running_mean"], means, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(kept[f"{name}.running_var"], spreads, atol=1e-5, rtol=1e-4)


def test_training_goes_on_from_its_own_weights_and_the_mean_is_scored(tmp_path: Path) -> None:
    options = {"epochs": 4, "swa": 0.75}
    plain, averaged = (
        list(fit.epochs(prepare(recipe(trainer=trainer)), tmp_path / str(number)))
        for number, trainer in enumerate(({"epochs": 4}, options))
    )
    losses = [[one.metrics[f"{split}/loss"] for one in run] for run in (plain, averaged)
              for split in ("train", "val")]  # fmt: skip
    assert losses[0] == losses[2]
    assert [one == other for one, other in zip(losses[1], losses[3], strict=True)] == [
        True, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_run_with_a_mean_is_bit_identical_wherever_it_was_cut(
    epochs: int, tmp_path: Path
) -> None:
    trainer = {"epochs": 4, "swa": 0.75, "swa_rate": 0.5}
    prepared = prepare(recipe(trainer=trainer, objective={"metric": "loss"}))
    whole = list(fit.epochs(prepared, tmp_path / "whole"))
    cut = list(islice(fit.epochs(prepared, tmp_path / "cut"), epochs))
    cut += fit.epochs(prepared, tmp_path / "cut")
    assert [one.metrics for one in cut] == [one.metrics for one in whole]
    best = "best.safetensors"
    assert (tmp_path / "cut" / best).read_bytes() == (tmp_path / "whole" / best).read_bytes()
    assert fit.test(prepared, tmp_path / "cut", "val")["val/loss"] == whole[-1].best
    top = prepared.recipe.optimiser.lr  # type: ignore[attr-defined]
    assert [one.metrics["lr"] / top == pytest.approx(0.5) for one in whole] == [
        False, True, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("trainer", "told"),
    [
        ({"ema": 0.9, "swa": 0.5}, r"trainer\.swa: goes with no trainer\.ema"),
        ({"swa_rate": 0.5}, r"trainer\.swa_rate: has no effect without trainer\.swa"),
    ],
)
def test_averages_that_do_not_go_together_are_refused(trainer: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        recipe(trainer=trainer)

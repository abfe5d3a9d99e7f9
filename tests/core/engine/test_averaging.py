"""The moving average of weights: its formula, what it is of, and across an interruption."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_support import recipe
from safetensors.torch import load_file
from tuning_support import FROZEN

from iterate_core.engine import fit
from iterate_core.engine.learner import GradientLearner
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer

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

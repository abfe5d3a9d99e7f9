"""Steps of several batches against steps of one larger batch."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from engine_support import RGB, give, merged, random_images, recipe

from iterate_core.engine import fit
from iterate_core.engine.learning.idle import idle_notes
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.lightning import datamodule_of, module_of
from iterate_core.recipe import Recipe

SAMPLES, TOGETHER = 20, 2


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def chosen(kind: str, batch_size: int, **trainer: Any) -> Recipe:
    """Of 20 samples: the last of three steps of eight is of four. No batch normalisation."""
    changes: dict[str, Any] = {
        "data": {"samples": [SAMPLES, 4, 4]},
        "loss": {"name": "cross_entropy", "class_weights": "inverse_frequency"},
    }
    if kind == "segmentation":
        # Of some images nearly nothing counts, and of some nothing.
        rng = np.random.default_rng(0)
        masks = rng.integers(0, 3, (SAMPLES, 32, 32), dtype=np.uint8)
        masks[rng.random(masks.shape) < rng.choice([0.0, 0.5, 0.99, 1.0], (SAMPLES, 1, 1))] = 255
        changes["data"] = give(random_images((SAMPLES, 3, 32, 32)), masks, RGB, 3)
    return recipe(
        **merged(
            changes,
            {
                "data": {"batch_size": batch_size},
                "model": {
                    "backbone": {"name": "test_vit", "weights": "none"},
                    "decoder": {"name": "linear", "normalise": "layer"},
                },
                "optimiser": {"name": "sgd", "lr": 0.1},
                "trainer": {"epochs": 2, **trainer},
            },
        )
    )


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.setup.trained().items()}


@pytest.mark.parametrize(("kind", "clip"), [("classification", None), ("segmentation", 0.1)])
def test_accumulated_batches_are_one_larger_batch(kind: str, clip: float | None) -> None:
    trainers = [
        Trainer(prepare(chosen(kind, size, accumulate=8 // size, gradient_clip=clip)))
        for size in (8, 4, 1)
    ]
    before = weights(trainers[0])
    whole, *apart = [[one.epoch(number)[0] for number in (1, 2)] for one in trainers]
    assert [one.learner.steps_per_epoch for one in trainers] == [3, 3, 3]  # type: ignore[attr-defined]
    wanted = weights(trainers[0])
    assert any(not torch.equal(before[name], value) for name, value in wanted.items())
    for one, metrics in zip(trainers[1:], apart, strict=True):
        for name, value in weights(one).items():
            torch.testing.assert_close(value, wanted[name], atol=1e-5, rtol=0)
        for found, expected in zip(metrics, whole, strict=True):
            assert found == pytest.approx(expected, abs=1e-5)


def test_a_continued_run_is_bit_identical(tmp_path: Path) -> None:
    prepared = prepare(chosen("classification", 4, accumulate=3))
    whole = list(fit.epochs(prepared, tmp_path / "whole"))
    cut = list(islice(fit.epochs(prepared, tmp_path / "cut"), 1))
    cut += fit.epochs(prepared, tmp_path / "cut")
    assert [replace(one, seconds=0.0) for one in cut] == [
        replace(one, seconds=0.0) for one in whole
    ]


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")
@pytest.mark.filterwarnings("ignore::lightning.pytorch.utilities.warnings.PossibleUserWarning")
def test_a_lightning_trainer_accumulates_by_its_own_option(tmp_path: Path) -> None:
    wanted = chosen("classification", 4, accumulate=TOGETHER, epochs=1)
    wanted = Recipe.parse(
        merged(wanted.to_mapping(), {"data": {"samples": [16, 4, 4]}, "loss": {"name": "default"}})
    )
    module = module_of(wanted)
    theirs = lightning.Trainer(
        max_epochs=1, accumulate_grad_batches=TOGETHER, accelerator="cpu", devices=1, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    theirs.fit(module, datamodule_of(wanted))
    ours = Trainer(prepare(wanted))
    ours.epoch(1)
    assert theirs.global_step == ours.learner.steps_per_epoch == 2  # type: ignore[attr-defined]
    for name, value in module.model.trained().items():
        torch.testing.assert_close(value, ours.setup.trained()[name], atol=1e-5, rtol=0)


def test_a_recipe_that_does_not_accumulate_keeps_its_identity() -> None:
    plain, one, two = (
        prepare(recipe(trainer=trainer)).identity
        for trainer in ({}, {"accumulate": 1}, {"accumulate": 2})
    )
    assert plain == one != two


def test_more_batches_than_an_epoch_has_are_told() -> None:
    def told(accumulate: int, **data: Any) -> list[str]:
        return idle_notes(prepare(recipe(trainer={"accumulate": accumulate}, data=data)))

    assert told(3) == []  # 24 samples by 8
    assert told(4) == [
        "trainer.accumulate is 4, but an epoch has 3 batches: it takes one step of them"
    ]
    assert "has 1 batch:" in told(2, epoch_samples=8)[0]

"""A backbone that is frozen at first: when it thaws, and at which rates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from engine_support import recipe
from torch import Tensor
from tuning_support import tuned

from iterate_core.engine.cost import epoch_flops
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.recipe import Recipe


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def chosen(epochs: int, **tuning: Any) -> Recipe:
    return recipe(
        scheduler={"name": "constant", "warmup_epochs": 0},
        optimiser={"name": "adamw", "lr": 0.01},
        trainer={"epochs": epochs},
        tuning={"name": "gradual", **tuning},
    )


def snapshot(trainer: Trainer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in trainer.setup.trained().items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """Which part of the model differs: ``backbone``, its ``statistics``, ``decoder``."""
    names = {name for name in before if not torch.equal(before[name], after[name])}
    parts = {name.split(".")[0] for name in names if "running" not in name and "num_b" not in name}
    return parts | (
        {"statistics"} if any("backbone" in n and "running" in n for n in names) else set()
    )


def test_the_decoder_trains_alone_and_then_all_at_a_lower_rate() -> None:
    trainer = Trainer(prepare(chosen(4, share=0.5, rate=0.25)))
    backbone = trainer.setup.module.model.backbone
    assert backbone is not None
    for epoch, rate in ((1, 0.01), (2, 0.01), (3, 0.0025), (4, 0.0025)):
        before = snapshot(trainer)
        metrics, _ = trainer.epoch(epoch)
        assert metrics["lr"] == pytest.approx(rate)
        groups = trainer.learner.learning.optimiser.param_groups  # type: ignore[attr-defined]
        assert {group["lr"] for group in groups} == {metrics["lr"]}
        frozen = epoch <= 2
        wanted = {"decoder"} if frozen else {"decoder", "backbone", "statistics"}
        assert changed(before, snapshot(trainer)) == wanted
        assert {value.requires_grad for value in backbone.parameters()} == {not frozen}


@pytest.mark.parametrize(
    ("share", "epochs", "frozen"),
    [(0.2, 10, 2), (0.2, 20, 4), (0.25, 10, 2), (0.5, 3, 2), (0.1, 3, 1), (0.9, 2, 1), (0.5, 1, 0)],
)
def test_the_share_is_rounded_to_one_epoch_at_least_and_never_the_last(
    share: float, epochs: int, frozen: int
) -> None:
    way: Any = tuned("gradual", share=share)
    paces = [way.pace(epoch, epochs) for epoch in range(1, epochs + 1)]
    assert paces == [1.0] * frozen + [0.1] * (epochs - frozen)


def test_the_rate_is_a_share_of_the_schedules() -> None:
    def rates(**changes: Any) -> list[float]:
        trainer = Trainer(prepare(recipe(trainer={"epochs": 3}, **changes)))
        return [trainer.epoch(epoch)[0]["lr"] for epoch in (1, 2, 3)]

    usual, found = rates(), rates(tuning={"name": "gradual", "rate": 0.5})
    assert found == pytest.approx([usual[0], 0.5 * usual[1], 0.5 * usual[2]], rel=1e-12)


def test_it_costs_what_its_epochs_do_on_average() -> None:
    def flops(tuning: dict[str, Any]) -> float:
        return epoch_flops(prepare(recipe(tuning=tuning)))

    full, frozen = flops({"name": "full"}), flops({"name": "frozen"})
    gradual = flops({"name": "gradual", "share": 0.25})
    assert gradual == pytest.approx(0.25 * frozen + 0.75 * full)

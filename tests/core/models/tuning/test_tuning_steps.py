"""A way to fine-tune of one's own takes part in every step, and rests with its trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from engine_support import recipe
from torch import Tensor
from tuning_support import Small

from iterate.api import register_tuning
from iterate_core.engine import fit
from iterate_core.engine.learning.range_test import range_test
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.lightning import datamodule_of, module_of
from iterate_core.models.assembly import Model
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.full import Full
from iterate_core.models.tuning.options import FullOptions
from iterate_core.recipe import Recipe

pytestmark = [
    pytest.mark.usefixtures("own_components"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore::lightning.pytorch.utilities.warnings.PossibleUserWarning"),
]

SHIFT = 3.0
BEST = "best.safetensors"


class ShrinkingOptions(FullOptions):
    """All trains, and shrinks."""


class Shrinking(Full):
    """All of the backbone shrinks by the gradients' mean size over all steps, which it keeps."""

    options = ShrinkingOptions
    steps: list[tuple[int, int]] = []  # noqa: RUF012 - of all that are made

    def __init__(self, options: ShrinkingOptions) -> None:
        super().__init__(options)
        self._sizes: list[Tensor] = []

    def penalty(self, backbone: Backbone) -> Tensor:
        own = [value for value in backbone.parameters() if value.requires_grad]
        return SHIFT + 0.01 * torch.stack([value.square().mean() for value in own]).sum()

    def step_ended(self, backbone: Backbone, step: int, steps: int) -> None:
        self.steps.append((step, steps))
        own = [value for value in backbone.parameters() if value.grad is not None]
        self._sizes.append(torch.stack([value.grad.abs().mean() for value in own]).mean())  # type: ignore[union-attr]
        with torch.no_grad():
            for value in own:
                value.mul_(1 - torch.stack(self._sizes).mean())

    def averaged(self, backbone: Backbone, averages: Mapping[str, Tensor]) -> dict[str, Tensor]:
        assert averages.keys() <= self.state(backbone).keys()
        return {name: torch.full_like(value, SHIFT) for name, value in averages.items()}

    def progress(self) -> dict[str, Any]:
        return {"sizes": list(self._sizes)}

    def restore(self, progress: Mapping[str, Any]) -> None:
        self._sizes = list(progress["sizes"])


@pytest.fixture(autouse=True)
def _registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_components: None) -> None:
    del own_components
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Shrinking, "steps", [])
    register_tuning("test_shrinking")(Shrinking)


def chosen(**changes: Any) -> Recipe:
    return recipe(tuning={"name": "test_shrinking"}, **{"trainer": {"epochs": 2}, **changes})


def test_a_run_is_bit_identical_wherever_it_was_cut(tmp_path: Path) -> None:
    prepared = prepare(chosen())
    whole = list(fit.epochs(prepared, tmp_path / "whole"))
    assert Shrinking.steps == [(step, 6) for step in range(1, 7)]
    cut = list(islice(fit.epochs(prepared, tmp_path / "cut"), 1))
    cut += fit.epochs(prepared, tmp_path / "cut")
    assert [replace(one, seconds=0.0) for one in cut] == [
        replace(one, seconds=0.0) for one in whole
    ]
    assert (tmp_path / "cut" / BEST).read_bytes() == (tmp_path / "whole" / BEST).read_bytes()


def test_steps_are_the_optimisers_and_what_is_added_to_the_loss_is_not_reported() -> None:
    trainer = Trainer(prepare(chosen(trainer={"epochs": 2, "accumulate": 2})))
    metrics, _ = trainer.epoch(1)
    assert Shrinking.steps == [(1, 4), (2, 4)]
    assert metrics["train/loss"] < SHIFT < range_test(prepare(chosen()), steps=1).losses[0]


def test_averages_are_its_own_to_say() -> None:
    trainer = Trainer(prepare(chosen(trainer={"epochs": 2, "ema": 0.9})))
    trainer.epoch(1)
    kept, own = trainer.learner.weights(), trainer.setup.trained()
    assert kept.keys() == own.keys()
    real = [name for name, value in own.items() if value.is_floating_point()]
    for name in real:
        said = torch.equal(kept[name], torch.full_like(kept[name], SHIFT))
        assert said == name.startswith("backbone.")


def test_a_range_test_counts_its_steps_over_epochs() -> None:
    range_test(prepare(chosen()), steps=5)
    assert [step for step, _ in Shrinking.steps] == [1, 2, 3, 4, 5]


def test_a_lightning_trainer_does_the_same_and_keeps_it_in_its_checkpoints(tmp_path: Path) -> None:
    def plain(epochs: int) -> lightning.Trainer:
        quiet: Any = dict.fromkeys(
            ("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False
        )
        return lightning.Trainer(max_epochs=epochs, accelerator="cpu", devices=1, **quiet)

    ours = Trainer(prepare(chosen()))
    for epoch in (1, 2):
        ours.epoch(epoch)
    done = Shrinking.steps.copy()
    first = plain(1)
    first.fit(module_of(chosen()), datamodule_of(chosen()))
    first.save_checkpoint(tmp_path / "one.ckpt")
    module = module_of(chosen())
    plain(2).fit(module, datamodule_of(chosen()), ckpt_path=tmp_path / "one.ckpt")
    assert Shrinking.steps == 2 * done
    for name, value in ours.setup.trained().items():
        torch.testing.assert_close(module.model.trained()[name], value, atol=1e-5, rtol=1e-4)


def test_a_model_without_its_backbone_has_nothing_to_tell() -> None:
    tuning = Shrinking(ShrinkingOptions(name="test_shrinking"))
    model = Model(None, torch.nn.Linear(2, 2), 1, tuning)
    model.step_ended(1, 2)
    assert model.penalty() is None
    assert model.averaged({}) == {}
    whole = Model(Small(), torch.nn.Linear(2, 2), 1, tuning)
    assert whole.penalty() is not None
    assert Shrinking.steps == []

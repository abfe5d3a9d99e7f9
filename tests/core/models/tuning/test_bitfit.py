"""Biases alone: which parameters, what is saved, what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from engine_support import recipe
from safetensors import safe_open
from torch import nn
from tuning_support import Small, tuned

from iterate_core.engine import fit
from iterate_core.engine.cost import epoch_flops
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import RequestError
from iterate_core.recipe import Recipe


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def chosen(name: str) -> Recipe:
    model = {"backbone": {"name": name, "weights": "none"}}
    return recipe(model=model, tuning={"name": "bitfit"}, trainer={"epochs": 1})


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_biases_change_and_are_saved_and_nothing_else(name: str, tmp_path: Path) -> None:
    trainer = Trainer(prepare(chosen(name)))
    backbone = trainer.setup.module.model.backbone
    assert backbone is not None
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    trainer.epoch(1)
    after = backbone.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    biases = {key for key in before if key.endswith(".bias")}
    # Statistics of normalisation stay too. Behind the scales of 0 that a residual network begins
    # with, gradients are 0 in the first step.
    assert changed if name == "test_resnet" else changed == biases
    assert changed <= biases
    fit.fit(prepare(chosen(name)), tmp_path)
    with safe_open(tmp_path / "best.safetensors", framework="pt") as file:
        names = [key for key in file.keys() if not key.startswith("decoder.")]  # noqa: SIM118
    assert set(names) == {f"backbone.{key}" for key in biases}
    fit.test(prepare(chosen(name)), tmp_path)


def test_biases_under_other_names_train_and_tables_do_not() -> None:
    backbone = Small()
    backbone.attention = nn.MultiheadAttention(4, 2)
    backbone.relative_position_bias_table = nn.Parameter(torch.zeros(3, 2))
    backbone.q_bias = nn.Parameter(torch.zeros(2))
    backbone.fixed = frozenset({"norm.bias"})
    assert tuned("bitfit").trains(backbone) == {
        "linear.bias",
        "attention.in_proj_bias",
        "attention.out_proj.bias",
        "q_bias",
    }
    bare = Small()
    bare.linear, bare.norm = nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2, affine=False)
    with pytest.raises(RequestError, match=r"tuning\.name: the backbone has no biases"):
        tuned("bitfit").prepare(bare)


def test_a_step_costs_two_thirds_of_full_fine_tunings() -> None:
    def flops(name: str) -> float:
        return epoch_flops(prepare(recipe(tuning={"name": name})))

    full, frozen, bitfit = flops("full"), flops("frozen"), flops("bitfit")
    assert (bitfit - frozen) / (full - frozen) == pytest.approx(0.5, rel=0.01)

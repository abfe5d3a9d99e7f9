"""Schedules against closed forms and PyTorch's own; parameter groups."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from tuning_support import small

from iterate_core.objective import Objective
from iterate_core.optimisation.optimisers import parameter_groups, set_learning_rate
from iterate_core.optimisation.options import AdamWOptions, PlateauOptions, SgdOptions
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

UP = Objective(metric="accuracy", mode="max")
STEPS, EPOCHS = 10, 8


def schedule(name: str, objective: Objective = UP, **options: float):  # type: ignore[no-untyped-def]
    entry = registries.schedulers.get(name)
    chosen = parse(entry.load_options(), {"name": name} | options)
    return entry.load()(chosen, objective, STEPS, EPOCHS)


@pytest.mark.parametrize("name", ["constant", "cosine", "cosine_restarts", "polynomial", "plateau"])
def test_warm_up_rises_linearly_step_by_step_to_the_top(name: str) -> None:
    rising = schedule(name, warmup_epochs=1.5)
    assert [rising.factor(step) for step in range(15)] == [
        pytest.approx((step + 1) / 15) for step in range(15)
    ]
    assert rising.factor(15) == pytest.approx(1.0)
    assert schedule(name, warmup_epochs=0).factor(0) == 1.0


def test_cosine_is_half_a_cosine_from_the_end_of_the_warm_up_to_the_end() -> None:
    falling = schedule("cosine", warmup_epochs=2, floor=0.1)
    for step in range(20, STEPS * EPOCHS):
        share = (step - 20) / (STEPS * EPOCHS - 20)
        expected = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * share))
        assert falling.factor(step) == pytest.approx(expected)
    assert falling.factor(STEPS * EPOCHS) == pytest.approx(0.1)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_plateau_lowers_the_rate_when_pytorchs_own_does(mode: str) -> None:
    values = [0.1, 0.2, 0.2, 0.1, 0.15, 0.3, 0.2, 0.2, 0.2, 0.25, 0.1, 0.1, 0.1, 0.4]
    if mode == "min":
        values = [-value for value in values]
    ours = schedule(
        "plateau", Objective(metric="x", mode=mode), warmup_epochs=0, factor=0.5, patience=1,
        floor=0.2,
    )  # fmt: skip
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = ReduceLROnPlateau(optimiser, mode, factor=0.5, patience=1, threshold=0, min_lr=0.2)
    for step, value in enumerate(values):
        ours.epoch_ended(value)
        theirs.step(value)
        assert ours.factor(step) == pytest.approx(optimiser.param_groups[0]["lr"])
    resumed = schedule("plateau", warmup_epochs=0, factor=0.5, patience=1, floor=0.2)
    resumed.restore(ours.state())
    assert resumed.state() == ours.state()


def test_biases_and_norms_are_not_decayed_and_the_backbone_is_scaled() -> None:
    model = small("full")
    options = AdamWOptions(name="adamw", lr=0.1, weight_decay=0.3, backbone_lr_scale=0.5)
    groups = parameter_groups(model, options)
    found = {
        name: (group["lr"], group["weight_decay"])
        for group in groups
        for name, value in model.named_parameters()
        if any(value is parameter for parameter in group["params"])
    }
    assert found == {
        "decoder.weight": (0.1, 0.3),
        "decoder.bias": (0.1, 0.0),
        "backbone.linear.weight": (0.05, 0.3),
        "backbone.linear.bias": (0.05, 0.0),
        "backbone.norm.weight": (0.05, 0.0),
        "backbone.norm.bias": (0.05, 0.0),
    }
    set_learning_rate(groups, 0.1)
    assert sorted({group["lr"] for group in groups}) == [pytest.approx(0.005), pytest.approx(0.01)]


def test_a_frozen_backbone_has_no_group() -> None:
    groups = parameter_groups(small("frozen"), SgdOptions(name="sgd"))
    assert sum(len(group["params"]) for group in groups) == 2


@pytest.mark.parametrize(
    ("name", "options", "reference"),
    [
        (
            "adamw",
            {"lr": 0.1, "weight_decay": 0.2, "beta1": 0.8},
            lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.2, betas=(0.8, 0.999)),
        ),
        (
            "adam",
            {"lr": 0.1, "weight_decay": 0.2, "beta2": 0.9},
            lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.2, betas=(0.9, 0.9)),
        ),
        (
            "sgd",
            {"lr": 0.1, "weight_decay": 0.2, "momentum": 0.5, "nesterov": True},
            lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.2, momentum=0.5, nesterov=True),
        ),
    ],
)
def test_optimisers_take_pytorchs_steps(name, options, reference) -> None:  # type: ignore[no-untyped-def]
    entry = registries.optimisers.get(name)
    chosen = parse(entry.load_options(), {"name": name} | options)
    ours, theirs = (nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    model = small("frozen")
    model.decoder = nn.ParameterList([ours])
    stepper = entry.load()(chosen, parameter_groups(model, chosen), True)
    other = reference([theirs])
    for gradient in (1.0, -2.0, 0.5):
        for parameter, optimiser in ((ours, stepper), (theirs, other)):
            parameter.grad = torch.full((2, 2), gradient)
            optimiser.step()
    torch.testing.assert_close(ours, theirs)


def test_a_plateau_patience_of_zero_is_legal() -> None:
    assert PlateauOptions(name="plateau", patience=0).patience == 0

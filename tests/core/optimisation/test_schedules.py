"""Closed forms of schedules against those of PyTorch and timm."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from timm.scheduler import CosineLRScheduler
from torch.optim import lr_scheduler as theirs

from iterate_core.objective import Objective
from iterate_core.optimisation.schedules import Schedule
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

STEPS, EPOCHS = 10, 8
TOTAL = STEPS * EPOCHS


def schedule(name: str, **options: Any) -> Schedule:
    entry = registries.schedulers.get(name)
    chosen = parse(entry.load_options(), {"name": name} | options)
    made: Schedule = entry.load()(chosen, Objective(metric="x", mode="max"), STEPS, EPOCHS)
    return made


def optimiser() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def rates(stepper: torch.optim.Optimizer, scheduler: Any) -> list[float]:
    """PyTorch's rates, one a step."""
    found = []
    for _ in range(TOTAL):
        found.append(float(stepper.param_groups[0]["lr"]))
        stepper.step()
        scheduler.step()
    return found


def ours(name: str, **options: Any) -> list[float]:
    made = schedule(name, **options)
    return [made.factor(step) for step in range(TOTAL)]


@pytest.mark.parametrize("shape", ["cosine", "linear"])
@pytest.mark.parametrize("rise", [0.3, 0.0, 0.45])
def test_one_cycle_is_pytorchs(shape: str, rise: float) -> None:
    stepper = optimiser()
    cycle = theirs.OneCycleLR(
        stepper, 1.0, TOTAL + 1, pct_start=rise, anneal_strategy=shape[:3].replace("lin", "linear"),
        cycle_momentum=False, div_factor=10, final_div_factor=100,
    )  # fmt: skip
    wanted = rates(stepper, cycle)
    entry = registries.schedulers.get("one_cycle")
    chosen = parse(
        entry.load_options(),
        {"name": "one_cycle", "shape": shape, "rise": rise, "start": 0.1, "floor": 0.001},
    )
    made = entry.load()(chosen, Objective(metric="x", mode="max"), TOTAL + 1, 1)
    assert [made.factor(step) for step in range(TOTAL)] == pytest.approx(wanted, rel=1e-9)


def test_one_cycle_ends_at_its_floor_and_stays_there() -> None:
    made = schedule("one_cycle", floor=0.001)
    assert [made.factor(step) for step in (TOTAL - 1, TOTAL)] == pytest.approx([0.001, 0.001])
    assert max(ours("one_cycle")) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("power", [0.9, 1.0, 2.0])
def test_polynomial_is_pytorchs(power: float) -> None:
    stepper = optimiser()
    wanted = rates(stepper, theirs.PolynomialLR(stepper, TOTAL, power))
    assert ours("polynomial", warmup_epochs=0, power=power) == pytest.approx(wanted, rel=1e-9)


def test_polynomial_falls_from_the_end_of_its_warm_up_to_its_floor() -> None:
    made = schedule("polynomial", warmup_epochs=2, floor=0.2)
    assert [made.factor(step) for step in (20, 50, TOTAL)] == pytest.approx([1.0, 0.6, 0.2])


@pytest.mark.parametrize("growth", [1, 2])
def test_cosine_restarts_are_pytorchs(growth: int) -> None:
    stepper = optimiser()
    restarts = theirs.CosineAnnealingWarmRestarts(stepper, 2 * STEPS, growth, eta_min=0.1)
    found = ours("cosine_restarts", warmup_epochs=0, period=2, growth=growth, floor=0.1)
    assert found == pytest.approx(rates(stepper, restarts), rel=1e-9)


def test_cosine_restarts_that_decay_after_a_warm_up_are_timms() -> None:
    stepper = optimiser()
    restarts = CosineLRScheduler(
        stepper, t_initial=15, lr_min=0.1, cycle_mul=1.5, cycle_decay=0.6, cycle_limit=9,
        warmup_t=STEPS, warmup_prefix=True, t_in_epochs=False,
    )  # fmt: skip
    wanted = [restarts._get_lr(step)[0] for step in range(STEPS, TOTAL)]
    found = ours("cosine_restarts", period=1.5, growth=1.5, decay=0.6, floor=0.1)
    assert found[STEPS:] == pytest.approx(wanted, rel=1e-9)


def test_cosine_restarts_never_rise_from_a_top_below_their_floor() -> None:
    found = ours("cosine_restarts", warmup_epochs=0, period=1, decay=0.1, floor=0.5)
    assert found[STEPS:] == pytest.approx([0.5] * (TOTAL - STEPS))

"""Optimisers of timm's against their published formulas, and across an interruption."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_support import recipe
from torch import Tensor, nn

from iterate_core.engine import fit
from iterate_core.engine.reports import EpochReport
from iterate_core.engine.resolved import prepare
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

LR, DECAY = 0.01, 0.1


def stepped(name: str, value: Tensor, gradients: list[Tensor], **options: Any) -> Tensor:
    """A parameter after a step along each gradient."""
    entry = registries.optimisers.get(name)
    chosen = parse(entry.load_options(), {"name": name, "lr": LR} | options)
    parameter = nn.Parameter(value.clone())
    groups = [{"params": [parameter], "lr": LR, "top": LR, "weight_decay": DECAY}]
    optimiser = entry.load()(chosen, groups, True)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimiser.step()
    return parameter.detach()


@pytest.fixture
def value() -> Tensor:
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def gradients() -> list[Tensor]:
    # Longer than 1 together, so that a clip at 1 would show.
    drawn = torch.Generator().manual_seed(1)
    return [3 * torch.randn(6, 4, generator=drawn) for _ in range(3)]


def test_lion_steps_along_the_sign(value: Tensor, gradients: list[Tensor]) -> None:
    wanted, running = value.clone(), torch.zeros_like(value)
    for gradient in gradients:
        wanted = wanted * (1 - LR * DECAY) - LR * (0.8 * running + 0.2 * gradient).sign()
        running = 0.95 * running + 0.05 * gradient
    found = stepped("lion", value, gradients, beta1=0.8, beta2=0.95)
    torch.testing.assert_close(found, wanted)


def test_lamb_steps_are_as_long_as_the_parameter(value: Tensor, gradients: list[Tensor]) -> None:
    wanted, mean, square = value.clone(), torch.zeros_like(value), torch.zeros_like(value)
    for step, gradient in enumerate(gradients, start=1):
        mean = 0.8 * mean + 0.2 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        direction = (mean / (1 - 0.8**step)) / ((square / (1 - 0.99**step)).sqrt() + 1e-6)
        direction = direction + DECAY * wanted
        wanted = wanted - LR * wanted.norm() / direction.norm() * direction
    found = stepped("lamb", value, gradients, beta1=0.8, beta2=0.99)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_steps_are_orthogonal(nesterov: bool, value: Tensor, gradients: list[Tensor]) -> None:
    before = stepped("muon", value, gradients[:1], momentum=0.9, nesterov=nesterov)
    after = stepped("muon", value, gradients[:2], momentum=0.9, nesterov=nesterov)
    step = (after - before * (1 - LR * DECAY)) / (-LR * 0.2 * 6**0.5)
    # Of a singular value decomposition, what the Newton-Schulz iterations approach.
    first, second = gradients[:2]
    running = 0.9 * first + second
    left, _, right = torch.linalg.svd(
        0.9 * running + second if nesterov else running, full_matrices=False
    )
    torch.testing.assert_close(step, left @ right, atol=0.15, rtol=0)


def timeless(reports: list[EpochReport]) -> list[EpochReport]:
    return [replace(report, seconds=0.0) for report in reports]


@pytest.mark.parametrize("name", ["adam", "lion", "lamb", "muon"])
def test_a_continued_run_is_bit_identical(name: str, tmp_path: Path) -> None:
    schedule = {"name": "one_cycle"} if name == "muon" else {"name": "cosine_restarts", "period": 1}
    prepared = prepare(recipe(optimiser={"name": name}, scheduler=schedule))
    whole = list(fit.epochs(prepared, tmp_path / "whole"))
    cut = list(islice(fit.epochs(prepared, tmp_path / "cut"), 1))
    continued = list(fit.epochs(prepared, tmp_path / "cut"))
    assert timeless(cut + continued) == timeless(whole)
    losses = [report.metrics["train/loss"] for report in whole]
    assert losses[-1] < losses[0]
    best = "best.safetensors"
    assert (tmp_path / "cut" / best).read_bytes() == (tmp_path / "whole" / best).read_bytes()

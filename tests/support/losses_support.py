"""Losses by name, and small data sets whose targets they are compared with."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from engine_support import RGB, give, random_images, recipe
from torch import Tensor

from iterate_core.data.store.pack import Pack
from iterate_core.engine.resolved import prepare
from iterate_core.losses.base import Loss
from iterate_core.losses.training import TrainingTargets
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

SAMPLES, SIDE, CLASSES, IGNORED = 4, 8, 4, 255


@cache
def pack(form: str) -> Pack:
    """Of targets of a form: ``mask`` (some ignored), ``index``, ``indicators``, ``map`` (NaN)."""
    rng = np.random.default_rng(0)
    images = random_images((SAMPLES, 3, SIDE, SIDE))
    kind = "segmentation"
    targets: Any
    if form == "mask":
        targets = rng.choice(CLASSES - 1, (SAMPLES, SIDE, SIDE), p=(0.8, 0.15, 0.05))
        targets[:, :2] = IGNORED
        data = give(images, targets.astype(np.uint8), RGB, CLASSES)
    elif form == "index":
        kind, targets = "classification", np.array([2, 0, 2, 1])
        data = give(images, targets, RGB, CLASSES, task="classification")
    elif form == "indicators":
        kind = "classification"
        targets = np.array([[1, 0, 0, 1], [1, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1]])
        data = give(images, targets, RGB, CLASSES, task="multilabel")
    else:
        targets = rng.normal(300, 40, (SAMPLES, SIDE, SIDE)).astype(np.float32)
        targets[:, :2] = np.nan
        data = give(images, targets, RGB, 1, task="regression")
    return prepare(recipe(kind, data=data)).pack


def made(name: str, of: Pack, **options: Any) -> Loss:
    """A loss by its name."""
    entry = registries.losses.get(name)
    training = TrainingTargets(of, np.arange(SAMPLES))
    loss: Loss = entry.load()(parse(entry.load_options(), {"name": name, **options}), training)
    return loss


def targets_of(of: Pack) -> Tensor:
    """All training targets, as a loss takes them."""
    stored = torch.from_numpy(np.array(of.targets("train")))
    return stored if stored.is_floating_point() else stored.long()


def outputs_for(of: Pack, seed: int = 1) -> Tensor:
    """Random logits, or quantities, for all of them."""
    torch.manual_seed(seed)
    shape = of.target.outputs((SIDE, SIDE))
    assert shape is not None
    drawn = torch.randn(SAMPLES, *shape)
    return 300 + 40 * drawn if of.target.known(targets_of(of)[0]) is not None else 2 * drawn


def mean(loss: Loss, outputs: Tensor, targets: Tensor) -> Tensor:
    """A batch's mean loss."""
    total, weight = loss(outputs, targets)
    return torch.as_tensor(total / weight)

"""Where a recipe's batches come from: its images, or features computed once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from iterate_core.data.dataset import Split
from iterate_core.data.loading.augmentation import IDENTITY, Element, elements
from iterate_core.data.loading.loader import Indices, PixelSupply, Supply, chunked
from iterate_core.engine.normalisation import scaling_of
from iterate_core.engine.resolved import Prepared
from iterate_core.fingerprint import seed_for
from iterate_core.models.backbones.base import Backbone


def augmentations(prepared: Prepared) -> tuple[Element, ...]:
    """The flips and rotations that training samples are drawn from."""
    chosen = prepared.recipe.augmentation
    square = prepared.info.height == prepared.info.width
    return elements(flip=chosen.flip, rotate=chosen.rotate, square=square)


def pixel_supply(
    prepared: Prepared,
    split: Split,
    backbone: Backbone,
    group: tuple[Element, ...],
    device: torch.device,
) -> PixelSupply:
    """Batches of a split's images."""
    scaling = scaling_of(prepared, backbone)
    workers = prepared.recipe.data.workers
    return PixelSupply(prepared.pack, split, scaling, group, device, workers)


@dataclass(frozen=True)
class Course:
    """The order of an epoch.

    Attributes:
        chunks: Sample indices of each batch.
        chosen: The element of each sample of each batch; None changes nothing.
    """

    chunks: list[Indices]
    chosen: list[Indices] | None = None


def training_course(
    prepared: Prepared, samples: int, epoch: int, group: tuple[Element, ...], *, drop_single: bool
) -> Course:
    """A random order, fixed by the recipe's seed and the epoch alone."""
    recipe = prepared.recipe
    rng = np.random.default_rng(seed_for(recipe.seed, "order", epoch))
    order = rng.permutation(samples)
    chunks = chunked(order, recipe.data.batch_size, drop_single=drop_single)
    if group == (IDENTITY,):
        return Course(chunks)
    return Course(chunks, [rng.integers(len(group), size=len(chunk)) for chunk in chunks])


def evaluation_course(prepared: Prepared, supply: Supply) -> Course:
    """The split's own order, unchanged."""
    data = prepared.recipe.data
    size = data.eval_batch_size or data.batch_size
    return Course(chunked(np.arange(len(supply)), size, drop_single=False))

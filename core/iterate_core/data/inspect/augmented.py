"""Samples beside what augmentation makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from iterate_core.data.augmentation.draws import Draws
from iterate_core.data.augmentation.elements import Element, apply_each, elements
from iterate_core.data.augmentation.mixing import Mixed
from iterate_core.data.augmentation.options import AugmentationSection
from iterate_core.data.augmentation.order import Indices, drawn_order
from iterate_core.data.augmentation.pipeline import Augmentations
from iterate_core.data.dataset import Sample
from iterate_core.data.inspect.survey import BandStatistics
from iterate_core.data.loading.tensors import tensors
from iterate_core.data.target import Target

VERSIONS = 2
"""Epochs for which each sample is drawn."""


@dataclass(frozen=True)
class Augmenting:
    """What is drawn beside samples.

    Attributes:
        section: What is done to them.
        seed: Of the training, which fixes what is drawn.
        bands: Each band's mean and deviation.
    """

    section: AugmentationSection
    seed: int
    bands: tuple[BandStatistics, ...]


def with_versions(
    samples: Sequence[Sample], rows: Indices, count: int, target: Target, asked: Augmenting
) -> list[Sample]:
    """Each sample, and after it what the first epochs train on in its place.

    So does a training on the whole split. What samples are mixed with is here the one before.

    Args:
        samples: Checked, with all bands.
        rows: (samples,) of them in their split.
        count: Samples of that split.
        target: Of their dataset.
        asked: What is drawn.
    """
    mean = np.array([each.mean for each in asked.bands])
    std = np.array([each.std for each in asked.bands])
    size = (target.info.height, target.info.width)
    further = Augmentations(asked.section, mean, np.where(std > 0, std, 1.0), size)
    section, square = asked.section, size[0] == size[1]
    group = elements(flip=section.flip, rotate=section.rotate, square=square)
    versions = []
    for epoch in range(1, VERSIONS + 1):
        order, elements_of = drawn_order(np.arange(count), len(group), asked.seed, epoch)
        chosen = elements_of[np.argsort(order)][rows]
        drawn = partial(
            _touched, target=target, further=further, rows=rows, draws=Draws(asked.seed, epoch)
        )
        versions.append(list(_version(samples, target, group, chosen, drawn)))
    return [sample for each in zip(samples, *versions, strict=True) for sample in each]


def _version(
    samples: Sequence[Sample],
    target: Target,
    group: tuple[Element, ...],
    chosen: Indices,
    further: Callable[[Tensor, Any], tuple[Tensor, Any]],
) -> Iterator[Sample]:
    """What an epoch makes of the samples: first flips and turns, then what is drawn beside."""
    images = apply_each(_stacked([sample.image for sample in samples]), chosen, group)
    packed = [target.packed(sample.target) for sample in samples]
    targets = tensors(packed) if target.ragged else _stacked(packed)
    images, targets = further(images, target.augmented(targets, chosen, group))
    for sample, image, moved in zip(samples, images, targets, strict=True):
        again = target.unpacked(apply_to_collection(moved, Tensor, Tensor.numpy))
        yield replace(sample, image=image.numpy(), target=again)


def _touched(
    images: Tensor,
    targets: Any,
    target: Target,
    further: Augmentations,
    rows: Indices,
    draws: Draws,
) -> tuple[Tensor, Any]:
    warp = further.warp(rows, draws)
    if warp is not None:
        targets = target.warped(targets, warp)
    images = further.touched(further.warped(warp, images), rows, draws)
    mixing = further.mixing(rows, draws, (target.info.height, target.info.width))
    if mixing is None:
        return images, targets
    targets = target.mixed(targets, mixing)
    return mixing.images(images), targets.larger if isinstance(targets, Mixed) else targets


def _stacked(arrays: Sequence[Any]) -> Tensor:
    stacked = np.stack([np.asarray(array) for array in arrays])
    # Of unsigned types PyTorch moves bytes only.
    wide = {np.dtype(np.uint16): np.int32, np.dtype(np.uint32): np.int64}
    return torch.from_numpy(stacked.astype(wide.get(stacked.dtype, stacked.dtype)))

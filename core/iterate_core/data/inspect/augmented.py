"""Samples beside what augmentation makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from iterate_core.data.augmentation.draws import Draws
from iterate_core.data.augmentation.elements import apply_each, elements
from iterate_core.data.augmentation.mixing import Mixed
from iterate_core.data.augmentation.options import AugmentationSection
from iterate_core.data.augmentation.pipeline import Augmentations
from iterate_core.data.dataset import Sample
from iterate_core.data.loading.tensors import tensors
from iterate_core.data.target import Target

VERSIONS = 2
"""Epochs for which each sample is drawn."""


def with_versions(
    samples: Sequence[Sample], target: Target, section: AugmentationSection, seed: int
) -> list[Sample]:
    """Each sample, and after it what the first epochs would train on in its place.

    A band's mean and deviation are those over these samples.

    Args:
        samples: Checked.
        target: Of their dataset.
        section: What is done to them.
        seed: Fixes what is drawn.
    """
    images = np.stack([sample.image for sample in samples]).astype(np.float32)
    across = (0, *range(2, images.ndim))
    mean = images.mean(axis=across, dtype=np.float64)
    std = images.std(axis=across, dtype=np.float64)
    size = (target.info.height, target.info.width)
    further = Augmentations(section, mean, np.where(std > 0, std, 1.0), size)
    versions = [
        list(_version(samples, target, section, further, Draws(seed, epoch)))
        for epoch in range(1, VERSIONS + 1)
    ]
    return [sample for rows in zip(samples, *versions, strict=True) for sample in rows]


def _version(
    samples: Sequence[Sample],
    target: Target,
    section: AugmentationSection,
    further: Augmentations,
    draws: Draws,
) -> Iterator[Sample]:
    """What an epoch makes of the samples."""
    rows = np.arange(len(samples))
    square = target.info.height == target.info.width
    group = elements(flip=section.flip, rotate=section.rotate, square=square)
    chosen = (draws.uniform("element", rows, 1)[:, 0] * len(group)).astype(np.int64)
    images = apply_each(_stacked([sample.image for sample in samples]), chosen, group)
    packed = [target.packed(sample.target) for sample in samples]
    targets = tensors(packed) if target.ragged else _stacked(packed)
    targets = target.augmented(targets, chosen, group)
    warp = further.warp(rows, draws)
    if warp is not None:
        targets = target.warped(targets, warp)
    images = further.touched(further.warped(warp, images), rows, draws)
    mixing = further.mixing(rows, draws, (target.info.height, target.info.width))
    if mixing is not None:
        images, targets = mixing.images(images), target.mixed(targets, mixing)
        targets = targets.larger if isinstance(targets, Mixed) else targets
    for sample, image, moved in zip(samples, images, targets, strict=True):
        again = target.unpacked(apply_to_collection(moved, Tensor, Tensor.numpy))
        yield replace(sample, image=image.numpy(), target=again)


def _stacked(arrays: Sequence[Any]) -> Tensor:
    stacked = np.stack([np.asarray(array) for array in arrays])
    # Of unsigned types PyTorch moves bytes only.
    wide = {np.dtype(np.uint16): np.int32, np.dtype(np.uint32): np.int64}
    return torch.from_numpy(stacked.astype(wide.get(stacked.dtype, stacked.dtype)))

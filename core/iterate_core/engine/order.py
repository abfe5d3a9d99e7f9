"""Where a recipe's batches come from, its images or features computed once, and in what order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from iterate_core.data.augmentation.draws import Draws
from iterate_core.data.augmentation.elements import IDENTITY
from iterate_core.data.augmentation.order import drawn_order
from iterate_core.data.augmentation.pipeline import Augmentations
from iterate_core.data.dataset import Split
from iterate_core.data.loading.batch import Batch, Context
from iterate_core.data.loading.loader import Indices, PixelSupply, Supply, chunked
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.features import keeping
from iterate_core.engine.features.supply import FeatureSupply
from iterate_core.engine.normalisation import scaling_of
from iterate_core.engine.resolved import Prepared
from iterate_core.engine.views import augmentations
from iterate_core.storage.usage import Use


def pixel_supply(
    prepared: Prepared, split: Split, device: torch.device, workers: int
) -> PixelSupply:
    """Batches of a split's images, which so many processes read ahead."""
    scaling = scaling_of(prepared, shared_backbone(prepared, meta=True))
    group, pack = augmentations(prepared, split), prepared.pack
    further = None
    if split == "train" and prepared.recipe.augmentation.members:
        size = prepared.info.height, prepared.info.width
        further = Augmentations(prepared.recipe.augmentation, pack.mean, pack.std, size)
    return PixelSupply(pack, split, scaling, group, device, workers, further)


@dataclass(frozen=True)
class Course:
    """The order of an epoch.

    Attributes:
        chunks: Sample indices of each batch.
        chosen: The element of each sample of each batch; None changes nothing.
        draws: What further augmentations draw from; None makes none.
    """

    chunks: list[Indices]
    chosen: list[Indices] | None = None
    draws: Draws | None = None


def needs_pairs(module: nn.Module) -> bool:
    """Whether training takes at least two samples at once: its batch normalisation does."""
    return any(isinstance(part, _BATCH_NORM) and part.training for part in module.modules())


_BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def training_course(prepared: Prepared, epoch: int, *, drop_single: bool) -> Course:
    """A random order, fixed by the recipe's seed and the epoch alone."""
    recipe, group = prepared.recipe, augmentations(prepared)
    order, elements_of = drawn_order(
        prepared.training, len(group), recipe.seed, epoch, recipe.data.epoch_samples
    )
    chunks, chosen = (
        chunked(each, recipe.data.batch_size, drop_single=drop_single)
        for each in (order, elements_of)
    )
    draws = Draws(recipe.seed, epoch) if recipe.augmentation.members else None
    return Course(chunks, chosen if group != (IDENTITY,) else None, draws)


def evaluation_course(prepared: Prepared, split: Split, at_once: int | None = None) -> Course:
    """The split's own order, unchanged; of the training split, what is trained on.

    No batch is of more than `at_once` samples.
    """
    data = prepared.recipe.data
    size = data.eval_batch_size or data.batch_size
    size = min(size, at_once or size)
    samples = prepared.training if split == "train" else np.arange(len(prepared.pack.names(split)))
    return Course(chunked(samples, size, drop_single=False))


class Supplies:
    """A recipe's batches on its device.

    Args:
        prepared: The recipe and its data.
        fabric: The device, and the arithmetic that features are computed in.
        at_once: Samples of a batch that is evaluated, at most; None sets no bound.
    """

    def __init__(self, prepared: Prepared, fabric: Fabric, at_once: int | None = None) -> None:
        self._prepared = prepared
        self._fabric = fabric
        self._at_once = at_once
        self._opened: dict[Split, Supply] = {}
        self._place = keeping.Place(prepared, fabric.device)
        self._use: Use | None = None
        if keeping.worthwhile(prepared, augmentations(prepared)):
            prepared.pack.names("train")  # takes its room first: features are made of it
            self._use = self._place.hold()

    @property
    def keeps_features(self) -> bool:
        """Whether batches are of a constant backbone's features, kept between epochs."""
        return self._use is not None

    def of(self, split: Split) -> Supply:
        """Batches of a split, opened when first asked for."""
        if split not in self._opened:
            self._opened[split] = self._open(split)
        return self._opened[split]

    def batches(self, split: Split, course: Course) -> Iterator[Batch]:
        """Batches of a split in an order."""
        return self.of(split).batches(course.chunks, course.chosen, course.draws)

    def evaluated(self, split: Split) -> Iterator[Batch]:
        """Batches of a split in its own order."""
        return self.batches(split, evaluation_course(self._prepared, split, self._at_once))

    def encode(self, images: Tensor, context: Context | None) -> Any:
        """A constant backbone's features, in the recipe's arithmetic."""
        backbone = shared_backbone(self._prepared).to(self._fabric.device).eval()
        with self._fabric.autocast():
            return backbone(images, context)

    def _open(self, split: Split) -> Supply:
        workers = self._prepared.recipe.data.workers
        pixels = pixel_supply(self._prepared, split, self._fabric.device, workers)
        if self._use is None:
            return pixels
        group = augmentations(self._prepared, split)
        return FeatureSupply(self._place, self._use, split, group, pixels, self.encode)

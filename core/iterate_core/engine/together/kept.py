"""The kept features of a recipe, in memory, as heads that train together read them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from iterate_core.data.augmentation.elements import IDENTITY
from iterate_core.data.loading.batch import Batch
from iterate_core.data.loading.loader import chunked
from iterate_core.engine.order import Course
from iterate_core.engine.setup import Setup
from iterate_core.engine.views import augmentations
from iterate_core.models.stacked import Unlike
from iterate_core.storage import memory

LIMIT = memory.GIB
"""Bytes of a training split's features, over all flips and rotations, above which heads train one
after another: each step of several reads as much as theirs do."""
_CHUNK = 512


class KeptFeatures:
    """Features of the training split in each of its flips and rotations, and of the validation.

    Args:
        setup: Of a recipe whose backbone's vectors are kept.

    Attributes:
        inputs: (flips and rotations · samples, width).
        targets: (flips and rotations · samples, …).
        validation: Its batches.

    Raises:
        Unlike: They are not kept, no vectors, or more than the limit.
    """

    def __init__(self, setup: Setup) -> None:
        supplies = setup.supplies
        if not supplies.keeps_features:
            raise Unlike("their features are not kept")
        group, supply = augmentations(setup.prepared), supplies.of("train")
        self.samples = len(supply)
        chunks = chunked(np.arange(self.samples), _CHUNK, drop_single=False)
        first = next(iter(supply.batches(chunks[:1], None)))
        if not isinstance(first.inputs, Tensor) or not isinstance(first.targets, Tensor):
            raise Unlike("their features are no vectors, or their targets ragged")
        if first.inputs[0].nbytes * self.samples * len(group) > LIMIT:
            raise Unlike("their features are too many to be held in memory")
        batches: list[Batch] = []
        for number in range(len(group)):
            chosen = [np.full(len(chunk), number) for chunk in chunks]
            batches += supply.batches(chunks, None if group == (IDENTITY,) else chosen)
        self.inputs = torch.cat([batch.inputs for batch in batches])
        self.targets = torch.cat([batch.targets for batch in batches])
        self.validation = list(supplies.evaluated("val"))

    def rows(self, course: Course) -> Tensor:
        """Which of all these an epoch takes, in its order."""
        samples = np.concatenate(course.chunks)
        if course.chosen is not None:
            samples = samples + np.concatenate(course.chosen) * self.samples
        return torch.from_numpy(samples).to(self.inputs.device)

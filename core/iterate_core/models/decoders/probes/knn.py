"""A probe of vectors: the classes of their nearest neighbours."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from iterate_core.models.decoders.probes.fitted import Fitted
from iterate_core.models.decoders.probes.options import KnnOptions
from iterate_core.models.shapes import Pooled

CHUNK_FLOATS = 1 << 25
"""How many numbers the distances of one chunk of samples may be."""

FLOOR = float(np.finfo(np.float32).eps)
"""The least probability, that of a class without votes: it keeps the logit finite."""


class Knn(Fitted):
    """The k nearest neighbours: a class's probability is its share of the neighbours' votes.

    Exhaustive search, in chunks of bounded size. The training features are what it remembers:
    its checkpoint is as large as they are.

    Args:
        options: Its options.
        width: Length of the vectors.
        classes: Number of classes.
    """

    # Scoring what it remembers would find each sample in itself.
    scores_training: ClassVar[bool] = False
    centre: Tensor
    features: Tensor
    targets: Tensor

    def __init__(self, options: KnnOptions, width: int, classes: int) -> None:
        super().__init__(classes)
        self.options = options
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("features", torch.zeros(0, width))
        self.register_buffer("targets", torch.zeros(0, dtype=torch.int64))

    def fit(self, features: Tensor, targets: Tensor) -> dict[str, float]:
        """Remember the training split; see `Fitted.fit`."""
        features = features.float()
        if self.options.distance == "euclidean":
            # Changes no distance, and keeps more of its digits.
            self.centre = features.mean(dim=0)
        self.features = self._placed(features)
        self.targets = targets
        return {}

    def logits(self, features: Tensor) -> Tensor:
        """Of which the softmax (several labels: the sigmoid) is the share of votes."""
        if not len(self.features):
            return features.new_zeros(features.shape[0], self.classes)
        placed = self._placed(features)
        chunk = max(1, CHUNK_FLOATS // max(len(self.features), self.options.k * features.shape[1]))
        if torch.compiler.is_exporting():  # of a batch whose size is not known yet
            shares = self._shares(placed)
        else:
            starts = range(0, len(placed), chunk)
            shares = torch.cat([self._shares(placed[start : start + chunk]) for start in starts])
        if self.exclusive:
            return shares.clamp(min=FLOOR).log()
        return shares.clamp(FLOOR, 1 - FLOOR).logit()

    def _placed(self, features: Tensor) -> Tensor:
        """Features in a space whose Euclidean distances order neighbours as the distance does."""
        if self.options.distance == "cosine":
            return functional.normalize(features, eps=FLOOR)
        return features - self.centre

    def _shares(self, placed: Tensor) -> Tensor:
        near = self._nearest(placed)
        chosen = self.targets[near]
        if self.exclusive:
            chosen = functional.one_hot(chosen, self.classes)
        votes = self._votes(placed, near)
        shares: Tensor = (votes[..., None] * chosen).sum(dim=1) / votes.sum(dim=1, keepdim=True)
        return shares

    def _nearest(self, placed: Tensor) -> Tensor:
        """Indices (n, k) of the nearest training samples."""
        # |x − q|² without |q|², which orders nothing.
        squared = self.features.square().sum(dim=1) - 2 * placed @ self.features.T
        return squared.topk(self.options.k, largest=False).indices

    def _votes(self, placed: Tensor, near: Tensor) -> Tensor:
        """Votes (n, k) of the neighbours."""
        if self.options.weights == "uniform":
            return placed.new_ones(near.shape)
        # From the differences: a distance of 0 is then exactly 0.
        squared = (self.features[near] - placed[:, None]).square().sum(dim=2)
        distance = squared / 2 if self.options.distance == "cosine" else squared.sqrt()
        same = distance == 0
        alone = same.any(dim=1, keepdim=True)
        return torch.where(alone, same.float(), 1 / distance.masked_fill(same, 1))


def build_knn(options: KnnOptions, shape: Pooled, classes: int) -> Knn:
    """The k nearest neighbours."""
    return Knn(options, shape.width, classes)

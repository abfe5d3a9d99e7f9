"""Attentive probes of feature maps: attention chooses where, or how deep, to look."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from iterate_core.models.decoders.levels import level_of, standardise_maps
from iterate_core.models.decoders.probes.options import AttentiveMapsOptions, AttentivePoolOptions
from iterate_core.models.shapes import Maps

FINEST = 4
"""Stride of segmentation's predictions where nothing is asked for and the backbone has it."""


class AttentivePool(nn.Module):
    """Learned queries attend to the cells of one map; a linear layer reads what they pool.

    Attention is softmax(q·x / √channels) over the cells x, without projections of its own: their
    work is done by the queries and the linear layer (Psomas et al. 2025, arXiv 2506.10178).

    Args:
        options: Its options.
        shape: The maps that come in.
        classes: Number of classes.

    Raises:
        RequestError: The backbone has no map of the stride asked for.
    """

    def __init__(self, options: AttentivePoolOptions, shape: Maps, classes: int) -> None:
        super().__init__()
        self.level = level_of(options.level, shape)
        width = shape.channels[self.level]
        self.standardise = standardise_maps(options.normalise, width)
        self.queries = nn.Parameter(_small(options.queries, width))
        self.dropout = nn.Dropout(options.dropout)
        self.output = nn.Linear(options.queries * width, classes)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits (n, classes)."""
        del size
        cells = self.standardise(maps[self.level]).flatten(2)  # (n, width, cells)
        scores = self.queries @ cells / cells.shape[1] ** 0.5
        pooled = scores.softmax(dim=2) @ cells.mT  # (n, queries, width)
        logits: Tensor = self.output(self.dropout(pooled.flatten(1)))
        return logits


class AttentiveMaps(nn.Module):
    """A linear classifier of each cell, which attends to the maps of all depths beneath it.

    Each map from the stride of the predictions on is standardised, projected to a common width
    and resized; a learned query then weighs the depths cell by cell.

    Args:
        options: Its options.
        shape: The maps that come in.
        classes: Number of classes.

    Raises:
        RequestError: The backbone has no map of the stride asked for.
    """

    def __init__(self, options: AttentiveMapsOptions, shape: Maps, classes: int) -> None:
        super().__init__()
        finest = _finest(shape) if options.level is None else options.level
        self.target = level_of(finest, shape)
        self.levels = [index for index, stride in enumerate(shape.strides) if stride >= finest]
        widths = [shape.channels[index] for index in self.levels]
        self.project = nn.ModuleList(
            nn.Sequential(standardise_maps(options.normalise, n), nn.Conv2d(n, options.width, 1))
            for n in widths
        )
        self.query = nn.Parameter(_small(1, options.width))
        self.dropout = nn.Dropout2d(options.dropout)
        self.output = nn.Conv2d(options.width, classes, 1)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits at the resolution of the stride asked for."""
        del size
        target = maps[self.target].shape[-2:]
        depths = torch.stack(
            [
                _resized(project(maps[index]), target)
                for index, project in zip(self.levels, self.project, strict=True)
            ],
            dim=1,
        )  # (n, depths, channels, height, width)
        scores = torch.einsum("ndchw,qc->ndhw", depths, self.query) / depths.shape[2] ** 0.5
        seen = (scores.softmax(dim=1)[:, :, None] * depths).sum(dim=1)
        logits: Tensor = self.output(self.dropout(seen))
        return logits


def build_pool(options: AttentivePoolOptions, shape: Maps, classes: int) -> nn.Module:
    """See `AttentivePool`."""
    return AttentivePool(options, shape, classes)


def build_maps(options: AttentiveMapsOptions, shape: Maps, classes: int) -> nn.Module:
    """See `AttentiveMaps`."""
    return AttentiveMaps(options, shape, classes)


def _small(count: int, width: int) -> Tensor:
    """Near 0: attention starts almost even."""
    return nn.init.trunc_normal_(torch.empty(count, width), std=0.02)


def _finest(shape: Maps) -> int:
    return min((stride for stride in shape.strides if stride >= FINEST), default=shape.strides[-1])


def _resized(maps: Tensor, size: torch.Size) -> Tensor:
    if maps.shape[-2:] == size:
        return maps
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)

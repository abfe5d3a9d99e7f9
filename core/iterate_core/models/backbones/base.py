"""The seam that every backbone implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from iterate_core.data.loading.batch import Context as Context
from iterate_core.errors import Problem, RequestError
from iterate_core.hub.files import HubFile, fetch
from iterate_core.models.backbones.card import Card
from iterate_core.models.backbones.checkpoints import load_strictly
from iterate_core.models.backbones.options import WHERE
from iterate_core.models.backbones.weights import read_weights
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Shape, padded


@dataclass(frozen=True)
class RgbNormalisation:
    """How 8-bit images were normalised in pretraining: (x / 255 − mean) / std.

    Attributes:
        mean: Of red, green and blue, for pixels in [0, 1].
        std: Likewise.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Backbone(nn.Module, ABC):
    """Turns normalised images into features.

    A backbone's entry in the registry names a callable ``build(options, inputs, meta)`` that
    returns one: `inputs` is an `iterate_core.models.inputs.Inputs`, and `meta` builds it without
    weights or memory on PyTorch's meta device. A subclass whose constructor takes (options,
    inputs) has such a `build` already.

    Attributes:
        shape: What `forward` delivers.
        multiple: Sides of the image are padded, at the bottom and right, to multiples of this.
        normalisation: What the weights were trained with; None where that is not declared.
        fixed: Names of parameters that never train, as the backbone was built.
        takes_frames: Whether `forward` takes several dates. Where a dataset has them and a
            backbone does not, `iterate_core.models.backbones.framewise` gives it one at a time.
    """

    shape: Shape
    multiple: int
    normalisation: RgbNormalisation | None = None
    fixed: frozenset[str] = frozenset()
    takes_frames: bool = False

    def __init__(self, shape: Shape, multiple: int) -> None:
        super().__init__()
        self.shape = shape
        self.multiple = multiple

    @classmethod
    def build(cls, options: Any, inputs: Inputs, meta: bool) -> Self:
        """Construct from (options, inputs) and fill with the weights that the options ask for.

        Raises:
            RequestError: None are published, or the file is absent, damaged, or does not hold
                exactly these weights.
        """
        construct: Any = cls
        with torch.device("meta" if meta else "cpu"):
            made: Self = construct(options, inputs)
        if options.pretrained and not meta:
            path = options.file or fetch(cls._published(options.name))
            load_strictly(made, read_weights(path), str(path))
        return made

    @classmethod
    def _published(cls, name: str) -> HubFile:
        """The file that a card declares, where a subclass has one."""
        card: Card | None = getattr(cls, "card", None)
        if card is None or card.file is None:
            what = f"no weights of {name!r} are published."
            raise RequestError(Problem(WHERE, what, "Name a file, or 'none'."))
        return card.file

    def pad(self, images: Tensor) -> Tensor:
        """Images (n, …, h, w) with their last row and column repeated up to `multiple`."""
        height, width = padded((images.shape[-2], images.shape[-1]), self.multiple)
        below, right = height - images.shape[-2], width - images.shape[-1]
        if not below and not right:
            return images
        flat = images.flatten(0, -4) if images.ndim > 4 else images
        whole = functional.pad(flat, (0, right, 0, below), mode="replicate")
        return whole.reshape(*images.shape[:-2], height, width)

    def blocks(self) -> list[list[nn.Module]]:
        """The modules of each block, from input to output, for ways to tune that count them.

        What follows the last block belongs to it. Empty where the backbone names none.
        """
        return []

    @abstractmethod
    def forward(self, images: Tensor, context: Context | None = None) -> Any:
        """Features of images (n, bands, height, width), or (n, bands, frames, height, width).

        What it does must not depend on values, only on shapes: on the meta device, where recipes
        are tried, there are none. (What is unknown of a context is NaN: use `torch.where`.)

        Args:
            images: With an axis of dates only if the dataset has several and `takes_frames`.
            context: Dates and places, where the dataset knows any.

        Returns:
            (n, width), or a list of (n, channels, height, width) as `shape` declares.
        """

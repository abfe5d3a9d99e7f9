"""The seam that every neck implements."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from iterate_core.models.necks.options import ResizeOptions
from iterate_core.models.shapes import Maps


class Neck(nn.Module, ABC):
    """Turns a backbone's feature maps into others, which every decoder reads as a backbone's.

    A neck's entry in the registry names a callable ``build(options, shape)`` that returns one:
    `shape` is the backbone's `iterate_core.models.shapes.Maps`. It trains whatever the tuning.

    Args:
        shape: The maps that it gives.
        multiple: See below.

    Attributes:
        shape: The maps that it gives.
        multiple: Its maps cover an image padded, at the bottom and right, to multiples of this;
            None where they cover what the backbone's cover.
    """

    def __init__(self, shape: Maps, multiple: int | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.multiple = multiple

    @abstractmethod
    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> list[Tensor]:
        """The maps (n, channels, rows, columns) that `shape` declares.

        Args:
            maps: The backbone's, likewise.
            size: (height, width) of the image that the maps are to cover.
        """


class Idle(Neck):
    """Gives the maps as they are."""

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> list[Tensor]:
        """See `Neck.forward`."""
        del size
        return maps


def build_idle(options: ResizeOptions, shape: Maps) -> Idle:
    """A neck that leaves everything to the decoder."""
    del options
    return Idle(shape)

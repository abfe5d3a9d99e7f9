"""Decoders of feature maps: each pixel gets a class.

UNet, FPN and UPerNet are those of segmentation-models-pytorch, on any backbone's maps.
"""

from __future__ import annotations

from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from torch import Tensor, nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.decoders.levels import level_of, standardise_maps
from iterate_core.models.decoders.options import (
    FpnOptions,
    LinearOptions,
    UnetOptions,
    UpernetOptions,
)
from iterate_core.models.necks import STRIDES, Hierarchical
from iterate_core.models.shapes import Maps

DOUBLINGS = (16, 8, 4, 2, 1)
"""Width of UNet's blocks from deep to shallow, in units of the shallowest."""


class LinearMaps(nn.Module):
    """A 1×1 convolution on one feature map: a linear classifier of each cell.

    Args:
        options: Its options.
        shape: The maps that come in.
        classes: Number of classes.

    Raises:
        RequestError: The backbone has no map of the stride asked for.
    """

    def __init__(self, options: LinearOptions, shape: Maps, classes: int) -> None:
        super().__init__()
        self.level = level_of(options.level, shape)
        width = shape.channels[self.level]
        self.standardise = standardise_maps(options.normalise, width)
        self.dropout = nn.Dropout2d(options.dropout)
        self.output = nn.Conv2d(width, classes, 1)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits at the map's resolution."""
        del size
        logits: Tensor = self.output(self.dropout(self.standardise(maps[self.level])))
        return logits


class DenseDecoder(nn.Module):
    """A pyramid decoder and the convolution that turns its output into logits.

    Args:
        hierarchy: Brings a backbone's maps to the pyramid that the decoder wants.
        decoder: From segmentation-models-pytorch.
        width: Channels that it gives.
        dropout: Share of its channels dropped in training.
        classes: Number of classes.
    """

    def __init__(
        self, hierarchy: Hierarchical, decoder: nn.Module, width: int, dropout: float, classes: int
    ) -> None:
        super().__init__()
        self.hierarchy = hierarchy
        self.decoder = decoder
        self.dropout = nn.Dropout2d(dropout)
        self.output = nn.Conv2d(width, classes, 3, padding=1)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits, at the padded `size` or a fraction of it."""
        pyramid = self.hierarchy(maps, size)
        # The decoder reads of its first map, the image's, only the size.
        image = pyramid[0].new_zeros(len(pyramid[0]), 0, *size)
        logits: Tensor = self.output(self.dropout(self.decoder([image, *pyramid])))
        return logits


def build_unet(options: UnetOptions, shape: Maps, classes: int) -> nn.Module:
    """UNet."""
    hierarchy = Hierarchical(shape)
    widths = [options.channels * times for times in DOUBLINGS]
    decoder = UnetDecoder([0, *hierarchy.channels], widths, use_norm=options.norm)
    return DenseDecoder(hierarchy, decoder, widths[-1], options.dropout, classes)


def build_fpn(options: FpnOptions, shape: Maps, classes: int) -> nn.Module:
    """Feature pyramid network."""
    hierarchy = _with_all_strides("fpn", shape)
    decoder = FPNDecoder(
        [0, *hierarchy.channels],
        pyramid_channels=options.channels,
        segmentation_channels=options.segmentation_channels,
        dropout=0.0,
    )
    width = options.segmentation_channels
    return DenseDecoder(hierarchy, decoder, width, options.dropout, classes)


def build_upernet(options: UpernetOptions, shape: Maps, classes: int) -> nn.Module:
    """UPerNet."""
    hierarchy = _with_all_strides("upernet", shape)
    decoder = UPerNetDecoder([0, *hierarchy.channels], decoder_channels=options.channels)
    return DenseDecoder(hierarchy, decoder, options.channels, options.dropout, classes)


def _with_all_strides(name: str, shape: Maps) -> Hierarchical:
    """The pyramid of strides 4 to 32.

    Raises:
        RequestError: The backbone is hierarchical but lacks one of them.
    """
    hierarchy = Hierarchical(shape)
    if 0 in hierarchy.channels[1:]:
        given = ", ".join(str(stride) for stride in shape.strides)
        what = f"{name} needs feature maps of strides {', '.join(map(str, STRIDES))},"
        hint = f"and the backbone gives {given}. Choose unet or linear."
        raise RequestError(Problem("model.decoder.name", what, hint))
    return hierarchy

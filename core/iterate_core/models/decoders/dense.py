"""Decoders of a pyramid of feature maps: each pixel gets a class."""

from __future__ import annotations

from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.decoders.smp_options import SmpOptions
from iterate_core.models.necks.pyramid import Deepest, Hierarchical
from iterate_core.models.shapes import Maps
from iterate_core.registry.registry import resolve


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
        image = pyramid[0].new_zeros(pyramid[0].shape[0], 0, *size)
        logits: Tensor = self.output(self.dropout(self.decoder([image, *pyramid])))
        return logits


def refuse_lacking(name: str, required: tuple[int, ...], shape: Maps) -> None:
    """Refuse a backbone without the maps that a decoder cannot do without.

    Raises:
        RequestError: It lacks one of the strides.
    """
    if not set(required) <= set(shape.strides):
        needed, given = (", ".join(map(str, strides)) for strides in (required, shape.strides))
        what = f"{name} needs feature maps of stride {needed}, and the backbone gives {given}."
        raise RequestError(Problem("model.decoder.name", what, "Choose unet or linear."))


def build_smp(options: SmpOptions, shape: Maps, classes: int) -> nn.Module:
    """A decoder of segmentation-models-pytorch, on any backbone's maps.

    Raises:
        RequestError: The backbone is hierarchical but lacks a stride that the decoder requires.
    """
    if not shape.plain:
        refuse_lacking(options.name, options.required, shape)
    deepest = Deepest(options.deepest, options.cells)
    hierarchy = Hierarchical(shape, options.strides, deepest, options.multiple)
    decoder = resolve(options.library)([0, *hierarchy.channels], **options.arguments())
    return DenseDecoder(hierarchy, _over_channels(decoder), options.width, options.dropout, classes)


def _over_channels(decoder: nn.Module) -> nn.Module:
    """Its layer norms over the channels of each pixel: the library's take channels last."""
    for part in list(decoder.modules()):
        for name, child in part.named_children():
            if type(child) is nn.LayerNorm:
                setattr(part, name, LayerNorm2d(child.normalized_shape[0], eps=child.eps))
    return decoder

"""Options of the decoders of segmentation-models-pytorch (smp). Imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from iterate_core.models.decoders.options import Dropout
from iterate_core.models.shapes import PYRAMID
from iterate_core.registry.options import Component

_LIBRARY = "segmentation_models_pytorch.decoders"

Channels = Annotated[int, Field(gt=0)]
Width = Annotated[int, Field(gt=0, multiple_of=32)]
Norm = Literal["batchnorm", "layernorm", "identity"]


class SmpOptions(Component, ABC):
    """Options of a decoder of segmentation-models-pytorch (smp), built by `dense.build_smp`.

    Attributes:
        channels: Width of the decoder.
        dropout: Share of channels dropped before the last convolution in training.
        library: ``"module:Class"`` of the decoder.
        strides: Of the maps that it reads.
        required: Of the maps without which it cannot work.
        deepest: The stride at which it is given the map of stride 32: a smaller one where its
            authors dilate the backbone to keep that map finer.
        multiple: The channels of its maps must be a multiple of it.
        cells: The least along each side of its deepest map: that of a smaller image is resized.
    """

    channels: Channels = 256
    dropout: Dropout = 0.0

    library: ClassVar[str]
    strides: ClassVar[tuple[int, ...]] = PYRAMID[1:]
    required: ClassVar[tuple[int, ...]] = PYRAMID[1:]
    deepest: ClassVar[int] = PYRAMID[-1]
    multiple: ClassVar[int] = 1
    cells: ClassVar[int] = 1

    @property
    def width(self) -> int:
        """Channels that the decoder gives."""
        return self.channels

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """What the decoder is called with beside the channels of the maps."""


class UnetOptions(SmpOptions):
    """UNet: skip connections at every resolution (Ronneberger et al. 2015).

    Attributes:
        channels: Width of the shallowest block; each deeper block doubles it, up to 16 times.
        norm: Normalisation inside the blocks; ``batchnorm`` wants batches of some eight samples,
            ``layernorm`` is over the channels of each pixel, as in ConvNeXt.
    """

    channels: Channels = 16
    norm: Norm = "batchnorm"

    library = f"{_LIBRARY}.unet.decoder:UnetDecoder"
    strides = PYRAMID
    required: ClassVar[tuple[int, ...]] = ()

    def arguments(self) -> dict[str, Any]:
        """See `SmpOptions.arguments`."""
        widths = [self.channels * times for times in (16, 8, 4, 2, 1)]
        return {"decoder_channels": widths, "use_norm": self.norm}


class UnetPlusPlusOptions(UnetOptions):
    """UNet++: nested, dense skip connections between the scales (Zhou et al. 2018).

    Takes what `UnetOptions` takes.
    """

    library = f"{_LIBRARY}.unetplusplus.decoder:UnetPlusPlusDecoder"
    required = PYRAMID[1:]


class ManetOptions(UnetOptions):
    """MAnet: a UNet that attends to places in the deepest map, and to channels (Fan et al. 2020).

    Takes what `UnetOptions` takes, and:

    Attributes:
        attention: Width in which places are compared.
    """

    attention: Channels = 64

    library = f"{_LIBRARY}.manet.decoder:MAnetDecoder"
    required = (32,)

    def arguments(self) -> dict[str, Any]:
        """See `SmpOptions.arguments`."""
        return super().arguments() | {"pab_channels": self.attention}


class LinknetOptions(SmpOptions):
    """LinkNet: a light UNet that adds skip connections up (Chaurasia and Culurciello 2017).

    Attributes:
        channels: Width of the last block; the others are as wide as the backbone's maps.
        norm: As for `UnetOptions`.
    """

    channels: Channels = 32
    norm: Norm = "batchnorm"

    library = f"{_LIBRARY}.linknet.decoder:LinknetDecoder"
    strides = PYRAMID
    required = (32,)

    def arguments(self) -> dict[str, Any]:
        """See `SmpOptions.arguments`."""
        return {"prefinal_channels": self.channels, "use_norm": self.norm}


class FpnOptions(SmpOptions):
    """Feature pyramid network (Lin et al. 2017; Kirillov et al. 2019), with group normalisation.

    Attributes:
        channels: Width of the pyramid.
        segmentation_channels: Width of the merged prediction branch.
    """

    channels: Width = 256
    segmentation_channels: Width = 128
    dropout: Dropout = 0.2

    library = f"{_LIBRARY}.fpn.decoder:FPNDecoder"

    @property
    def width(self) -> int:
        """See `SmpOptions.width`."""
        return self.segmentation_channels

    def arguments(self) -> dict[str, Any]:
        """See `SmpOptions.arguments`."""
        return {
            "pyramid_channels": self.channels,
            "segmentation_channels": self.segmentation_channels,
            "dropout": 0.0,
        }


class UpernetOptions(SmpOptions):
    """UPerNet: pyramid pooling on top of a feature pyramid (Xiao et al. 2018)."""

    dropout: Dropout = 0.1

    library = f"{_LIBRARY}.upernet.decoder:UPerNetDecoder"

    def arguments(self) -> dict[str, Any]:
        """See `SmpOptions.arguments`."""
        return {"decoder_channels": self.channels}


class DeepLabOptions(SmpOptions):
    """DeepLabV3+: dilated convolutions on the deepest map, refined by one (Chen et al. 2018).

    Attributes:
        rate: Dilation of the first convolution; those of the second and third are two and three
            times as large. 6 is the authors' for a deepest map of stride 16.
    """

    dropout: Dropout = 0.1
    rate: Annotated[int, Field(gt=0)] = 6

    library = f"{_LIBRARY}.deeplabv3.decoder:DeepLabV3PlusDecoder"
    strides = required = (4, 32)
    deepest = 16

    def arguments(self) -> dict[str, Any]:
        """See `SmpOptions.arguments`."""
        return {
            "encoder_depth": len(PYRAMID),
            "out_channels": self.channels,
            "atrous_rates": [self.rate * times for times in (1, 2, 3)],
            "output_stride": self.deepest,
            "aspp_separable": True,
            "aspp_dropout": 0.0,
        }


class PspnetOptions(SmpOptions):
    """PSPNet: the deepest map beside its means over four grids of regions (Zhao et al. 2017)."""

    channels: Channels = 512
    dropout: Dropout = 0.1

    library = f"{_LIBRARY}.pspnet.decoder:PSPDecoder"
    strides = required = (32,)
    deepest = 8
    multiple = 4

    def arguments(self) -> dict[str, Any]:
        """See `SmpOptions.arguments`."""
        return {"out_channels": self.channels, "dropout": 0.0}


class PanOptions(SmpOptions):
    """PAN: attention over a pyramid of the deepest map guides the others (Li et al. 2018)."""

    channels: Channels = 32

    library = f"{_LIBRARY}.pan.decoder:PANDecoder"
    deepest = 16
    cells = 8  # it halves the map three times

    def arguments(self) -> dict[str, Any]:
        """See `SmpOptions.arguments`."""
        return {"encoder_depth": len(PYRAMID), "decoder_channels": self.channels}


class SegformerOptions(SmpOptions):
    """Segformer's decoder: each map projected, resized and mixed by 1×1 (Xie et al. 2021)."""

    dropout: Dropout = 0.1

    library = f"{_LIBRARY}.segformer.decoder:SegformerDecoder"

    def arguments(self) -> dict[str, Any]:
        """See `SmpOptions.arguments`."""
        return {"encoder_depth": len(PYRAMID), "segmentation_channels": self.channels}


class DptOptions(Component):
    """DPT: the depths of a transformer, reassembled at four scales (Ranftl et al. 2021).

    Attributes:
        channels: Width of the fused maps.
        dropout: Share of channels dropped before the last convolution in training.
    """

    channels: Channels = 256
    dropout: Dropout = 0.1

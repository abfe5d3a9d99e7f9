"""Options of decoders. Imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from iterate_core.models.shapes import PYRAMID
from iterate_core.registry.options import Component

_LIBRARY = "segmentation_models_pytorch.decoders"

Dropout = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(gt=0, multiple_of=32)]
Normalise = Literal["batch", "layer", "none"]


class LinearOptions(Component):
    """One linear layer: on the pooled vector, or on every cell of a feature map.

    Attributes:
        dropout: Share of features dropped in training.
        normalise: How features are standardised first: ``batch`` (each feature over the batch in
            training, over the training split in evaluation, without parameters), ``layer`` (each
            sample over its features) or ``none``. Without it one learning rate does not suit
            features of different scale.
        level: Segmentation: the stride of the feature map; None takes the deepest. Smaller
            strides are sharper and see less context.
    """

    dropout: Dropout = 0.0
    normalise: Normalise = "batch"
    level: Annotated[int, Field(gt=0)] | None = None


class MlpOptions(Component):
    """Hidden layers with GELU, then one linear layer.

    Attributes:
        hidden: Width of each hidden layer.
        layers: Number of hidden layers.
        dropout: Share of units dropped after each hidden layer in training.
        normalise: As for ``linear``.
    """

    hidden: Annotated[int, Field(gt=0)] = 256
    layers: Annotated[int, Field(gt=0, le=8)] = 1
    dropout: Dropout = 0.1
    normalise: Normalise = "batch"


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
    """

    channels: Annotated[int, Field(gt=0)] = 256
    dropout: Dropout = 0.0

    library: ClassVar[str]
    strides: ClassVar[tuple[int, ...]] = PYRAMID[1:]
    required: ClassVar[tuple[int, ...]] = PYRAMID[1:]
    deepest: ClassVar[int] = PYRAMID[-1]
    multiple: ClassVar[int] = 1

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

    channels: Annotated[int, Field(gt=0)] = 16
    norm: Literal["batchnorm", "layernorm", "identity"] = "batchnorm"

    library = f"{_LIBRARY}.unet.decoder:UnetDecoder"
    strides = PYRAMID
    required = ()

    def arguments(self) -> dict[str, Any]:
        """See `SmpOptions.arguments`."""
        widths = [self.channels * times for times in (16, 8, 4, 2, 1)]
        return {"decoder_channels": widths, "use_norm": self.norm}


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

    channels: Annotated[int, Field(gt=0)] = 512
    dropout: Dropout = 0.1

    library = f"{_LIBRARY}.pspnet.decoder:PSPDecoder"
    strides = required = (32,)
    deepest = 8
    multiple = 4

    def arguments(self) -> dict[str, Any]:
        """See `SmpOptions.arguments`."""
        return {"out_channels": self.channels, "dropout": 0.0}

"""DPT's decoder, on any backbone's maps."""

from __future__ import annotations

from segmentation_models_pytorch.decoders.dpt.decoder import DPTDecoder
from torch import Tensor, nn

from iterate_core.models.decoders.dense import refuse_lacking
from iterate_core.models.decoders.smp_options import DptOptions
from iterate_core.models.necks.pyramid import (
    NECK_STRIDES,
    nearest_stride,
    pyramid_sizes,
    resized,
    sources,
)
from iterate_core.models.shapes import Maps

_WIDER = (1, 2, 4, 4)
"""The authors' 256, 512, 1024 and 1024 channels at strides 4, 8, 16 and 32, over the narrowest."""


class Dpt(nn.Module):
    """Tokens reassembled at strides 4, 8, 16 and 32, then fused from the deepest on.

    The maps of a plain transformer become the four strides by transposed and strided
    convolutions, the shallowest the finest. Where its patch is no power of two, or its image no
    multiple of 32, they are resized first. Those of a hierarchical backbone have the strides.

    Args:
        options: Its options.
        shape: The maps that come in.
        classes: Number of classes.

    Raises:
        RequestError: The backbone is hierarchical but lacks one of the strides.
    """

    def __init__(self, options: DptOptions, shape: Maps, classes: int) -> None:
        super().__init__()
        if shape.plain:
            self.levels = sources(shape, NECK_STRIDES)
            self.strides = [nearest_stride(shape.strides[0])] * len(NECK_STRIDES)
        else:
            refuse_lacking(options.name, NECK_STRIDES, shape)
            self.levels = [shape.strides.index(stride) for stride in NECK_STRIDES]
            self.strides = list(NECK_STRIDES)
        self.decoder = DPTDecoder(
            encoder_out_channels=[shape.channels[level] for level in self.levels],
            encoder_output_strides=self.strides,
            encoder_has_prefix_tokens=False,
            readout="ignore",
            intermediate_channels=[options.channels * wider for wider in _WIDER],
            fusion_channels=options.channels,
        )
        self.dropout = nn.Dropout2d(options.dropout)
        self.output = nn.Conv2d(options.channels, classes, 3, padding=1)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits at stride 2 of an image of the padded `size`."""
        sizes = pyramid_sizes(size)
        levels = [maps[level] for level in self.levels]
        given = [
            level if level.shape[-2:] == sizes[stride] else resized(level, sizes[stride])
            for level, stride in zip(levels, self.strides, strict=True)
        ]
        fused = self.decoder(given, [None] * len(given))
        logits: Tensor = self.output(self.dropout(fused))
        return logits

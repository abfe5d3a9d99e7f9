"""What a recipe may say of SatMAE. Imports no torch."""

from __future__ import annotations

from typing import Literal

from iterate_core.models.backbones.transformer.options import EncoderOptions, Rate


class SatMaeOptions(EncoderOptions):
    """SatMAE with group channels.

    Attributes:
        pooling: Whether the class token or the mean of the patches stands for an image.
        grouping: Whether the maps of its three groups of bands are averaged or stand side by side.
        drop_path: Rate of stochastic depth at the last block.
    """

    pooling: Literal["cls", "mean"] = "mean"
    grouping: Literal["mean", "concat"] = "mean"
    drop_path: Rate = 0.0

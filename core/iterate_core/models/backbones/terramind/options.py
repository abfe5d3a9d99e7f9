"""What a recipe may say of TerraMind. Imports no torch."""

from __future__ import annotations

from typing import Literal

from iterate_core.models.backbones.transformer.options import EncoderOptions, Rate


class TerraMindOptions(EncoderOptions):
    """TerraMind.

    Attributes:
        merging: How the modalities' features of one place become one.
        modality_dropout: In training, all but one modality are each left out at this rate.
        drop_path: Rate of stochastic depth at the last block.
    """

    merging: Literal["mean", "max", "concat"] = "mean"
    modality_dropout: Rate = 0.0
    drop_path: Rate = 0.0

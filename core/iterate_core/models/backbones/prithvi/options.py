"""What a recipe may say of Prithvi-EO. Imports no torch."""

from __future__ import annotations

from typing import Literal

from iterate_core.models.backbones.transformer.options import EncoderOptions, Rate


class PrithviOptions(EncoderOptions):
    """Prithvi-EO.

    Attributes:
        pooling: Whether the class token or the mean of the patches stands for an image.
        coordinates: Whether a "TL" model is told dates and places, where the dataset knows them.
        drop_path: Rate of stochastic depth at the last block.
    """

    pooling: Literal["cls", "mean"] = "cls"
    coordinates: bool = True
    drop_path: Rate = 0.0

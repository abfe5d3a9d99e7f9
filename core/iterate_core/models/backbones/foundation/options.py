"""What a recipe may say of a geospatial foundation model. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from iterate_core.models.backbones.options import MatchedOptions

Rate = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]


class EncoderOptions(MatchedOptions):
    """An encoder that gives tokens after each of its blocks.

    Attributes:
        depth: Keep the first so many blocks, for speed; None keeps all.
        taps: The blocks whose maps are decoded, counted from 0; None takes four, evenly spaced or
            as its authors do.
    """

    depth: Positive | None = None
    taps: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] | None = None


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


class ClayOptions(EncoderOptions):
    """Clay.

    Attributes:
        pooling: Whether the class token or the mean of the patches stands for an image.
        coordinates: Whether it is told dates and places, where the dataset knows them.
        metres: Ground size of a pixel; None takes the dataset's, after resizing.
    """

    pooling: Literal["cls", "mean"] = "cls"
    coordinates: bool = True
    metres: Annotated[float, Field(gt=0)] | None = None


class DofaOptions(EncoderOptions):
    """DOFA.

    Attributes:
        drop_path: Rate of stochastic depth at the last block.
    """

    drop_path: Rate = 0.0


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

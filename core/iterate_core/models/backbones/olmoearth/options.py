"""What a recipe may say of OlmoEarth. Imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from iterate_core.models.backbones.transformer.options import EncoderOptions, Rate


class OlmoEarthOptions(EncoderOptions):
    """OlmoEarth.

    Attributes:
        patch: Side of a patch in pixels, 1 to 8, of which the model takes any: halving it gives
            maps of twice the sides and four times the tokens.
        coordinates: Whether it is told dates, where the dataset knows them.
        month: Of the first date where the dataset does not tell it, 1 to 12; the following dates
            are then taken to be a month apart.
        metres: Ground size of a pixel; None takes the dataset's, or else the 10 m of pretraining.
        drop_path: Rate of stochastic depth of every block.
    """

    patch: Annotated[int, Field(ge=1, le=8)] = 8
    coordinates: bool = True
    month: Annotated[int, Field(ge=1, le=12)] = 1
    metres: Annotated[float, Field(gt=0)] | None = None
    drop_path: Rate = 0.0

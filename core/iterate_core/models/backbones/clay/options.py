"""What a recipe may say of Clay. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from iterate_core.models.backbones.transformer.options import EncoderOptions


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

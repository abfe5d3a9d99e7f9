"""What a recipe may say of Presto. Imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from iterate_core.models.backbones.options import MatchedOptions


class PrestoOptions(MatchedOptions):
    """Presto.

    Attributes:
        coordinates: Whether it is told dates and places, where the dataset knows them.
        month: Of the first date where the dataset does not tell it, 1 to 12; the following dates
            are then taken to be a month apart.
        chunk: Pixels that are encoded at once; fewer take less memory.
    """

    coordinates: bool = True
    month: Annotated[int, Field(ge=1, le=12)] = 1
    chunk: Annotated[int, Field(gt=0)] = 4096

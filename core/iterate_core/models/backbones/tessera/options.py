"""What a recipe may say of Tessera. Imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from iterate_core.models.backbones.options import MatchedOptions


class TesseraOptions(MatchedOptions):
    """Tessera.

    Attributes:
        coordinates: Whether it is told the days of the year, where the dataset knows them. Days
            that it is not told are spread evenly over the year; of a single date it is mid-year.
        chunk: Pixels that are encoded at once; fewer take less memory.
    """

    coordinates: bool = True
    chunk: Annotated[int, Field(gt=0)] = 1024

"""What a recipe may say of Prithvi-WxC. Imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from iterate_core.models.backbones.transformer.options import EncoderOptions, Rate

Side = Annotated[int, Field(gt=0, multiple_of=2)]


class PrithviWxcOptions(EncoderOptions):
    """Prithvi-WxC.

    Attributes:
        unit: Rows and columns of a mask unit in pixels. Blocks attend within each in turn with
            among all; the grid of patches is padded to whole units. Smaller ones spare small
            images the padding.
        shift: Move the grid by half a unit, and back, after every second block, as Swin does. It
            has no weights.
        coordinates: Whether it is told dates and places, where the dataset knows them.
        input_hours: From the first date to the second, where the dataset's dates do not tell it; a
            single date stands for both.
        lead_hours: From the last date to what is predicted.
        hour: Of the day, UTC, at the last date; None leaves the code of the hour out.
        degrees: From a row to the next one further south, and from a column to the next one
            further east. None takes the ground size of the dataset's pixels; where there is none
            either, all pixels lie where the image does.
        drop_path: Rate of stochastic depth of every block.
    """

    unit: tuple[Side, Side] = (30, 32)
    shift: bool = False
    coordinates: bool = True
    input_hours: Annotated[float, Field(gt=0)] = 6.0
    lead_hours: Annotated[float, Field(ge=0)] = 0.0
    hour: Annotated[float, Field(ge=0, lt=24)] | None = None
    degrees: tuple[float, float] | None = None
    drop_path: Rate = 0.0

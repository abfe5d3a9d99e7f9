"""What a recipe may say of an encoder that gives tokens. Imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from iterate_core.models.backbones.options import MatchedOptions, Taps

Rate = Annotated[float, Field(ge=0, lt=1)]


class EncoderOptions(MatchedOptions):
    """An encoder that gives tokens after each of its blocks.

    Attributes:
        depth: Keep the first so many blocks, for speed; None keeps all.
        taps: The blocks whose maps are decoded, counted from 0; None takes four, evenly spaced.
    """

    depth: Annotated[int, Field(gt=0)] | None = None
    taps: Taps | None = None

"""What a recipe says of splits by blocks of ground. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from iterate_core.registry.options import FieldError, Section

Share = Annotated[float, Field(gt=0, lt=1)]


class BlockSplits(Section):
    """Splits that are drawn by blocks of ground, if `block_metres` is said.

    Attributes:
        shares: Of a random split, by blocks or not: those of training, validation and test.
        seed: Of a random split.
        block_metres: Side of the square blocks of ground that a random split leaves whole.
        distance_metres: Between blocks' splits: samples of training that lie nearer to another
            split are not used, nor those of validation that do to the test split. 0: none overlap.
    """

    shares: tuple[Share, Share, Share] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    block_metres: Annotated[float, Field(gt=0)] | None = None
    distance_metres: Annotated[float, Field(ge=0)] = 0.0

    @field_validator("shares")
    @classmethod
    def _are_all(cls, shares: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if shares is not None and abs(sum(shares) - 1) > 1e-6:
            raise ValueError("must sum to 1")
        return shares

    @model_validator(mode="after")
    def _distance_is_between_blocks(self) -> Self:
        if self.distance_metres and self.block_metres is None:
            raise ValueError("distance_metres lies between blocks: say block_metres too")
        return self


class PlaceSplits(BlockSplits):
    """The splits of a benchmark's dataset: the published ones, or drawn anew by samples' places.

    Where `shares` are not said, they are those of the published splits.
    """

    @model_validator(mode="after")
    def _is_drawn(self) -> Self:
        if self.block_metres is None and (self.shares is not None or self.seed):
            what = "must be said for splits that are drawn: without it they are the published ones"
            raise FieldError("block_metres", what)
        return self

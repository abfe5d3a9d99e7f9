"""What a recipe says of a dataset of Hugging Face that lies on disk. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from iterate_core.data.folders.options import Share
from iterate_core.data.keyed.options import ImageKeys, KeyedData
from iterate_core.registry.options import Section


class DrawnSplits(Section):
    """Of splits that no file's name says.

    Attributes:
        shares: Those of training, validation and test.
        seed: Of the draw.
    """

    shares: tuple[Share, Share, Share] = (0.6, 0.2, 0.2)
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("shares")
    @classmethod
    def _are_all(cls, shares: tuple[float, float, float]) -> tuple[float, float, float]:
        if abs(sum(shares) - 1) > 1e-6:
            raise ValueError("must sum to 1")
        return shares


class HuggingFaceData(ImageKeys, KeyedData):
    """Tables with images: ``data/train-00000-of-00001.parquet``, or what ``save_to_disk`` wrote.

    Attributes:
        boxes: How a box is written: left, top, width, height (as Hugging Face's guides and COCO
            do), or left, top, right, bottom.
        split: Of splits that no file is of: they are drawn from the training samples.
    """

    name: Literal["huggingface"] = "huggingface"
    boxes: Literal["xywh", "xyxy"] = "xywh"
    split: DrawnSplits = DrawnSplits()

"""What a recipe says of a dataset of Hugging Face that lies on disk. Imports no torch."""

from __future__ import annotations

from typing import Literal

from iterate_core.data.keyed.options import DrawnSplits, ImageKeys, KeyedData


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

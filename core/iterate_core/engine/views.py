"""The flips and rotations in which a recipe sees its samples."""

from __future__ import annotations

from iterate_core.data.augmentation.elements import IDENTITY, Element, elements
from iterate_core.data.dataset import Split
from iterate_core.engine.resolved import Prepared


def augmentations(prepared: Prepared, split: Split = "train") -> tuple[Element, ...]:
    """The flips and quarter turns that a split's samples are drawn from.

    Of a single pixel there are none, whatever the recipe says.
    """
    size = prepared.info.height, prepared.info.width
    if split != "train" or size == (1, 1):
        return (IDENTITY,)
    chosen = prepared.recipe.augmentation
    square = size[0] == size[1]
    return elements(flip=chosen.flip, rotate=chosen.rotate, square=square)

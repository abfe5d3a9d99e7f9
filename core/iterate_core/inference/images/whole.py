"""A scene as one image of a model's own size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from iterate_core.data.loading.batch import Context
from iterate_core.errors import DataError, Problem
from iterate_core.inference.scenes.base import Scene

LARGEST = 2
"""How many times as high or wide as a model's training images an image may be."""


def whole_image(scene: Scene, size: tuple[int, int]) -> tuple[Tensor, Context | None, str | None]:
    """All of a scene, resized as training resizes images.

    Args:
        scene: The scene.
        size: (height, width) of the model's training images as stored.

    Returns:
        (1, bands, …, height, width), when and where it was taken, and what is to be said of it.

    Raises:
        DataError: It is far larger, holds no data, or cannot be read.
    """
    own = (scene.height, scene.width)
    if any(side > LARGEST * usual for side, usual in zip(own, size, strict=True)):
        what = f"has {own[1]} × {own[0]} pixels, and the model was trained on images of"
        hint = "Predict it window by window (--by-window), or cut it."
        raise DataError(Problem(scene.source, f"{what} {size[1]} × {size[0]}.", hint))
    piece = scene.read(0, 0, *own)
    if not piece.valid.any():
        raise DataError(Problem(scene.source, "holds no data."))
    image = torch.from_numpy(piece.pixels)[None]
    context = scene.context(0, 0, *own)
    if own == size:
        return image, context, None
    flat = image.flatten(0, -4) if image.ndim > 4 else image
    resized = functional.interpolate(flat, size=size, mode="bilinear", align_corners=False)
    note = f"resized from {own[1]} × {own[0]} to {size[1]} × {size[0]} pixels"
    return resized.reshape(*image.shape[:-2], *size), context, note

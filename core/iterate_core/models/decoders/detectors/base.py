"""What every detector can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.roi_heads import paste_masks_in_image

from iterate_core.models.decoders.detectors.pyramid import Scene

Objects = dict[str, Tensor]
"""``boxes`` (objects, 4) left, top, right, bottom in pixels, ``labels`` (objects,), and where there
are ``masks`` (objects, height, width) of 0 and 1; of detections, their ``scores`` too."""


class Detector(nn.Module, ABC):
    """Finds objects in feature maps.

    Class 0 is the background: no detection is of it, and objects of it teach nothing. Neither do
    objects whose boxes have no area.
    """

    @abstractmethod
    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Scene:
        """What can be told before targets are known, of maps of images of the padded `size`."""

    def losses(self, scene: Scene, targets: list[Objects]) -> dict[str, Tensor]:
        """The losses of a batch by name, each a mean; which samples they are of may be random."""
        return self._losses(scene, [_taught(target, scene) for target in targets])

    @torch.no_grad()
    def detections(self, scene: Scene) -> list[Objects]:
        """What is found in each image, the best first."""
        return [_as_seen(found, scene) for found in self._detections(scene)]

    @abstractmethod
    def _losses(self, scene: Scene, targets: list[Objects]) -> dict[str, Tensor]:
        """As `losses`, of targets on the pyramid's own grid."""

    @abstractmethod
    def _detections(self, scene: Scene) -> list[Objects]:
        """As `detections`, on the pyramid's own grid; masks as torchvision gives them."""


class InFull(nn.Module):
    """A layer whose outputs are float32 in any arithmetic: boxes need all their digits.

    Args:
        inner: The layer.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *inputs: Any) -> Any:
        """The layer's outputs."""
        return _in_full(self.inner(*inputs))


def _in_full(outputs: Any) -> Any:
    return (
        outputs.float()
        if isinstance(outputs, Tensor)
        else type(outputs)(_in_full(part) for part in outputs)
    )


@contextmanager
def in_mode(*parts: nn.Module, training: bool) -> Iterator[None]:
    """Let parts work as in training or in evaluation, not their layers, which stay as they are."""
    before = [part.training for part in parts]
    try:
        for part in parts:
            part.training = training
        yield
    finally:
        for part, was in zip(parts, before, strict=True):
            part.training = was


def _taught(target: Objects, scene: Scene) -> Objects:
    """The objects that teach something, on the pyramid's own grid."""
    down, right = scene.scale
    boxes = target["boxes"] * target["boxes"].new_tensor([right, down, right, down])
    kept = (boxes[:, 2:] > boxes[:, :2]).all(dim=1) & (target["labels"] > 0)
    taught = {name: each[kept] for name, each in (target | {"boxes": boxes}).items()}
    if "masks" in taught and scene.scale != (1.0, 1.0):
        size = [round(side * scale) for side, scale in zip(scene.size, scene.scale, strict=True)]
        masks = functional.interpolate(taught["masks"][:, None].float(), size, mode="nearest-exact")
        taught["masks"] = masks[:, 0].to(torch.uint8)
    return taught


def _as_seen(found: Objects, scene: Scene) -> Objects:
    """Detections in pixels of the image."""
    down, right = scene.scale
    boxes = found["boxes"] / found["boxes"].new_tensor([right, down, right, down])
    seen = found | {"boxes": boxes}
    if "masks" in found:
        pasted = paste_masks_in_image(found["masks"], boxes, scene.size)
        seen["masks"] = (pasted[:, 0] > 0.5).to(torch.uint8)
    return seen

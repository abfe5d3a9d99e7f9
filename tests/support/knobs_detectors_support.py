"""What each option of a detector changes, by itself."""

from __future__ import annotations

from typing import Any

import torch
from knobs_parts_support import CLASSES, SIDE, STRIDES, WIDTH, options
from knobs_support import Case, Scene

from iterate_core.models.decoders.detectors.base import Detector
from iterate_core.models.decoders.detectors.pyramid import Scene as Seen
from iterate_core.models.shapes import Maps
from iterate_core.registry import registries

_SIDES = "network.head.regression_head.bbox_reg.bias"
SMALL: dict[str, Any] = {"channels": 64, "score_threshold": 0.001}


def detector(scene: Scene) -> tuple[Detector, Seen]:
    """An untrained detector, and two random images as it sees them."""
    build = registries.decoders.get(scene.knob.component).load()
    torch.manual_seed(0)
    made: Detector = build(options(scene, **SMALL), Maps((WIDTH,) * len(STRIDES), STRIDES), CLASSES)
    if scene.knob.component == "fcos":  # else its boxes are points
        torch.nn.init.constant_(made.get_parameter(_SIDES), 2.0)
    maps = [torch.randn(2, WIDTH, SIDE // stride, SIDE // stride) for stride in STRIDES]
    return made.eval(), made(maps, (SIDE, SIDE))


def structure(scene: Scene) -> Any:
    """The shapes of all that it holds."""
    return [(name, tuple(value.shape)) for name, value in detector(scene)[0].state_dict().items()]


def found(scene: Scene) -> Any:
    """The boxes that it finds in the first image."""
    made, seen = detector(scene)
    return [[round(x, 2) for x in box] for box in made.detections(seen)[0]["boxes"].tolist()]


def count(scene: Scene) -> int:
    """How many those are."""
    return len(found(scene))


def any_found(scene: Scene) -> bool:
    """Whether there are any."""
    return bool(found(scene))


def losses(scene: Scene) -> Any:
    """Of an object in the middle of each image."""
    made, seen = detector(scene)
    target = {"boxes": torch.tensor([[6.0, 6.0, 26.0, 26.0]]), "labels": torch.tensor([1])}
    told = made.losses(seen.detach(), [target] * 2)
    return {name: round(value.item(), 5) for name, value in told.items()}


DETECTORS: dict[str, Case] = {
    "DetectorOptions.channels": Case((64, 128), structure),
    "DetectorOptions.finest": Case((4, 8), structure),
    "DetectorOptions.score_threshold": Case((0.001, 0.9), any_found, (True, False)),
    "DetectorOptions.nms_threshold": Case((0.0, 1.0), found),
    "DetectorOptions.detections": Case((1, 2), count, (1, 2)),
    "AnchoredOptions.anchor_scale": Case((2.0, 4.0), found),
    "AnchoredOptions.aspect_ratios": Case(((1.0,), (0.5, 1.0)), structure),
    "FasterRcnnOptions.proposals": Case((2, 50), found),
    "FasterRcnnOptions.hidden": Case((16, 32), structure),
    "MaskRcnnOptions.mask_channels": Case((16, 32), structure),
    "FcosOptions.radius": Case((0.5, 2.0), losses),
}

"""RetinaNet and FCOS: every anchor, or every cell, is classified and refined at once."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.fcos import FCOS
from torchvision.models.detection.retinanet import RetinaNet, RetinaNetHead

from iterate_core.models.decoders.detectors.anchors import CellAnchors, listed
from iterate_core.models.decoders.detectors.base import Detector, Objects
from iterate_core.models.decoders.detectors.options import (
    DetectorOptions,
    FcosOptions,
    RetinaNetOptions,
)
from iterate_core.models.decoders.detectors.pyramid import Pyramid, Scene
from iterate_core.models.shapes import Maps

_OCTAVES = tuple(2 ** (third / 3) for third in range(3))


class OneStage(Detector):
    """Classifies and refines every anchor of every level.

    Args:
        network: Of torchvision; its `backbone` is the `Pyramid`, its anchors `CellAnchors`.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Scene:
        """See `Detector.forward`: the pyramid, and what is predicted of each anchor."""
        scene: Scene = self.network.backbone(maps, size)
        return replace(scene, heads=self.network.head(scene.maps)).float()

    def _losses(self, scene: Scene, targets: list[Objects]) -> dict[str, Tensor]:
        anchors = self.network.anchor_generator(listed(scene), scene.maps)
        return self._compared(scene, [_relabelled(one, -1) for one in targets], anchors)

    @abstractmethod
    def _compared(
        self, scene: Scene, targets: list[Objects], anchors: list[Tensor]
    ) -> dict[str, Tensor]:
        """The losses, once the anchors are known."""

    def _detections(self, scene: Scene) -> list[Objects]:
        counts = self.network.anchor_generator.counts(scene)
        anchors = self.network.anchor_generator(listed(scene), scene.maps)
        heads = {name: list(torch.split(each, counts, dim=1)) for name, each in scene.heads.items()}
        by_level = [list(torch.split(each, counts)) for each in anchors]
        found = self.network.postprocess_detections(heads, by_level, scene.bounds)
        return [_relabelled(one, +1) for one in found]


def _relabelled(objects: Objects, shift: int) -> Objects:
    """With labels that begin elsewhere: these networks have no output for the background."""
    return objects | {"labels": objects["labels"] + shift}


class _RetinaNet(OneStage):
    def _compared(
        self, scene: Scene, targets: list[Objects], anchors: list[Tensor]
    ) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self.network.compute_loss(targets, scene.heads, anchors)
        return losses


class _Fcos(OneStage):
    def _compared(
        self, scene: Scene, targets: list[Objects], anchors: list[Tensor]
    ) -> dict[str, Tensor]:
        counts = self.network.anchor_generator.counts(scene)
        losses: dict[str, Tensor] = self.network.compute_loss(targets, scene.heads, anchors, counts)
        return losses


def build_retinanet(options: RetinaNetOptions, shape: Maps, classes: int) -> OneStage:
    """RetinaNet on any backbone's maps; the first of the classes is the background.

    Raises:
        RequestError: See `iterate_core.models.decoders.detectors.pyramid.Pyramid`.
    """
    pyramid = Pyramid(shape, options.channels, options.finest, pooled=False)
    scales = [options.anchor_scale * octave for octave in _OCTAVES]
    anchors = CellAnchors(pyramid.strides, scales, options.aspect_ratios)
    count = anchors.num_anchors_per_location()[0]
    head = RetinaNetHead(options.channels, count, classes - 1, partial(nn.GroupNorm, 32))
    kept = _kept(options)
    return _RetinaNet(RetinaNet(pyramid, classes - 1, anchor_generator=anchors, head=head, **kept))


def build_fcos(options: FcosOptions, shape: Maps, classes: int) -> OneStage:
    """FCOS on any backbone's maps; see `build_retinanet`."""
    pyramid = Pyramid(shape, options.channels, options.finest, pooled=False)
    cells = CellAnchors(pyramid.strides, (1.0,), (1.0,))
    kept = _kept(options) | {"center_sampling_radius": options.radius}
    return _Fcos(FCOS(pyramid, classes - 1, anchor_generator=cells, **kept))


def _kept(options: DetectorOptions) -> dict[str, float]:
    return {
        "score_thresh": options.score_threshold,
        "nms_thresh": options.nms_threshold,
        "detections_per_img": options.detections,
    }

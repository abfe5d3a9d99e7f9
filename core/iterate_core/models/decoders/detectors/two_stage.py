"""Faster R-CNN and Mask R-CNN: regions are proposed, then looked at one by one."""

from __future__ import annotations

import math

from torch import Tensor
from torchvision.models.detection.faster_rcnn import FasterRCNN, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNN, MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import initLevelMapper

from iterate_core.models.decoders.detectors.anchors import CellAnchors, listed
from iterate_core.models.decoders.detectors.base import Detector, InFull, Objects, in_mode
from iterate_core.models.decoders.detectors.options import FasterRcnnOptions, MaskRcnnOptions
from iterate_core.models.decoders.detectors.pyramid import Pyramid, Scene
from iterate_core.models.shapes import Maps

_BOX_CELLS, _MASK_CELLS = 7, 14
_PROPOSED = 2  # as many are proposed at each level as are kept of all, times this


class TwoStage(Detector):
    """Proposes regions by anchors, and classifies and refines each.

    Args:
        network: Of torchvision; its `backbone` is the `Pyramid`.
    """

    def __init__(self, network: FasterRCNN) -> None:
        super().__init__()
        self.pyramid: Pyramid = network.backbone
        self.proposing = network.rpn
        self.looking = network.roi_heads

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Scene:
        """See `Detector.forward`: the pyramid."""
        scene: Scene = self.pyramid(maps, size)
        return scene

    def _losses(self, scene: Scene, targets: list[Objects]) -> dict[str, Tensor]:
        levels = _named(scene)
        with in_mode(self.proposing, self.looking, training=True):
            regions, proposing = self.proposing(listed(scene), levels, targets)
            _, looking = self.looking(levels, regions, scene.bounds, targets)
        return {**proposing, **looking}

    def _detections(self, scene: Scene) -> list[Objects]:
        levels = _named(scene)
        with in_mode(self.proposing, self.looking, training=False):
            regions, _ = self.proposing(listed(scene), levels)
            found, _ = self.looking(levels, regions, scene.bounds)
        return list(found)


def build_faster_rcnn(options: FasterRcnnOptions, shape: Maps, classes: int) -> TwoStage:
    """Faster R-CNN on any backbone's maps; the first of the classes is the background.

    Raises:
        RequestError: See `iterate_core.models.decoders.detectors.pyramid.Pyramid`.
    """
    pyramid = Pyramid(shape, options.channels, options.finest, pooled=True)
    return TwoStage(FasterRCNN(pyramid, **_parts(options, pyramid, classes)))


def build_mask_rcnn(options: MaskRcnnOptions, shape: Maps, classes: int) -> TwoStage:
    """Mask R-CNN on any backbone's maps; see `build_faster_rcnn`."""
    pyramid = Pyramid(shape, options.channels, options.finest, pooled=True)
    width = options.mask_channels
    network = MaskRCNN(
        pyramid,
        **_parts(options, pyramid, classes),
        mask_roi_pool=_pool(pyramid, _MASK_CELLS),
        mask_head=MaskRCNNHeads(options.channels, (width,) * 4, 1),
        mask_predictor=InFull(MaskRCNNPredictor(width, width, classes)),
    )
    return TwoStage(network)


def _parts(options: FasterRcnnOptions, pyramid: Pyramid, classes: int) -> dict[str, object]:
    anchors = CellAnchors(pyramid.strides, (options.anchor_scale,), options.aspect_ratios)
    count = anchors.num_anchors_per_location()[0]
    looked_at = options.channels * _BOX_CELLS**2
    proposed = {
        f"rpn_{when}_nms_top_n_{mode}": options.proposals * times
        for when, times in (("pre", _PROPOSED), ("post", 1))
        for mode in ("train", "test")
    }
    return proposed | {
        "rpn_anchor_generator": anchors,
        "rpn_head": InFull(RPNHead(options.channels, count)),
        "box_roi_pool": _pool(pyramid, _BOX_CELLS),
        "box_head": TwoMLPHead(looked_at, options.hidden),
        "box_predictor": InFull(FastRCNNPredictor(options.hidden, classes)),
        "box_score_thresh": options.score_threshold,
        "box_nms_thresh": options.nms_threshold,
        "box_detections_per_img": options.detections,
    }


def _pool(pyramid: Pyramid, cells: int) -> MultiScaleRoIAlign:
    """Regions from the levels that the backbone has, whose scales are known: none is guessed."""
    read = pyramid.read
    pool = MultiScaleRoIAlign([str(index) for index in range(len(read))], cells, sampling_ratio=2)
    pool.scales = [1 / stride for stride in read]
    pool.map_levels = initLevelMapper(*(int(math.log2(stride)) for stride in (read[0], read[-1])))
    return pool


def _named(scene: Scene) -> dict[str, Tensor]:
    return {str(index): level for index, level in enumerate(scene.maps)}

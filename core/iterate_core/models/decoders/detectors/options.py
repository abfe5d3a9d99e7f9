"""Options of detectors. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from iterate_core.models.decoders.smp_options import Width
from iterate_core.registry.options import Component

Share = Annotated[float, Field(ge=0, le=1)]
# torchvision normalises in 32 groups, and one channel of a 1×1 map has no variance.
Grouped = Annotated[int, Field(gt=0, multiple_of=64)]
Score = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0)]


class DetectorOptions(Component):
    """What all detectors share: a feature pyramid, and what counts as a detection.

    Attributes:
        channels: Width of the pyramid.
        finest: Stride of the pyramid's finest map, if the backbone has one as fine: 4 finds smaller
            objects than 8, and costs some four times as much.
        score_threshold: Boxes that score no more than this are no detections. Average precision
            wants it low.
        nms_threshold: Of two boxes of a class whose intersection over union exceeds this, the one
            that scores less is none either.
        detections: How many are kept of an image, the best. The metrics count 100 at most.
    """

    channels: Width = 256
    finest: Literal[4, 8] = 4
    score_threshold: Score = 0.05
    nms_threshold: Share = 0.5
    detections: Count = 100


class AnchoredOptions(DetectorOptions):
    """Boxes are found from anchors: boxes of set sizes and shapes around each cell of each map.

    Attributes:
        anchor_scale: Side of a map's anchors in cells of the map; those of a map of stride 4 and
            scale 8 are 32 pixels wide. Should suit the smallest objects.
        aspect_ratios: Height over width of the anchors.
    """

    anchor_scale: Positive = 8.0
    aspect_ratios: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.5, 1.0, 2.0)


class FasterRcnnOptions(AnchoredOptions):
    """Faster R-CNN: regions are proposed first, then classified and refined (Ren et al. 2015).

    Attributes:
        proposals: How many regions of an image are looked at.
        hidden: Width of the two layers that look at a region.
    """

    proposals: Count = 1000
    hidden: Count = 1024


class MaskRcnnOptions(FasterRcnnOptions):
    """Mask R-CNN: Faster R-CNN with a mask of each object (He et al. 2017).

    Attributes:
        mask_channels: Width of the branch that draws masks.
    """

    mask_channels: Count = 256


class RetinaNetOptions(AnchoredOptions):
    """RetinaNet: every anchor is classified at once, by a focal loss (Lin et al. 2017).

    Each map has anchors of three sizes, of one, 1.26 and 1.59 times the scale.
    """

    channels: Grouped = 256
    finest: Literal[4, 8] = 8
    anchor_scale: Positive = 4.0


class FcosOptions(DetectorOptions):
    """FCOS: every cell inside an object tells its box, without anchors (Tian et al. 2019).

    Attributes:
        radius: How far from an object's centre cells learn to tell its box, in cells.
    """

    channels: Grouped = 256
    finest: Literal[4, 8] = 8
    nms_threshold: Share = 0.6
    radius: Positive = 1.5

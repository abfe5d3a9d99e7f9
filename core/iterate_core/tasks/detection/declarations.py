"""What detection and instance segmentation measure. Imports no torch.

Average precision is that of COCO (Lin et al., "Microsoft COCO: Common Objects in Context", 2014) by
pycocotools: for a class and a threshold of intersection over union, the mean of the interpolated
precision at recalls of 0, 0.01, … 1, of at most the 100 best detections of each image. Objects of a
class are found by detections of that class alone. A class without objects in the split has none.
"""

from __future__ import annotations

import math

from iterate_core.tasks.declarations import TaskDeclaration
from iterate_core.tasks.metrics import Metric

_THRESHOLDS = "intersections over union of 0.50, 0.55, … 0.95"


def _precisions(of: str, prefix: str = "") -> tuple[Metric, ...]:
    return (
        Metric(
            f"{prefix}map",
            "max",
            f"mean over classes and {_THRESHOLDS} of the average precision of {of}",
            trained=False,
        ),
        Metric(
            f"{prefix}map_50",
            "max",
            f"mean over classes of the average precision of {of} at 0.50",
            trained=False,
        ),
    )


_LOSS = Metric(
    "loss", "min", "sum of the detector's losses, averaged over images", highest=math.inf
)

DETECTION = TaskDeclaration("detection", (*_precisions("boxes"), _LOSS))
INSTANCE = TaskDeclaration(
    "instance", (*_precisions("masks", "segm_"), *_precisions("boxes"), _LOSS)
)

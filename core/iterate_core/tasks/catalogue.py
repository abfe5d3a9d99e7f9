"""The tasks that ship. Imports no torch."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry
from iterate_core.tasks.declarations import (
    CHANGE_DETECTION,
    CLASSIFICATION,
    MULTILABEL,
    REGRESSION,
    SCALAR_REGRESSION,
    SEGMENTATION,
)
from iterate_core.tasks.detection.declarations import DETECTION, INSTANCE
from iterate_core.tasks.downscaling.declarations import DOWNSCALING

_TASKS = "iterate_core.tasks"


def register(tasks: Registry) -> None:
    """Add every task that ships."""
    for declaration, builder, target in (
        (CLASSIFICATION, "classification:ClassificationTask", "targets:ClassTarget"),
        (MULTILABEL, "multilabel:MultilabelTask", "targets:ClassesTarget"),
        (SEGMENTATION, "segmentation:SegmentationTask", "targets:MaskTarget"),
        (CHANGE_DETECTION, "change_detection:ChangeDetectionTask", "targets:MaskTarget"),
        (REGRESSION, "regression:RegressionTask", "targets:QuantityTarget"),
        (SCALAR_REGRESSION, "regression:ScalarRegressionTask", "targets:QuantitiesTarget"),
        (DOWNSCALING, "downscaling.task:DownscalingTask", "downscaling.targets:FinerTarget"),
        (DETECTION, "detection.task:DetectionTask", "detection.targets:BoxesTarget"),
        (INSTANCE, "detection.task:InstanceTask", "detection.targets:MasksTarget"),
    ):
        options = "iterate_core.registry.options:Section"
        facts = {"declaration": declaration, "target": f"{_TASKS}.{target}"}
        tasks.register(Entry(declaration.name, options, f"{_TASKS}.{builder}", facts=facts))

"""The tasks that ship. Imports no torch."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry
from iterate_core.tasks.declarations import (
    CLASSIFICATION,
    MULTILABEL,
    REGRESSION,
    SCALAR_REGRESSION,
    SEGMENTATION,
)

_TASKS = "iterate_core.tasks"


def register(tasks: Registry) -> None:
    """Add every task that ships."""
    for declaration, builder, target in (
        (CLASSIFICATION, "classification:ClassificationTask", "ClassTarget"),
        (MULTILABEL, "multilabel:MultilabelTask", "ClassesTarget"),
        (SEGMENTATION, "segmentation:SegmentationTask", "MaskTarget"),
        (REGRESSION, "regression:RegressionTask", "QuantityTarget"),
        (SCALAR_REGRESSION, "regression:ScalarRegressionTask", "QuantitiesTarget"),
    ):
        options = "iterate_core.registry.options:Section"
        facts = {"declaration": declaration, "target": f"{_TASKS}.targets:{target}"}
        tasks.register(Entry(declaration.name, options, f"{_TASKS}.{builder}", facts=facts))

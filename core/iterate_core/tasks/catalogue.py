"""The tasks that ship. Imports no torch."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry
from iterate_core.tasks.declarations import CLASSIFICATION, MULTILABEL, REGRESSION, SEGMENTATION

_TASKS = "iterate_core.tasks"


def register(tasks: Registry) -> None:
    """Add every task that ships."""
    for declaration, builder in (
        (CLASSIFICATION, "classification:ClassificationTask"),
        (MULTILABEL, "multilabel:MultilabelTask"),
        (SEGMENTATION, "segmentation:SegmentationTask"),
        (REGRESSION, "regression:RegressionTask"),
    ):
        options, facts = "iterate_core.registry.options:Section", {"declaration": declaration}
        tasks.register(Entry(declaration.name, options, f"{_TASKS}.{builder}", facts=facts))

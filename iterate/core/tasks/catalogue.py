"""The tasks that ship. Imports no torch."""

from __future__ import annotations

from iterate.core.registry import Entry, Registry
from iterate.core.tasks.declarations import (
    CLASSIFICATION,
    MULTILABEL,
    REGRESSION,
    SEGMENTATION,
)

_TASKS = "iterate.core.tasks"


def register(tasks: Registry) -> None:
    """Add every task that ships."""
    for declaration, builder in (
        (CLASSIFICATION, "classification:ClassificationTask"),
        (MULTILABEL, "multilabel:MultilabelTask"),
        (SEGMENTATION, "segmentation:SegmentationTask"),
        (REGRESSION, "regression:RegressionTask"),
    ):
        options, facts = "iterate.core.section:Section", {"declaration": declaration}
        tasks.register(Entry(declaration.name, options, f"{_TASKS}.{builder}", facts=facts))

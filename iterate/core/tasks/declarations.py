"""What each task measures. Imports no torch.

All metrics come from one confusion matrix over a whole split, in which c[i, j] counts samples (or
pixels that are not ignored) of class i predicted as class j. With tp = c[k, k], fn = Σ_j c[k, j] −
tp and fp = Σ_i c[i, k] − tp of class k, macro means are taken over the classes that occur at all
(tp + fp + fn > 0), each with the same weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Mode = Literal["max", "min"]


@dataclass(frozen=True)
class Metric:
    """One number that a task reports after each epoch.

    Attributes:
        name: As in ``val/<name>``.
        mode: Which direction is better.
        meaning: Its exact definition.
        highest: The largest value it can take; the smallest is 0.
    """

    name: str
    mode: Mode
    meaning: str
    highest: float = 1.0


@dataclass(frozen=True)
class TaskDeclaration:
    """A task and what it reports.

    Attributes:
        name: Its name in the registry.
        metrics: All metrics; the first is the objective unless a recipe says otherwise.
        dense: Whether each pixel is predicted rather than each image.
    """

    name: str
    metrics: tuple[Metric, ...]
    dense: bool

    @property
    def primary(self) -> Metric:
        """The metric that is optimised by default."""
        return self.metrics[0]

    def metric(self, name: str) -> Metric | None:
        """The metric of that name, or None."""
        return next((metric for metric in self.metrics if metric.name == name), None)


_LOSS = Metric("loss", "min", "cross-entropy in nats, averaged over all counted {what}")
_MACRO = (
    Metric("accuracy_macro", "max", "mean over classes of tp / (tp + fn), 0 where tp + fn = 0"),
    Metric("f1_macro", "max", "mean over classes of 2 tp / (2 tp + fp + fn)"),
)

CLASSIFICATION = TaskDeclaration(
    "classification",
    (
        Metric("accuracy", "max", "share of samples whose class is predicted"),
        *_MACRO,
        Metric("loss", "min", _LOSS.meaning.format(what="samples"), math.inf),
    ),
    dense=False,
)

SEGMENTATION = TaskDeclaration(
    "segmentation",
    (
        Metric("miou", "max", "mean over classes of tp / (tp + fp + fn)"),
        Metric("iou_micro", "max", "Σ tp / Σ (tp + fp + fn)"),
        Metric("pixel_accuracy", "max", "share of counted pixels whose class is predicted"),
        *_MACRO,
        Metric("loss", "min", _LOSS.meaning.format(what="pixels"), math.inf),
    ),
    dense=True,
)

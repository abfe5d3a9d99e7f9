"""What each task measures. Imports no torch.

All metrics are of a whole split, never averages over batches.

Those of classification and segmentation come from one confusion matrix, in which c[i, j] counts
samples (or pixels that are not ignored) of class i predicted as class j. With tp = c[k, k], fn =
Σ_j c[k, j] − tp and fp = Σ_i c[i, k] − tp of class k, macro means are taken over the classes that
occur at all (tp + fp + fn > 0), each with the same weight.

In change detection the first class is that nothing changed. Those of change take all others as one:
tp are pixels that changed and are predicted as changed, whatever to; 0 / 0 is 0.

In multilabel classification a class is predicted where its probability exceeds one half, and tp,
fp and fn are counted class by class. Average precision is Σ_k (R_k − R_(k−1)) P_k, with precision
P_k and recall R_k of what scores at least the k-th highest distinct score. As in torchmetrics and
scikit-learn, macro means are taken over all classes: one that occurs nowhere has an F1 of 0, and
one without positives an average precision of 0.

In regression e is the prediction less the target in the target's unit, over the pixels whose target
is known (not NaN). In scalar regression it is that of a number of the whole image; of several
numbers each metric is the mean over them of what it is for each, as scikit-learn's
``multioutput="uniform_average"``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from iterate_core.tasks import class_counts, residuals
from iterate_core.tasks.class_counts import ClassCounts, of_change, over_all, over_occurring
from iterate_core.tasks.metrics import Metric


@dataclass(frozen=True)
class TaskDeclaration:
    """A task and what it reports.

    Attributes:
        name: Its name in the registry.
        metrics: All metrics; the first is the objective unless a recipe says otherwise.
        loss: What trains it unless a recipe says otherwise, a name in the registry of losses; None
            where it has a loss of its own, and none of the registry serves it.
    """

    name: str
    metrics: tuple[Metric, ...]
    loss: str | None = None

    @property
    def primary(self) -> Metric:
        """The metric that is optimised by default."""
        return self.metrics[0]

    def metric(self, name: str) -> Metric | None:
        """The metric of that name, or None."""
        return next((metric for metric in self.metrics if metric.name == name), None)


_loss = partial(Metric, "loss", "min", highest=math.inf)
_LOSS = "what trains, unless a recipe says otherwise"
_MACRO = (
    Metric(
        "accuracy_macro",
        "max",
        "mean over classes of tp / (tp + fn), 0 where tp + fn = 0",
        over_occurring(ClassCounts.recall),
    ),
    Metric(
        "f1_macro",
        "max",
        "mean over classes of 2 tp / (2 tp + fp + fn)",
        over_occurring(ClassCounts.f1),
    ),
)

CLASSIFICATION = TaskDeclaration(
    "classification",
    (
        Metric(
            "accuracy", "max", "share of samples whose class is predicted", class_counts.accuracy
        ),
        *_MACRO,
        _loss(f"{_LOSS}: cross-entropy in nats, averaged over samples"),
    ),
    loss="cross_entropy",
)

_PIXELS = (
    Metric(
        "miou", "max", "mean over classes of tp / (tp + fp + fn)", over_occurring(ClassCounts.iou)
    ),
    Metric("iou_micro", "max", "Σ tp / Σ (tp + fp + fn)", class_counts.iou_micro),
    Metric(
        "pixel_accuracy",
        "max",
        "share of counted pixels whose class is predicted",
        class_counts.accuracy,
    ),
    *_MACRO,
    _loss(f"{_LOSS}: cross-entropy in nats, averaged over counted pixels"),
)

SEGMENTATION = TaskDeclaration("segmentation", _PIXELS, "cross_entropy")

CHANGE_DETECTION = TaskDeclaration(
    "change_detection",
    (
        Metric("f1", "max", "2 tp / (2 tp + fp + fn) of change", of_change(ClassCounts.f1)),
        Metric("iou", "max", "tp / (tp + fp + fn) of change", of_change(ClassCounts.iou)),
        Metric("precision", "max", "tp / (tp + fp) of change", of_change(ClassCounts.precision)),
        Metric("recall", "max", "tp / (tp + fn) of change", of_change(ClassCounts.recall)),
        *_PIXELS,
    ),
    loss="cross_entropy",
)

MULTILABEL = TaskDeclaration(
    "multilabel",
    (
        Metric(
            "f1_micro",
            "max",
            "2 Σ tp / Σ (2 tp + fp + fn) over classes, 0 where that is 0 / 0",
            class_counts.f1_micro,
        ),
        Metric(
            "f1_macro",
            "max",
            "mean over all classes of 2 tp / (2 tp + fp + fn), 0 for 0 / 0",
            over_all(ClassCounts.f1),
        ),
        Metric("map_micro", "max", "average precision of all (sample, class) pairs as one"),
        Metric(
            "map_macro", "max", "mean over all classes of average precision, 0 without positives"
        ),
        Metric(
            "accuracy_label",
            "max",
            "share of (sample, class) pairs predicted rightly",
            class_counts.label_accuracy,
        ),
        _loss(f"{_LOSS}: binary cross-entropy in nats, averaged over all pairs"),
    ),
    loss="binary_cross_entropy",
)

_QUANTITY = (
    Metric("rmse", "min", "√(mean of e²)", residuals.rmse, math.inf),
    Metric("mae", "min", "mean of |e|", residuals.mae, math.inf),
    Metric("r2", "max", "1 − Σ e² / Σ (target − mean target)²", lowest=-math.inf),
    _loss(f"{_LOSS}: mean of e² / s², s the training targets' deviation"),
)

REGRESSION = TaskDeclaration("regression", _QUANTITY, "mse")

SCALAR_REGRESSION = TaskDeclaration("scalar_regression", _QUANTITY, "mse")

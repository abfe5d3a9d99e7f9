"""How well objects are found: average precision, by pycocotools through torchmetrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from iterate_core.tasks.metrics import Metric
from iterate_core.tasks.per_class import ByClass, ClassPrecision
from iterate_core.tasks.scores import Scores

Kind = Literal["bbox", "segm"]

# Those of pycocotools to the last digit: torchmetrics' own are rounded to float32, and masks of few
# pixels do meet 0.6 exactly.
_IOUS: list[float] = np.linspace(0.5, 0.95, 10).tolist()
_RECALLS: list[float] = np.linspace(0.0, 1.0, 101).tolist()
_ALL_AREAS, _MOST_DETECTIONS = 0, -1  # of the axes of what pycocotools accumulates


class ObjectScores(Scores):
    """Keeps all detections and objects of a split; see `iterate_core.tasks.detection.declarations`.

    Args:
        metrics: What is reported.
        kinds: What is compared, and by what prefix its metrics are told. Boxes are among it:
            of masks alone torchmetrics leaves out the images without objects, and what is wrongly
            found there.
    """

    def __init__(self, metrics: Sequence[Metric], kinds: dict[Kind, str]) -> None:
        super().__init__(metrics)
        self.kinds = kinds
        self.precision = MeanAveragePrecision(
            iou_type=tuple(kinds),
            iou_thresholds=_IOUS,
            rec_thresholds=_RECALLS,
            extended_summary=True,
            backend="pycocotools",
        )
        self.precision.warn_on_many_detections = False

    def take(self, outputs: Any, targets: Any) -> None:
        """Take one batch.

        Args:
            outputs: Detections of each image.
            targets: Its objects.
        """
        self.precision.update(outputs, targets)

    def others(self) -> dict[str, float]:
        """The mean average precisions; NaN of a split without any object."""
        values = {}
        for kind, prefix in self.kinds.items():
            each = self._by_threshold(kind)
            values[f"{prefix}map"] = _mean(each)
            values[f"{prefix}map_50"] = _mean(each[0])
        return values

    def by_class(self, names: Sequence[str]) -> ByClass:
        """The average precisions of each class but the background, of the first of the kinds.

        Args:
            names: Of the classes, by label.
        """
        kind = next(iter(self.kinds))
        each = self._by_threshold(kind)
        places = {label: place for place, label in enumerate(self._labels())}
        objects = torch.cat(self.precision.groundtruth_labels)
        support = torch.bincount(objects, minlength=len(names)).tolist()
        rows = []
        for label, name in enumerate(names[1:], start=1):
            mine = each[..., places[label]] if support[label] else None
            told = (None, None) if mine is None else (_mean(mine), _mean(mine[0]))
            rows.append(ClassPrecision(name, support[label], *told))
        return ByClass(tuple(rows))

    def _by_threshold(self, kind: Kind) -> Tensor:
        """(thresholds, recalls, classes): precisions, −1 where a class has no objects."""
        name = "precision" if len(self.kinds) == 1 else f"{kind}_precision"
        found: Tensor = self._found()[name]
        return found[..., _ALL_AREAS, _MOST_DETECTIONS]

    def _labels(self) -> list[int]:
        labels: list[int] = self._found()["classes"].reshape(-1).tolist()
        return labels

    def _found(self) -> dict[str, Any]:
        found: dict[str, Any] = self.precision.compute()
        return found


def _mean(precisions: Tensor) -> float:
    """Over all that are known."""
    known = precisions[precisions > -1]
    return float(known.mean()) if known.numel() else math.nan


class LossScores(Scores):
    """The loss alone: of training batches nothing is detected."""

    def take(self, outputs: Any, targets: Any) -> None:
        """Nothing beside the loss."""

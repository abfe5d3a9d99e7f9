"""Scores of each class, and the confusion they come from. Imports no torch.

With tp, fp and fn of a class, counted in samples, or in pixels that are not ignored: support is
tp + fn, IoU tp / (tp + fp + fn), precision tp / (tp + fp), recall tp / (tp + fn) and F1 2 tp /
(2 tp + fp + fn); 0 / 0 is 0, as in scikit-learn. Where a task leaves a class that neither occurs
nor is predicted out of its macro means, that class has no scores here either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SCORES = ("iou", "precision", "recall", "f1")


@dataclass(frozen=True)
class ClassScores:
    """How well one class of a split was found.

    Attributes:
        name: The class.
        support: Samples, or counted pixels, that are of it.
        iou: None, as all that follow, where the class is left out of macro means.
    """

    name: str
    support: int
    iou: float | None
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class ByClass:
    """What a split's predictions came to, class by class.

    Attributes:
        scores: Of each class that counts, in the dataset's order.
        confusion: Of classes that exclude each other, (true class, predicted class) counts of all
            of them; of labels, each one's [[tn, fp], [fn, tp]], as scikit-learn writes both.
    """

    scores: tuple[ClassScores, ...]
    confusion: npt.NDArray[np.int64]

    def to_mapping(self) -> dict[str, Any]:
        """``classes`` and ``confusion`` as plain JSON types."""
        rows = [asdict(row) for row in self.scores]
        return {"classes": rows, "confusion": self.confusion.tolist()}


def by_class(
    confusion: npt.NDArray[np.int64], names: Sequence[str], ignored: int | None = None
) -> ByClass:
    """Of classes that exclude each other.

    Args:
        confusion: (true class, predicted class) counts.
        names: Of the classes.
        ignored: The class that no score counts.
    """
    hits = np.diag(confusion)
    wrong, missed = confusion.sum(axis=0) - hits, confusion.sum(axis=1) - hits
    counts = zip(names, hits.tolist(), wrong.tolist(), missed.tolist(), strict=True)
    rows = [_scores(*row, left_out=True) for row in counts]
    return ByClass(tuple(r for index, r in enumerate(rows) if index != ignored), confusion)


def by_label(confusion: npt.NDArray[np.int64], names: Sequence[str]) -> ByClass:
    """Of labels, any number of which a sample may have.

    Args:
        confusion: (labels, 2, 2) counts, each [[tn, fp], [fn, tp]].
        names: Of the labels.
    """
    hits, wrong, missed = confusion[:, 1, 1], confusion[:, 0, 1], confusion[:, 1, 0]
    counts = zip(names, hits.tolist(), wrong.tolist(), missed.tolist(), strict=True)
    return ByClass(tuple(_scores(*row, left_out=False) for row in counts), confusion)


def _scores(name: str, tp: int, fp: int, fn: int, *, left_out: bool) -> ClassScores:
    if left_out and not tp + fp + fn:
        return ClassScores(name, 0, None, None, None, None)
    return ClassScores(
        name,
        support=tp + fn,
        iou=_share(tp, tp + fp + fn),
        precision=_share(tp, tp + fp),
        recall=_share(tp, tp + fn),
        f1=_share(2 * tp, 2 * tp + fp + fn),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0

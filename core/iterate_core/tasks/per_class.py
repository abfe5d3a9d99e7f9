"""Scores of each class, and the confusion they come from. Imports no torch.

With tp, fp and fn of a class, counted in samples, or in pixels that are not ignored: support is
tp + fn, IoU tp / (tp + fp + fn), precision tp / (tp + fp), recall tp / (tp + fn) and F1 2 tp /
(2 tp + fp + fn); 0 / 0 is 0, as in scikit-learn. Where a task leaves a class that neither occurs
nor is predicted out of its macro means, that class has no scores here either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.tasks.class_counts import ClassCounts

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
class ClassPrecision:
    """How well the objects of one class of a split were found.

    Attributes:
        name: The class.
        support: Objects of it.
        ap: Average precision over intersections over union of 0.50 to 0.95; None, as the one that
            follows, of a class without objects.
        ap_50: That at 0.50.
    """

    name: str
    support: int
    ap: float | None
    ap_50: float | None


def score_names(row: Mapping[str, Any]) -> list[str]:
    """The scores among what is told of a class."""
    return [name for name in row if name not in ("name", "support")]


@dataclass(frozen=True)
class ByClass:
    """What a split's predictions came to, class by class.

    Attributes:
        scores: Of each class that counts, in the dataset's order.
        confusion: Of classes that exclude each other, (true class, predicted class) counts of all
            of them; of labels, each one's [[tn, fp], [fn, tp]], as scikit-learn writes both; None
            of objects.
    """

    scores: tuple[ClassScores, ...] | tuple[ClassPrecision, ...]
    confusion: npt.NDArray[np.int64] | None = None

    def to_mapping(self) -> dict[str, Any]:
        """``classes``, and ``confusion`` where there is one, as plain JSON types."""
        rows = [asdict(row) for row in self.scores]
        confusion = {} if self.confusion is None else {"confusion": self.confusion.tolist()}
        return {"classes": rows, **confusion}


def class_scores(
    counts: ClassCounts, names: Sequence[str], *, absent: bool
) -> tuple[ClassScores, ...]:
    """The scores of each class.

    Args:
        counts: (classes,) of a whole split.
        names: Of the classes.
        absent: Whether a class that does not occur has scores, all of them 0.
    """
    columns = [getattr(counts, name)().tolist() for name in SCORES]
    rows = zip(names, counts.there.tolist(), counts.occurs, *columns, strict=True)
    return tuple(
        ClassScores(name, support, *(scores if occurs or absent else [None] * len(SCORES)))
        for name, support, occurs, *scores in rows
    )

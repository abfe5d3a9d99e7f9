"""Scores of classes, from how often each is found, missed and wrongly told. Imports no torch.

Each function of sums takes (..., 4 × classes) of them: the true negatives, false positives, false
negatives and true positives of each class that scores count, in samples or in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iterate_core.tasks.metrics import Sums, Values, share

Score = Callable[["ClassCounts"], Values]


@dataclass(frozen=True)
class ClassCounts:
    """(..., classes) true and false negatives and positives; 0 / 0 is 0 in what is made of them."""

    tn: Sums
    fp: Sums
    fn: Sums
    tp: Sums

    @classmethod
    def of(cls, sums: Sums) -> ClassCounts:
        """From (..., 4 × classes) sums."""
        return cls(*np.moveaxis(sums.reshape(*sums.shape[:-1], -1, 4), -1, 0))

    @property
    def there(self) -> Sums:
        """How often each class is the truth."""
        return self.tp + self.fn

    @property
    def occurs(self) -> npt.NDArray[np.bool_]:
        """Whether each class is there, or predicted at all."""
        return np.asarray(self.tp + self.fp + self.fn > 0)

    def iou(self) -> Values:
        """Intersection over union."""
        return share(self.tp, self.tp + self.fp + self.fn)

    def precision(self) -> Values:
        """The share of what is predicted that is right."""
        return share(self.tp, self.tp + self.fp)

    def recall(self) -> Values:
        """The share of what is there that is predicted."""
        return share(self.tp, self.there)

    def f1(self) -> Values:
        """The harmonic mean of precision and recall."""
        return share(2 * self.tp, 2 * self.tp + self.fp + self.fn)


def over_occurring(score: Score) -> Callable[[Sums], Values]:
    """The mean of a score over the classes that occur."""

    def mean(sums: Sums) -> Values:
        counts = ClassCounts.of(sums)
        return _mean_where(score(counts), counts.occurs)

    return mean


def over_all(score: Score) -> Callable[[Sums], Values]:
    """The mean of a score over all classes."""

    def mean(sums: Sums) -> Values:
        return np.asarray(score(ClassCounts.of(sums)).mean(axis=-1))

    return mean


def of_change(score: Score) -> Callable[[Sums], Values]:
    """A score of all classes but the first taken as one: of change, whatever to."""

    def changed(sums: Sums) -> Values:
        counts = ClassCounts.of(sums)
        tn, fp, fn, tp = (part[..., 0] for part in (counts.tn, counts.fp, counts.fn, counts.tp))
        return score(ClassCounts(tn=tp, fp=fn, fn=fp, tp=tn))

    return changed


def accuracy(sums: Sums) -> Values:
    """The share predicted rightly, of classes that exclude each other."""
    counts = ClassCounts.of(sums)
    return share(counts.tp.sum(axis=-1), counts.there.sum(axis=-1), math.nan)


def iou_micro(sums: Sums) -> Values:
    """All intersections over all unions, of classes that exclude each other.

    A pixel that is predicted wrongly lies in two unions, also where what is predicted is a class
    that no score counts.
    """
    counts = ClassCounts.of(sums)
    right, all_of_them = counts.tp.sum(axis=-1), counts.there.sum(axis=-1)
    return share(right, 2 * all_of_them - right, math.nan)


def f1_micro(sums: Sums) -> Values:
    """F1 of the (sample, label) pairs of all labels at once."""
    counts = ClassCounts.of(sums)
    right = 2 * counts.tp.sum(axis=-1)
    return share(right, right + (counts.fp + counts.fn).sum(axis=-1))


def label_accuracy(sums: Sums) -> Values:
    """The share of (sample, label) pairs predicted rightly."""
    counts = ClassCounts.of(sums)
    right, wrong = (counts.tp + counts.tn).sum(axis=-1), (counts.fp + counts.fn).sum(axis=-1)
    return share(right, right + wrong, math.nan)


def _mean_where(values: Values, kept: npt.NDArray[np.bool_]) -> Values:
    """Means over the last axis of the `kept` values alone; NaN where there is none.

    They are moved together first: a sum of floats depends on what stands between them.
    """
    order = np.argsort(~kept, axis=-1, kind="stable")
    values = np.take_along_axis(values, order, axis=-1)
    counts = kept.sum(axis=-1)
    means = np.full(counts.shape, math.nan)
    for count in np.unique(counts[counts > 0]):
        rows = counts == count
        means[rows] = values[rows][..., :count].mean(axis=-1)
    return means

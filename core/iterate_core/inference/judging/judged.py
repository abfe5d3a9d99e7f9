"""How sure a model is of each sample of a split, where it is right, and how far that goes together.

What is kept grows with the number of samples, never with that of their pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision.ops import box_iou

from iterate_core.data.target import Target
from iterate_core.inference.judging.reliability import Reliability, ReliabilityCounts
from iterate_core.inference.judging.split import Predicted, SplitPredictions

_PAIRS = 4000  # of quantities that are kept, of all samples together
_SURE, _OVERLAP = 0.5, 0.5  # from which an object counts as told, and as found
_HALF = 0.5

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judgement:
    """What a model makes of a split.

    Attributes:
        certainty: (samples,) from 0 to 1: the mean over pixels or labels of the probability of what
            is predicted; of objects the mean score of those found; NaN where there is nothing to
            be sure of. None of quantities.
        right: (samples,), the share of pixels or labels that is right; of objects F1, with boxes of
            a score of 0.5 that overlap by 0.5. None of quantities.
        errors: (samples,), the mean absolute error of a sample's quantities; None of all else.
        reliability: Of class probabilities, over all that counts; else None.
        pairs: (n, 3) true and predicted quantities, and which quantity it is; of maps a random
            share of the known pixels. None of all else.
        share: Which share of all known quantities `pairs` holds.
    """

    certainty: Floats | None = None
    right: Floats | None = None
    errors: Floats | None = None
    reliability: Reliability | None = None
    pairs: Floats | None = None
    share: float = 1.0


def judge(split: SplitPredictions, watch: Callable[[int], None] | None = None) -> Judgement | None:
    """Predict a whole split and say how sure and how right the model is.

    Args:
        split: The model on its data.
        watch: Told how many samples are done.

    Returns:
        None of a task whose predictions are neither classes, quantities nor objects.
    """
    kinds: dict[str, Callable[[Target, int], _Judging]] = {
        "probabilities": _Classes,
        "quantities": _Quantities,
        "objects": _Objects,
    }
    kind = kinds.get(split.target.gives)
    if kind is None:
        return None
    judging = kind(split.target, len(split))
    done = 0
    for batch in split.batches():
        judging.take(batch)
        done += len(batch.indices)
        if watch is not None:
            watch(done)
    return judging.found()


class _Judging(ABC):
    def __init__(self, target: Target, samples: int) -> None:
        self.target, self.samples = target, samples

    @abstractmethod
    def take(self, batch: Predicted) -> None:
        """Take a batch up."""

    @abstractmethod
    def found(self) -> Judgement:
        """What all of them come to."""


class _Classes(_Judging):
    """Probabilities: of classes that exclude each other, or of labels."""

    def __init__(self, target: Target, samples: int) -> None:
        super().__init__(target, samples)
        self._reliability = ReliabilityCounts()
        self._certainty, self._right = np.full((2, samples), np.nan)

    def take(self, batch: Predicted) -> None:
        labels, predicted = batch.targets.long(), batch.predicted
        if self.target.exclusive:
            confidence, told = predicted.max(dim=1)
            counted = labels != self.target.info.ignore_index
            right = told == labels
            self._reliability.take(confidence[counted], right[counted])
        else:
            counted = torch.ones_like(labels, dtype=torch.bool)
            right = (predicted > _HALF) == labels.bool()
            confidence = torch.maximum(predicted, 1 - predicted)
            self._reliability.take(predicted.flatten(), labels.flatten())
        self._certainty[batch.indices] = _means(confidence, counted)
        self._right[batch.indices] = _means(right, counted)

    def found(self) -> Judgement:
        return Judgement(self._certainty, self._right, reliability=self._reliability.found())


class _Quantities(_Judging):
    """Numbers of the image or of each pixel, NaN where the truth is not known."""

    def __init__(self, target: Target, samples: int) -> None:
        super().__init__(target, samples)
        self._errors = np.full(samples, np.nan)
        self._pairs: list[Floats] = []
        self._known = self._kept = 0
        self._random = np.random.default_rng(0)

    def take(self, batch: Predicted) -> None:
        quantities = batch.predicted.shape[1]
        count = len(batch.indices)
        truth = batch.targets.double().reshape(count, quantities, -1)
        told = batch.predicted.double().reshape(count, quantities, -1)
        self._errors[batch.indices] = _means((told - truth).abs(), ~truth.isnan())
        which = torch.arange(quantities)[None, :, None].expand_as(truth)
        rows = torch.stack((truth, told, which.double()), dim=-1).reshape(count, -1, 3).numpy()
        most = max(1, _PAIRS // self.samples)
        for row in rows:
            known = row[~np.isnan(row[:, 0])]
            self._known += len(known)
            kept = known if len(known) <= most else self._random.choice(known, most, replace=False)
            self._kept += len(kept)
            self._pairs.append(kept)

    def found(self) -> Judgement:
        share = self._kept / self._known if self._known else 1.0
        return Judgement(errors=self._errors, pairs=np.concatenate(self._pairs), share=share)


class _Objects(_Judging):
    """Boxes with labels and scores."""

    def __init__(self, target: Target, samples: int) -> None:
        super().__init__(target, samples)
        self._certainty, self._right = np.full((2, samples), np.nan)

    def take(self, batch: Predicted) -> None:
        for index, truth, found in zip(batch.indices, batch.targets, batch.predicted, strict=True):
            sure = found["scores"] >= _SURE
            if sure.any():
                self._certainty[index] = float(found["scores"][sure].mean())
            self._right[index] = _f1(truth, {name: each[sure] for name, each in found.items()})

    def found(self) -> Judgement:
        return Judgement(self._certainty, self._right)


def _means(values: Tensor, counted: Tensor) -> Floats:
    """(n,) means of each sample's values that count; NaN where none does."""
    rows = torch.where(counted, values.double(), 0.0).reshape(len(values), -1)
    count = counted.reshape(len(counted), -1).sum(dim=1)
    means: Floats = (rows.sum(dim=1) / count).numpy()
    return means


def _f1(truth: Any, found: dict[str, Tensor]) -> float:
    """Of an image's objects; each one that is told finds one that is there, the surest first."""
    boxes, labels = truth["boxes"].float(), truth["labels"].long()
    there, told = len(labels), len(found["labels"])
    if there + told == 0:
        return float("nan")
    overlaps = box_iou(found["boxes"].float(), boxes)
    overlaps[found["labels"][:, None] != labels[None]] = 0.0
    matched = 0
    for row in found["scores"].argsort(descending=True).tolist():
        if there and float(overlaps[row].max()) >= _OVERLAP:
            overlaps[:, int(overlaps[row].argmax())] = 0.0
            matched += 1
    return 2 * matched / (there + told)

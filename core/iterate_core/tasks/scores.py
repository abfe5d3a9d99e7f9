"""What the metrics of a split are computed from, gathered batch by batch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torchmetrics
from torch import Tensor

from iterate_core.data.loading.tensors import placed
from iterate_core.device import exact_device
from iterate_core.tasks.metrics import Metric


class Scores(torchmetrics.Metric, ABC):
    """Takes what `compute` needs of each batch; nothing waits for the device until then.

    A family of metrics is a subclass. It may hold a metric of torchmetrics, which goes to the
    device and is forgotten with it: `take` updates it, and `others` gives what it computes.

    Args:
        metrics: What is reported. ``loss`` is the mean loss of all that counts; what is no
            function of sums comes from `others`.

    Attributes:
        kept: What each sample of the batches added to the sums, where that is wanted; None where
            not.
    """

    full_state_update = False
    loss: Tensor
    counted: Tensor

    def __init__(self, metrics: Sequence[Metric]) -> None:
        super().__init__(sync_on_compute=False)
        self.metrics = tuple(metrics)
        self.kept: list[Tensor] | None = None
        self.add_state("loss", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counted", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Any, loss: Tensor, counted: Tensor) -> None:
        """Take one batch.

        Args:
            outputs: Of the model.
            targets: As the task's loss takes them.
            loss: The batch's summed loss.
            counted: The weight of all that is summed.
        """
        if loss.device != self.loss.device:
            taken = (outputs, targets, loss, counted)
            outputs, targets, loss, counted = placed(taken, self.loss.device)
        self.take(outputs, targets)
        self.loss += loss.double()
        self.counted += counted
        if self.kept is not None and (sums := self.of_samples(outputs, targets)) is not None:
            self.kept.append(sums.cpu())

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> Any:
        """Move along with the model, but not to where numbers have no double precision."""
        there = fn(torch.empty(0)).device
        return super()._apply(fn, exclude_state) if exact_device(there) == there else self

    def compute(self) -> dict[str, float]:
        """All metrics of what was taken, in the order of their declaration; NaN of nothing."""
        return computed([self])[0]

    def reset(self) -> None:
        """Forget what was taken."""
        super().reset()
        for held in self.modules():
            if held is not self and isinstance(held, torchmetrics.Metric):
                held.reset()

    @abstractmethod
    def take(self, outputs: Tensor, targets: Any) -> None:
        """Add what a batch contributes."""

    def of_samples(self, outputs: Tensor, targets: Any) -> Tensor | None:  # noqa: ARG002
        """(n, terms), what each sample adds to `sums`; None if no metric is a function of sums."""
        return None

    def sums(self) -> npt.NDArray[Any]:
        """(terms,) sums over all samples that were taken, on the host."""
        return np.empty(0)

    def others(self) -> dict[str, float]:
        """The metrics of what was taken that are no functions of sums."""
        return {}


def computed(several: Sequence[Scores]) -> list[dict[str, float]]:
    """What `Scores.compute` gives of each of several of the same metrics, worked out at once."""
    names = [metric.name for metric in several[0].metrics]
    found = [dict.fromkeys(names, math.nan) for _ in several]
    counting = [number for number, one in enumerate(several) if one.counted]
    if not counting:
        return found
    sums = np.stack([several[number].sums() for number in counting])
    scored = {
        metric.name: metric.of_sums(sums)
        for metric in several[0].metrics
        if metric.of_sums is not None
    }
    for place, number in enumerate(counting):
        one = several[number]
        values = {"loss": float(one.loss) / float(one.counted)} | one.others()
        values |= {name: float(each[place]) for name, each in scored.items()}
        found[number] = {name: values[name] for name in names}
    return found


class SummedScores(Scores):
    """Scores of whose samples nothing but sums is needed: `of_samples` says which.

    Args:
        metrics: What is reported.
        terms: How many sums there are.
        dtype: What they are summed in.
    """

    total: Tensor

    def __init__(
        self, metrics: Sequence[Metric], terms: int, dtype: torch.dtype = torch.int64
    ) -> None:
        super().__init__(metrics)
        self.add_state("total", torch.zeros(terms, dtype=dtype), dist_reduce_fx="sum")

    @abstractmethod
    def of_samples(self, outputs: Tensor, targets: Any) -> Tensor:
        """See `Scores.of_samples`."""

    def take(self, outputs: Tensor, targets: Any) -> None:
        """See `Scores.take`."""
        self.total += self.of_samples(outputs, targets).sum(dim=0)

    def sums(self) -> npt.NDArray[Any]:
        """See `Scores.sums`."""
        sums: npt.NDArray[Any] = self.total.cpu().numpy()
        return sums

"""Gradients of several batches that make one step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from iterate_core.engine.order import Course
from iterate_core.losses.base import mean_of
from iterate_core.recipe import TrainerSection


def steps_of(course: Course, trainer: TrainerSection) -> int:
    """Optimiser steps in an epoch; the last may be of fewer batches than the others."""
    return math.ceil(len(course.chunks) / trainer.accumulate)


def parts_of_steps(counts: Sequence[int], trainer: TrainerSection) -> list[int]:
    """Of how many parts of batches each step of an epoch is.

    Args:
        counts: Into how many parts each batch was cut.
        trainer: Says how many batches make a step.
    """
    starts = range(0, len(counts), trainer.accumulate)
    return [sum(counts[start : start + trainer.accumulate]) for start in starts]


class MeanGradient:
    """The gradient of a mean loss over several batches, as if they were one.

    What counts (samples, pixels, pairs) may differ in number from batch to batch, and how much is
    still to come is not known. So after each batch the parameters hold the gradient of the mean
    over all that counted so far.

    Args:
        groups: Of an optimiser's parameters.
    """

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        self._parameters = [value for group in groups for value in group["params"]]
        self._weight: Tensor | None = None

    def begin(self) -> None:
        """Forget the batches so far; the parameters hold no gradient."""
        self._weight = None

    def share(self, loss: Tensor, weight: Tensor) -> Tensor:
        """What of a batch's loss is to be differentiated; the earlier batches' share is lowered.

        Args:
            loss: The batch's mean.
            weight: Of all that counts in it.
        """
        weight = weight.to(loss.device)  # a task may count on the CPU
        earlier, self._weight = self._weight, weight
        if earlier is None:
            return loss
        self._weight = earlier + weight
        gradients = [value.grad for value in self._parameters if value.grad is not None]
        torch._foreach_mul_(gradients, mean_of(earlier, self._weight))
        return loss * mean_of(weight, self._weight)

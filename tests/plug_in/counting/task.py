"""How many objects an image holds: a Poisson regression."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from counting.declaration import COUNTING
from iterate_core.data.target import Array, Target
from iterate_core.errors import DataError, Problem
from iterate_core.models.assembly import Model
from iterate_core.tasks.scores import SummedScores
from iterate_core.tasks.supervised import SupervisedTask


class CountTarget(Target):
    """One count an image; float32 (n,) in batches."""

    takes = ("vector",)

    def check(self, target: Any, where: str) -> None:
        if np.shape(target) != () or target < 0:
            raise DataError(Problem(where, f"holds {target}, which is no count."))

    def packed(self, target: Any) -> Array:
        return np.asarray(target, dtype=np.float32)


class CountScores(SummedScores):
    """Absolute errors, and images."""

    def __init__(self) -> None:
        super().__init__(COUNTING.metrics, 2, torch.float64)

    def of_samples(self, outputs: Tensor, targets: Any) -> Tensor:
        error = (outputs[:, 0].double().exp() - targets).abs()
        return torch.stack((error, torch.ones_like(error)), dim=1)


class CountingTask(SupervisedTask):
    """The decoder predicts the logarithm of the count."""

    def __init__(self, model: Model, pack: Any) -> None:
        del pack
        super().__init__(model, CountScores)

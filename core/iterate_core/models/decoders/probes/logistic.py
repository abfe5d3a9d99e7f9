"""A probe of vectors: logistic regression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import OptimizeResult, minimize
from torch import Tensor
from torch.nn import functional

from iterate_core.device import exact_device
from iterate_core.models.decoders.probes.fitted import Fitted, Refitted
from iterate_core.models.decoders.probes.options import LogisticOptions
from iterate_core.models.shapes import Pooled

Vector = npt.NDArray[np.float64]

ROUNDING = float(np.finfo(np.float32).eps)
"""Relative precision of features."""


class Logistic(Fitted):
    """Logistic regression: softmax over classes, or one sigmoid each for several labels.

    The optimum is that of scikit-learn's LogisticRegression, and of its one-versus-rest form for
    several labels: of two classes, one has all weights 0. L-BFGS is scipy's, in float64; loss and
    gradient are computed on the features' device, or where it has no float64 on the CPU.

    Args:
        options: Its options.
        width: Length of the vectors.
        classes: Number of classes.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, options: LogisticOptions, width: int, classes: int) -> None:
        super().__init__(classes)
        self.options = options
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("weight", torch.zeros(classes, width))
        self.register_buffer("bias", torch.zeros(classes))

    def fit(self, features: Tensor, targets: Tensor) -> dict[str, float]:
        """Find the optimum; see `Fitted.fit`."""
        device = features.device
        self.to(exact_device(device))
        features, targets = (part.to(exact_device(device)) for part in (features.float(), targets))
        if self.options.standardise:
            self._measure(features)
        exclusive = self.exclusive and self.classes > 2
        problem = _Problem(self._placed(features), self._wanted(targets), self.options, exclusive)
        weight, bias, iterations = problem.solved()
        absent = self.classes - len(weight)
        self.weight = functional.pad(weight, (0, 0, absent, 0)).float()
        self.bias = functional.pad(bias, (absent, 0)).float()
        self.to(device)
        return {"iterations": float(iterations)}

    def logits(self, features: Tensor) -> Tensor:
        """See `Fitted.logits`."""
        return functional.linear(self._placed(features), self.weight, self.bias)

    def _measure(self, features: Tensor) -> None:
        mean = features.mean(dim=0, dtype=torch.float64)
        spread = (features - mean.float()).square().mean(dim=0, dtype=torch.float64).sqrt()
        # A feature that does not vary beyond rounding stays at 0.
        spread = torch.where(spread > ROUNDING * mean.abs(), spread, 1.0)
        self.mean, self.scale = mean.float(), spread.float()

    def _placed(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.scale

    def _wanted(self, targets: Tensor) -> Tensor:
        """Indicators (n, outputs) of what each output is to predict."""
        if not self.exclusive:
            return targets.float()
        if self.classes == 2:
            return targets[:, None].float()
        return functional.one_hot(targets, self.classes).float()


class _Problem:
    """Mean loss plus penalty, as a function of all weights and intercepts.

    Args:
        features: float32 (n, width).
        wanted: float32 (n, outputs) of 0 and 1.
        options: Says the penalty and when to stop.
        exclusive: Whether the outputs share one softmax; else each has its own sigmoid.
    """

    def __init__(
        self, features: Tensor, wanted: Tensor, options: LogisticOptions, exclusive: bool
    ) -> None:
        self._features = features
        # Outputs come first: the products of few rows and many columns are the faster ones.
        self._wanted = wanted.T.contiguous()
        self._options = options
        self._exclusive = exclusive
        self._penalty = 1 / (options.C * len(features))
        self._shape = (wanted.shape[1], features.shape[1] + 1)

    def solved(self) -> tuple[Tensor, Tensor, int]:
        """Weights (outputs, width), intercepts (outputs,), and iterations taken.

        In float32, and on from there in float64 if that cannot reach the tolerance.
        """
        point = np.zeros(self._shape[0] * self._shape[1])
        taken = 0
        for precision in (torch.float32, torch.float64):
            self._features = self._features.to(precision)
            self._wanted = self._wanted.to(precision)
            left = self._options.max_iterations - taken
            found = _lbfgs(self._value, point, left, self._options.tolerance)
            point, taken = found.x, taken + int(found.nit)
            if abs(found.jac).max() <= self._options.tolerance or found.nit >= left:
                break
        weight, bias = self._unpacked(point)
        return weight, bias, taken

    def _unpacked(self, flat: Vector) -> tuple[Tensor, Tensor]:
        both = torch.from_numpy(flat).to(self._features.device).view(self._shape)
        return both[:, :-1], both[:, -1]

    def _value(self, flat: Vector) -> tuple[float, Vector]:
        """Value and gradient."""
        weight, bias = self._unpacked(flat)
        precision, count = self._features.dtype, len(self._features)
        logits = weight.to(precision) @ self._features.T + bias.to(precision)[:, None]
        losses, predicted = self._losses(logits)
        error = predicted - self._wanted
        value = losses.sum(dtype=torch.float64) / count
        value = value + weight.square().sum() * self._penalty / 2
        slope = (error @ self._features).double() / count + weight * self._penalty
        free = error.sum(dim=1, dtype=torch.float64)[:, None] / count
        gradient = torch.cat([slope, free], dim=1).flatten()
        return float(value), gradient.cpu().numpy()

    def _losses(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Losses, and probabilities (outputs, n)."""
        if self._exclusive:
            logged = logits.log_softmax(dim=0)
            return -(logged * self._wanted), logged.exp()
        losses = functional.binary_cross_entropy_with_logits(logits, self._wanted, reduction="none")
        return losses, logits.sigmoid()


def _lbfgs(
    value: Callable[[Vector], tuple[float, Vector]],
    start: Vector,
    iterations: int,
    tolerance: float,
) -> OptimizeResult:
    """Limited-memory BFGS (Liu and Nocedal 1989) of scipy, set as scikit-learn sets it."""
    return minimize(
        value,
        start,
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": iterations,
            "gtol": tolerance,
            "ftol": 64 * float(np.finfo(np.float64).eps),
            "maxls": 50,
        },
    )


def build_logistic(options: LogisticOptions, shape: Pooled, classes: int) -> Fitted:
    """Logistic regression, fitted twice with `merge_val`."""
    first = Logistic(options, shape.width, classes)
    return Refitted(first, Logistic(options, shape.width, classes)) if options.merge_val else first

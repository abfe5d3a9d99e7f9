"""One quantity a pixel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from iterate_core.data.store.pack import Pack
from iterate_core.errors import Problem, RequestError
from iterate_core.models.assembly import Model, Quantity
from iterate_core.tasks.declarations import REGRESSION
from iterate_core.tasks.supervised import Scores, SupervisedTask


class RegressionTask(SupervisedTask):
    """Squared error of each known pixel; see `REGRESSION` for the scores.

    The decoder predicts the quantity less the training targets' mean, in units of their standard
    deviation, so that one range of learning rates serves every quantity. The model turns that
    into the quantity itself: mean and deviation are part of its state.

    Raises:
        RequestError: The dataset declares other than one quantity.
    """

    def __init__(self, model: Model, pack: Pack) -> None:
        super().__init__(model, REGRESSION, RegressionScores)
        if len(pack.info.classes) != 1:
            what = f"declares the quantities {list(pack.info.classes)}, but a regression has one."
            raise RequestError(Problem(pack.info.name, what))
        model.quantity = Quantity(*pack.target_statistics)

    outcomes = "errors"

    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Summed squared error in units of the deviation, and how many pixels are known."""
        quantity = self.model.quantity
        assert quantity is not None  # noqa: S101 - given to the model above
        known = ~targets.isnan()
        error = torch.where(known, outputs[:, 0] - targets, 0.0) / quantity.std
        return error.square().sum(), known.sum()

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Squared and absolute error of the quantity itself, and how many pixels are known."""
        known = ~targets.isnan()
        error = torch.where(known, outputs[:, 0].double() - targets.double(), 0.0).flatten(1)
        count = known.flatten(1).sum(dim=1)
        return torch.stack((error.square().sum(dim=1), error.abs().sum(dim=1), count), dim=1)


class RegressionScores(Scores):
    """Sums over a split in float64.

    The targets' variance is merged batch by batch as in Chan, Golub & LeVeque, "Updating formulae
    and a pairwise algorithm for computing sample variances", 1979.
    """

    count: Tensor
    squared: Tensor
    absolute: Tensor
    mean: Tensor
    spread: Tensor
    loss: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("count", "squared", "absolute", "mean", "spread", "loss"):
            self.add_state(name, torch.zeros((), dtype=torch.float64))

    def update(self, outputs: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Take one batch.

        Args:
            outputs: (n, 1, height, width) of the quantity.
            targets: (n, height, width) of it; NaN where it is unknown.
            loss: The batch's summed loss.
        """
        known = ~targets.isnan()
        count = known.sum(dtype=torch.float64)
        wanted = targets.double()
        error = torch.where(known, outputs[:, 0].double() - wanted, 0.0)
        mean = torch.where(known, wanted, 0.0).sum() / count.clamp(min=1)
        spread = torch.where(known, wanted - mean, 0.0).square().sum()
        total = (self.count + count).clamp(min=1)
        delta = mean - self.mean
        self.spread += spread + delta.square() * self.count * count / total
        self.mean += delta * count / total
        self.count += count
        self.squared += error.square().sum()
        self.absolute += error.abs().sum()
        self.loss += loss.double()

    def compute(self) -> dict[str, float]:
        """The scores, which are NaN where no pixel is known.

        Where all targets are equal, ``r2`` is 1 if all predictions equal them and 0 if not, as in
        scikit-learn.
        """
        count, squared, spread = float(self.count), float(self.squared), float(self.spread)
        if not count:
            return {metric.name: float("nan") for metric in REGRESSION.metrics}
        return {
            "rmse": math.sqrt(squared / count),
            "mae": float(self.absolute) / count,
            "r2": 1 - squared / spread if spread else float(not squared),
            "loss": float(self.loss) / count,
        }

"""One quantity a pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from iterate_core.data.store.pack import Pack
from iterate_core.errors import Problem, RequestError
from iterate_core.models.assembly import Model, Quantity
from iterate_core.tasks.declarations import REGRESSION
from iterate_core.tasks.metrics import Metric
from iterate_core.tasks.scores import SummedScores
from iterate_core.tasks.supervised import SupervisedTask


class RegressionTask(SupervisedTask):
    """Squared error of each known pixel; see `REGRESSION` for the scores.

    The decoder predicts the quantity less the training targets' mean, in units of their standard
    deviation, so that one range of learning rates serves every quantity. The model turns that
    into the quantity itself: mean and deviation are part of its state.

    Raises:
        RequestError: The dataset declares other than one quantity.
    """

    def __init__(self, model: Model, pack: Pack) -> None:
        super().__init__(model, lambda: RegressionScores(REGRESSION.metrics))
        if len(pack.info.classes) != 1:
            what = f"declares the quantities {list(pack.info.classes)}, but a regression has one."
            raise RequestError(Problem(pack.info.name, what))
        model.quantity = Quantity(pack.target_mean.item(), pack.target_std.item())

    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Summed squared error in units of the deviation, and how many pixels are known."""
        quantity = self.model.quantity
        assert quantity is not None  # noqa: S101 - given to the model above
        known = ~targets.isnan()
        error = torch.where(known, outputs[:, 0] - targets, 0.0) / quantity.std
        return error.square().sum(), known.sum()


class RegressionScores(SummedScores):
    """Sums as in `iterate_core.tasks.residuals`, and the targets' variance, in float64.

    The variance is merged batch by batch as in Chan, Golub & LeVeque, "Updating formulae and a
    pairwise algorithm for computing sample variances", 1979.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, metrics: Sequence[Metric]) -> None:
        super().__init__(metrics, 3, torch.float64)
        for name in ("mean", "spread"):
            self.add_state(name, torch.zeros((), dtype=torch.float64))

    def take(self, outputs: Tensor, targets: Tensor) -> None:
        """Take one batch.

        Args:
            outputs: (n, 1, height, width) of the quantity.
            targets: (n, height, width) of it; NaN where it is unknown.
        """
        known, wanted, before = ~targets.isnan(), targets.double(), self.total[2]
        count = known.sum(dtype=torch.float64)
        mean = torch.where(known, wanted, 0.0).sum() / count.clamp(min=1)
        spread = torch.where(known, wanted - mean, 0.0).square().sum()
        total = (before + count).clamp(min=1)
        delta = mean - self.mean
        self.spread += spread + delta.square() * before * count / total
        self.mean += delta * count / total
        # All pixels of the batch at once, as one sample.
        self.total += self.of_samples(outputs.reshape(1, 1, -1), targets.reshape(1, -1))[0]

    def of_samples(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Scores.of_samples`."""
        known = ~targets.isnan()
        error = torch.where(known, outputs[:, 0].double() - targets.double(), 0.0)
        error, count = error.reshape(len(error), -1), known.reshape(len(known), -1).sum(dim=1)
        return torch.stack((error.square().sum(dim=1), error.abs().sum(dim=1), count), dim=1)

    def others(self) -> dict[str, float]:
        """The coefficient of determination.

        Where all targets are equal, it is 1 if all predictions equal them and 0 if not, as in
        scikit-learn.
        """
        squared, spread = float(self.total[0]), float(self.spread)
        return {"r2": 1 - squared / spread if spread else float(not squared)}

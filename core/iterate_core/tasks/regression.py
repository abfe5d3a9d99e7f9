"""Quantities: one a pixel, or any number an image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from iterate_core.data.store.pack import Pack
from iterate_core.errors import Problem, RequestError
from iterate_core.models.assembly import Model, Quantity
from iterate_core.tasks.declarations import REGRESSION, SCALAR_REGRESSION
from iterate_core.tasks.metrics import Metric, share
from iterate_core.tasks.residuals import mean_known
from iterate_core.tasks.scores import SummedScores
from iterate_core.tasks.supervised import SupervisedTask


class QuantityTask(SupervisedTask):
    """Each known value.

    The decoder predicts each quantity less the training targets' mean, in units of their standard
    deviation, so that one range of learning rates serves every quantity, and each weighs alike.
    The model turns that into the quantity itself: means and deviations are part of its state.

    Args:
        model: The assembled model.
        quantity: Means and deviations of the training targets.
        metrics: What is reported.
        quantities: How many there are.
    """

    def __init__(
        self, model: Model, quantity: Quantity, metrics: Sequence[Metric], quantities: int = 1
    ) -> None:
        super().__init__(model, lambda: RegressionScores(metrics, quantities))
        model.quantity = quantity


class RegressionTask(QuantityTask):
    """One quantity a pixel; see `REGRESSION` for the scores.

    Raises:
        RequestError: The dataset declares other than one quantity.
    """

    def __init__(self, model: Model, pack: Pack) -> None:
        if len(pack.info.classes) != 1:
            what = f"declares the quantities {list(pack.info.classes)}, but a regression has one."
            raise RequestError(Problem(pack.info.name, what))
        quantity = Quantity(pack.target_mean.item(), pack.target_std.item())
        super().__init__(model, quantity, REGRESSION.metrics)


class ScalarRegressionTask(QuantityTask):
    """One number or several an image; see `SCALAR_REGRESSION` for the scores.

    Raises:
        RequestError: No training sample knows one of the quantities.
    """

    def __init__(self, model: Model, pack: Pack) -> None:
        unknown = np.isnan(np.asarray(pack.targets("train"))).all(axis=0)
        if unknown.any():
            name = pack.info.classes[int(unknown.argmax())]
            what = f"no training sample has a value of {name!r}."
            raise RequestError(Problem(pack.info.name, what, "Leave that quantity out."))
        quantity = Quantity(pack.target_mean.tolist(), pack.target_std.tolist())
        super().__init__(model, quantity, SCALAR_REGRESSION.metrics, len(pack.info.classes))


class RegressionScores(SummedScores):
    """Sums as in `iterate_core.tasks.residuals`, and the targets' variances, in float64.

    The variances are merged batch by batch as in Chan, Golub & LeVeque, "Updating formulae and a
    pairwise algorithm for computing sample variances", 1979.

    Args:
        metrics: What is reported.
        quantities: How many are predicted.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, metrics: Sequence[Metric], quantities: int = 1) -> None:
        super().__init__(metrics, 3 * quantities, torch.float64)
        for name in ("mean", "spread"):
            self.add_state(name, torch.zeros(quantities, dtype=torch.float64))

    def take(self, outputs: Tensor, targets: Tensor) -> None:
        """Take one batch.

        Args:
            outputs: (n, quantities, …) of the quantities.
            targets: As many, in the same order; NaN where unknown.
        """
        quantities = outputs.shape[1]
        # All values of a quantity in the batch at once, as one sample.
        predicted, wanted = (
            values.reshape(outputs.shape).movedim(1, 0).reshape(1, quantities, -1)
            for values in (outputs, targets)
        )
        known, true = ~wanted[0].isnan(), wanted[0].double()
        before = self.total.reshape(quantities, 3)[:, 2]
        count = known.sum(dim=1, dtype=torch.float64)
        mean = torch.where(known, true, 0.0).sum(dim=1) / count.clamp(min=1)
        spread = torch.where(known, true - mean[:, None], 0.0).square().sum(dim=1)
        total = (before + count).clamp(min=1)
        delta = mean - self.mean
        self.spread += spread + delta.square() * before * count / total
        self.mean += delta * count / total
        self.total += self.of_samples(predicted, wanted)[0]

    def of_samples(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Scores.of_samples`."""
        predicted, wanted = (
            values.reshape(*outputs.shape[:2], -1) for values in (outputs, targets)
        )
        known = ~wanted.isnan()
        error = torch.where(known, predicted.double() - wanted.double(), 0.0)
        count = known.sum(dim=2)
        sums = torch.stack((error.square().sum(dim=2), error.abs().sum(dim=2), count), dim=2)
        return sums.flatten(1)

    def others(self) -> dict[str, float]:
        """The coefficient of determination.

        Where all targets of a quantity are equal, it is 1 if all predictions equal them and 0 if
        not, as in scikit-learn.
        """
        sums, spread = self.sums().reshape(-1, 3), self.spread.cpu().numpy()
        squared = sums[:, 0]
        of_equal = np.where(squared == 0, 1.0, 0.0)
        r2 = np.where(spread == 0, of_equal, 1 - share(squared, spread))
        return {"r2": float(mean_known(np.where(sums[:, 2] > 0, r2, math.nan)))}

"""Predicting maps on a finer grid, as departures from the baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from iterate_core.data.loading.batch import Batch
from iterate_core.data.store.pack import Pack
from iterate_core.errors import Problem, RequestError
from iterate_core.models.assembly import Model, Quantity
from iterate_core.tasks.downscaling.baseline import departures, own_bands
from iterate_core.tasks.downscaling.declarations import DOWNSCALING
from iterate_core.tasks.downscaling.scores import FinerScores
from iterate_core.tasks.downscaling.targets import Compared
from iterate_core.tasks.supervised import SupervisedTask


class DownscalingTask(SupervisedTask):
    """Quantities on a finer grid; see `DOWNSCALING` for scores and baseline.

    The decoder predicts how far each cell departs from the baseline, in units of how far training
    cells do: of bands of the image the residual over their bicubic interpolation (Kim et al.,
    "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", 2016). These units are
    part of the model's state. A prediction is the sum of both.

    Raises:
        RequestError: The targets' grid is no finer than the image's, no training cell of a quantity
            is known, or a quantity is in another unit than the band of its name.
    """

    def __init__(self, model: Model, pack: Pack) -> None:
        _check(pack)
        found, mean = departures(pack), torch.from_numpy(pack.target_mean)
        metrics = DOWNSCALING.metrics
        trained = [metric for metric in metrics if metric.trained]
        super().__init__(
            model,
            lambda: FinerScores(metrics, mean, found),
            lambda: FinerScores(trained, mean, found),
        )
        model.quantity = Quantity([0.0] * len(mean), found.deviations.tolist())

    def forward(self, batch: Batch) -> Any:
        """The quantities (n, quantities, height, width) on the targets' grid, float32."""
        return super().forward(batch) + batch.targets.baseline

    def losses(self, outputs: Any, targets: Compared) -> tuple[Tensor, Tensor]:
        """See `SupervisedTask.losses`."""
        return super().losses(outputs, targets.values)


_TIMES = 50
"""Between means of one quantity on two grids of one place there are not so many times."""


def _check(pack: Pack) -> None:
    info = pack.info
    if info.finer < 2:
        what = "has targets on the grid of its images, and downscaling is to a finer one."
        raise RequestError(Problem(info.name, what, "A quantity a pixel is a regression."))
    _check_known(pack)
    _check_scale(pack)
    for name, index in zip(info.classes, own_bands(info.classes, pack.bands), strict=True):
        if index is None or info.unit in (None, pack.bands[index].unit):
            continue
        what = f"gives {name!r} in {info.unit}, but its band of that name in"
        hint = "Bring both to one unit, or name the quantity otherwise."
        raise RequestError(Problem(info.name, f"{what} {pack.bands[index].unit}.", hint))


def _check_scale(pack: Pack) -> None:
    """Files of a folder say no unit: what is a hundred times its band's values is in another."""
    for name, index, mean in zip(
        pack.info.classes, own_bands(pack.info.classes, pack.bands), pack.target_mean, strict=True
    ):
        if index is None:
            continue
        times = abs(mean) / max(abs(pack.mean[index]), np.finfo(np.float64).tiny)
        if times and not 1 / _TIMES < times < _TIMES:
            what = f"gives {name!r} with a mean of {mean:.4g}, but its band of that name has one of"
            hint = "Bring both to one unit, or name the quantity otherwise."
            raise RequestError(Problem(pack.info.name, f"{what} {pack.mean[index]:.4g}.", hint))


def _check_known(pack: Pack) -> None:
    targets, never = pack.targets("train"), set(range(len(pack.info.classes)))
    for target in np.asarray(targets):
        never = {index for index in never if np.isnan(target[index]).all()}
        if not never:
            return
    what = f"no training sample has a value of {pack.info.classes[min(never)]!r}."
    raise RequestError(Problem(pack.info.name, what, "Leave that quantity out."))

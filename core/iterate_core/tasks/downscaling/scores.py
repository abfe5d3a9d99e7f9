"""The sums that scores of finer maps are made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.image import structural_similarity_index_measure

from iterate_core.tasks.downscaling.baseline import Departures
from iterate_core.tasks.downscaling.errors import TERMS
from iterate_core.tasks.downscaling.targets import Compared
from iterate_core.tasks.metrics import Metric
from iterate_core.tasks.scores import SummedScores

_WINDOW, _SIGMA = 11, 1.5
_EDGE = _WINDOW // 2


class FinerScores(SummedScores):
    """Sums as in `iterate_core.tasks.downscaling.errors`, in float64.

    Args:
        metrics: What is reported; without an ``ssim`` among them no window is looked at.
        mean: (quantities,) of the training targets.
        found: What else these tell.
    """

    mean: Tensor
    lows: Tensor
    ranges: Tensor

    def __init__(self, metrics: Sequence[Metric], mean: Tensor, found: Departures) -> None:
        super().__init__(metrics, len(TERMS) * len(mean), torch.float64)
        self._windows = any("ssim" in metric.name for metric in metrics)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("lows", torch.from_numpy(found.lows), persistent=False)
        self.register_buffer("ranges", torch.from_numpy(found.ranges), persistent=False)

    def of_samples(self, outputs: Tensor, targets: Compared) -> Tensor:
        """See `Scores.of_samples`."""
        wanted, known = targets.values.double(), ~targets.values.isnan()
        whole = self._whole_windows(known)
        predictions, baseline = (
            self._errors(told.double(), wanted, known, whole)
            for told in (outputs, targets.baseline)
        )
        offset = torch.where(known, wanted - _tall(self.mean), 0.0)
        counted = known.sum(dim=(2, 3))
        beside = (
            counted,
            whole.sum(dim=(2, 3)),
            counted * self.ranges.square(),
            offset.sum(dim=(2, 3)),
            offset.square().sum(dim=(2, 3)),
        )
        return torch.stack((*predictions, *baseline, *beside), dim=2).flatten(1)

    def _errors(
        self, told: Tensor, wanted: Tensor, known: Tensor, whole: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(n, quantities) squares, absolutes and similarities of whole windows, summed."""
        error = torch.where(known, told - wanted, 0.0)
        similar = torch.zeros_like(error[..., 0, 0])
        if whole.numel():
            one, other = (self._in_range(values, known) for values in (told, wanted))
            similar = (_similarity(one, other) * whole).sum(dim=(2, 3))
        return error.square().sum(dim=(2, 3)), error.abs().sum(dim=(2, 3)), similar

    def _in_range(self, values: Tensor, known: Tensor) -> Tensor:
        """From 0 at the lower end of the range to 1 at the upper; 0 where unknown."""
        return torch.where(known, (values - _tall(self.lows)) / _tall(self.ranges), 0.0)

    def _whole_windows(self, known: Tensor) -> Tensor:
        """Of each window whether all of it is known: 10 fewer a side, none if none is wanted."""
        if not self._windows or min(known.shape[-2:]) < _WINDOW:
            return known[..., :0, :0]
        return -functional.max_pool2d(-known.double(), _WINDOW, stride=1)


def _similarity(one: Tensor, other: Tensor) -> Tensor:
    """Structural similarity of each window that lies in the maps, of values from 0 to 1."""
    _, similar = structural_similarity_index_measure(
        one, other, sigma=_SIGMA, data_range=1.0, return_full_image=True
    )
    inner: Tensor = similar[..., _EDGE:-_EDGE, _EDGE:-_EDGE]  # beyond it the maps are mirrored
    return inner


def _tall(values: Tensor) -> Tensor:
    return values[:, None, None]

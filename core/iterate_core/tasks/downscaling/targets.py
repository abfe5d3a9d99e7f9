"""Maps on a finer grid than their image's. Imports no torch before there are batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import Band
from iterate_core.data.target import Array
from iterate_core.tasks.targets import GridTarget, check_finite, lacking

if TYPE_CHECKING:
    from torch import Tensor


class Compared(NamedTuple):
    """A batch's maps, and what they are without a model.

    Attributes:
        values: (n, quantities, height, width) float32; NaN where unknown.
        baseline: As many, everywhere a number.
    """

    values: Tensor
    baseline: Tensor


class FinerTarget(GridTarget):
    """Quantities on a grid `DatasetInfo.finer` times as fine as the image's; NaN where unknown.

    In files (quantities, height, width) of that grid; `Compared` in batches. The grid stays what it
    is, whatever the size of the images that a model takes.
    """

    form = "maps"
    gives = "quantities"
    counted = "Cells"
    sees_images = True
    mixes = frozenset()  # what the images tell is told before they are mixed

    @property
    def stack(self) -> tuple[int, ...]:
        """(quantities,)."""
        return (len(self.info.classes),)

    @property
    def blank(self) -> float:
        """Not a number."""
        return np.nan

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """See `Target.grid`: that of the files."""
        del size
        return super().grid((self.info.height, self.info.width))

    def check(self, target: Any, where: str) -> None:
        """See `Target.check`."""
        values = self._check_grid(target, where)
        check_finite(values, "Cells without a target must be NaN.", where)

    def packed(self, target: Any) -> Array:
        """As float32."""
        return np.asarray(target).astype(np.float32)

    def known(self, target: Any) -> Array:
        """(quantities, n)."""
        values = np.asarray(target, dtype=np.float64)
        return values.reshape(len(values), -1)

    def counts(self, target: Any) -> Array:
        """How many cells of each quantity are known, and how many of all are not."""
        known = ~np.isnan(self.known(target))
        return np.append(known.sum(axis=1), (~known).sum()).astype(np.int64)

    def lacks(self, targets: Iterable[Any]) -> str | None:
        """A known cell."""
        return lacking("known cell", (~np.isnan(values) for values in targets))

    def seen(
        self,
        targets: Tensor,
        images: Tensor,
        bands: tuple[Band, ...],
        means: npt.NDArray[np.float64],
    ) -> Compared:
        """See `Target.seen`."""
        from iterate_core.tasks.downscaling.baseline import interpolated

        return Compared(targets, interpolated(images, bands, self, means))

    def predicted(
        self,
        outputs: Tensor,
        images: Tensor,
        bands: tuple[Band, ...],
        means: npt.NDArray[np.float64],
    ) -> Tensor:
        """See `Target.predicted`: outputs are departures from the baseline."""
        from iterate_core.tasks.downscaling.baseline import interpolated

        return outputs + interpolated(images, bands, self, means)

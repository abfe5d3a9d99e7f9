"""The targets of the tasks that ship. Imports no torch before there are batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.store.pixels import LARGEST
from iterate_core.data.target import Array, Target
from iterate_core.errors import DataError, Problem

if TYPE_CHECKING:
    from torch import Tensor

    from iterate_core.data.augmentation.elements import Element
    from iterate_core.data.augmentation.mixing import Mixing
    from iterate_core.data.augmentation.warp import Warp
    from iterate_core.data.dataset import Band
    from iterate_core.data.tile import Tile


class ClassTarget(Target):
    """One class an image; int64 (n,) in batches."""

    form = "index"
    gives = "probabilities"
    classed = True
    takes = ("vector", "labels")
    mixes = frozenset({"blend", "paste"})

    def check(self, target: Any, where: str) -> None:
        """See `Target.check`."""
        label = np.asarray(target)
        self._check_shape(label, (), where)
        _check_labels(label, len(self.info.classes), where)

    def packed(self, target: Any) -> Array:
        """As int64."""
        return np.asarray(target, dtype=np.int64)

    def predicted(
        self, outputs: Tensor, images: Tensor, bands: tuple[Band, ...], means: Array
    ) -> Tensor:
        """Probabilities of classes that exclude each other."""
        del images, bands, means
        return outputs.softmax(dim=1)

    def counts(self, target: Any) -> npt.NDArray[np.int64]:
        """The sample's class."""
        return np.bincount([int(target)], minlength=len(self.info.classes) + 1)

    def title(self, target: Any) -> str:
        """The class."""
        return self.info.classes[int(np.asarray(target))]


class ClassesTarget(Target):
    """Any number of classes an image; int64 (n, classes) of 0 and 1 in batches."""

    form = "indicators"
    gives = "probabilities"
    classed = True
    takes = ("vector", "labels")
    mixes = frozenset({"blend", "paste"})
    exclusive = False

    def check(self, target: Any, where: str) -> None:
        """See `Target.check`."""
        indicators = np.asarray(target)
        self._check_shape(indicators, (len(self.info.classes),), where)
        _check_labels(indicators, 2, where)

    def packed(self, target: Any) -> Array:
        """As bytes."""
        return np.asarray(target).astype(np.uint8)

    def prepared(self, targets: Tensor, size: tuple[int, int]) -> Tensor:
        """As int64."""
        del size
        return targets.long()

    def predicted(
        self, outputs: Tensor, images: Tensor, bands: tuple[Band, ...], means: Array
    ) -> Tensor:
        """Probabilities of each class by itself."""
        del images, bands, means
        return outputs.sigmoid()

    def counts(self, target: Any) -> npt.NDArray[np.int64]:
        """The sample's classes."""
        return np.append(np.asarray(target).astype(np.int64), 0)

    def title(self, target: Any) -> str:
        """The classes."""
        return ", ".join(self.info.classes[index] for index in np.flatnonzero(np.asarray(target)))


class QuantitiesTarget(Target):
    """Numbers of the whole image, NaN where unknown; float32 (n, quantities) in batches."""

    form = "quantities"
    gives = "quantities"
    takes = ("vector",)
    counted = "Values"

    def check(self, target: Any, where: str) -> None:
        """See `Target.check`."""
        values = np.asarray(target)
        self._check_shape(values, (len(self.info.classes),), where)
        check_finite(values, "Values that are unknown must be NaN.", where)

    def packed(self, target: Any) -> Array:
        """As float32."""
        return np.asarray(target).astype(np.float32)

    def known(self, target: Any) -> Array:
        """(quantities, 1)."""
        return np.asarray(target, dtype=np.float64)[:, None]

    def counts(self, target: Any) -> npt.NDArray[np.int64]:
        """Of each quantity whether it is known, and how many are not."""
        known = ~np.isnan(np.asarray(target))
        return np.append(known, (~known).sum()).astype(np.int64)

    def lacks(self, targets: Iterable[Any]) -> str | None:
        """A known value."""
        return lacking("known value", (~np.isnan(target) for target in targets))

    def title(self, target: Any) -> str:
        """The values, in the order of the quantities."""
        values = ("?" if np.isnan(value) else f"{value:.4g}" for value in np.asarray(target))
        return ", ".join(values)


class GridTarget(Target):
    """One value a pixel of the image: it is turned and resized with it."""

    takes = ("map",)
    counted = "Pixels"
    mixes = frozenset({"paste"})

    @property
    def stack(self) -> tuple[int, ...]:
        """How many grids lie upon each other in files: (quantities,), or () for just one."""
        return ()

    @property
    def blank(self) -> float:
        """What stands where no target is known."""
        return self.info.ignore_index

    def laid(self, target: Any, tile: Tile, where: str) -> Array:
        """See `Target.laid`; where the image does not reach, no target is known."""
        values, (height, width) = np.asarray(target), tile.image
        grid = (height * self.finer, width * self.finer)
        self._check_shape(values, (*self.stack, *grid), where)
        return tile.lay(values, self.blank, self.finer)

    def augmented(
        self, targets: Tensor, chosen: npt.NDArray[np.int64], group: tuple[Element, ...]
    ) -> Tensor:
        """See `Target.augmented`."""
        from iterate_core.data.augmentation.elements import apply_each

        return apply_each(targets, chosen, group)

    @property
    def warps(self) -> bool:
        """See `Target.warps`."""
        return True

    def warped(self, targets: Tensor, warp: Warp) -> Tensor:
        """See `Target.warped`; each pixel is that of the nearest, and never interpolated."""
        return warp.grids(targets, self.blank)

    def prepared(self, targets: Tensor, size: tuple[int, int]) -> Tensor:
        """(n, …, height, width), each pixel that of the nearest; whole numbers as int64.

        Quantities are not interpolated: every target stays one that was measured, and what is
        unknown (NaN) does not spread.
        """
        from iterate_core.data.loading.scaling import resized_nearest

        return resized_nearest(targets, self.grid(size))

    def mixed(self, targets: Tensor, mixing: Mixing) -> Tensor:
        """See `Target.mixed`."""
        return mixing.pasted(targets)

    def _check_grid(self, target: Any, where: str) -> Array:
        values, grid = np.asarray(target), self.grid((self.info.height, self.info.width))
        self._check_shape(values, (*self.stack, *grid), where)
        return values


class MaskTarget(GridTarget):
    """One class a pixel, or `ignore_index`; int64 (n, height, width) in batches."""

    form = "mask"
    gives = "probabilities"
    classed = True

    def check(self, target: Any, where: str) -> None:
        """See `Target.check`."""
        mask = self._check_grid(target, where)
        _check_labels(mask, len(self.info.classes), where, self.info.ignore_index)

    def packed(self, target: Any) -> Array:
        """In the smallest type of PyTorch's that holds every class and what does not count."""
        labels = (0, len(self.info.classes) - 1, self.info.ignore_index)
        for kind in (np.uint8, np.int16, np.int32):
            if np.iinfo(kind).min <= min(labels) and max(labels) <= np.iinfo(kind).max:
                return np.asarray(target).astype(kind)
        return np.asarray(target).astype(np.int64)

    def predicted(
        self, outputs: Tensor, images: Tensor, bands: tuple[Band, ...], means: Array
    ) -> Tensor:
        """Probabilities of classes that exclude each other."""
        del images, bands, means
        return outputs.softmax(dim=1)

    def counts(self, target: Any) -> npt.NDArray[np.int64]:
        """Pixels of each class."""
        mask, classes = np.asarray(target), len(self.info.classes)
        labels = np.where(mask == self.info.ignore_index, classes, mask)
        return np.bincount(labels.ravel().astype(np.int64), minlength=classes + 1)

    def lacks(self, targets: Iterable[Any]) -> str | None:
        """A labelled pixel."""
        return lacking("labelled pixel", (mask != self.info.ignore_index for mask in targets))


class QuantityTarget(GridTarget):
    """One quantity a pixel, NaN where it is unknown; float32 (n, height, width) in batches."""

    form = "map"
    gives = "quantities"

    @property
    def blank(self) -> float:
        """Not a number."""
        return np.nan

    def check(self, target: Any, where: str) -> None:
        """See `Target.check`."""
        values = self._check_grid(target, where)
        check_finite(values, "Pixels without a target must be NaN.", where)

    def packed(self, target: Any) -> Array:
        """As float32."""
        return np.asarray(target).astype(np.float32)

    def known(self, target: Any) -> Array:
        """(1, n): the values of the pixels that have one."""
        values = np.asarray(target, dtype=np.float64)
        return values[np.isfinite(values)][None]

    def counts(self, target: Any) -> npt.NDArray[np.int64]:
        """Pixels that have a value, and that have none."""
        values = np.asarray(target)
        missing = int(np.isnan(values).sum())
        return np.array([values.size - missing, missing], dtype=np.int64)

    def lacks(self, targets: Iterable[Any]) -> str | None:
        """A known pixel."""
        return lacking("known pixel", (~np.isnan(values) for values in targets))


def lacking(what: str, counted: Iterable[Array]) -> str | None:
    """`what`, where nothing of all targets counts; see `Target.lacks`."""
    return None if any(each.any() for each in counted) else what


def check_finite(values: Array, hint: str, where: str) -> None:
    """Refuse infinity, and values such as −3.4e38 that stand for missing data.

    Args:
        values: Of a target; NaN passes.
        hint: How missing values are told.
        where: The sample, for messages.

    Raises:
        DataError: There is one.
    """
    if (np.isinf(values) | (np.abs(values) > LARGEST)).any():
        what = "has target values that are infinite or mark no data by their size."
        raise DataError(Problem(where, what, hint))


def _check_labels(labels: Array, bound: int, where: str, ignored: int | None = None) -> None:
    wrong = (labels < 0) | (labels >= bound)
    if ignored is not None:
        wrong &= labels != ignored
    if wrong.any():
        what = f"has the label {int(labels[wrong].flat[0])}, but there are {bound} classes."
        raise DataError(Problem(where, what))

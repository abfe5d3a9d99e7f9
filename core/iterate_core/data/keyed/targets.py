"""The target among the keys of a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.convert.missing import Missing
from iterate_core.data.dataset import Boxes
from iterate_core.data.folders.classes import class_values, ignored_index, mask_values
from iterate_core.data.folders.options import Classes
from iterate_core.data.keyed.images import Array, array_of, value_of
from iterate_core.data.keyed.options import KeyedData
from iterate_core.data.target import Form, target_class
from iterate_core.errors import DataError, Problem, RequestError

_KEYS: dict[Form, tuple[str, ...]] = {
    "index": ("label", "labels"),
    "indicators": ("label", "labels"),
    "quantities": ("label", "labels"),
    "mask": ("mask", "masks", "label"),
    "map": ("mask", "label"),
    "objects": ("bbox_xyxy", "boxes", "bbox"),
}
"""Where datasets keep targets of a form; the first key that is there counts."""

_LABELS, _MASKS = ("label", "labels"), ("mask", "masks")
Missings = npt.NDArray[np.bool_]


class Targets:
    """The targets of a dataset's samples.

    Args:
        section: Of the recipe.
        offered: The classes that the dataset names, where it does.
        words: Whether labels are names of classes, instead of their numbers.

    Attributes:
        form: What one is.
        classes: As in `iterate_core.data.dataset.DatasetInfo`.
        ignore_index: Likewise.

    Raises:
        RequestError: There are no such targets for the task, or nothing names their classes.
    """

    def __init__(
        self, section: KeyedData, offered: tuple[str, ...] | None, *, words: bool = False
    ) -> None:
        self.form = target_class(section.task).form
        if self.form not in _KEYS:
            what = f"the targets of {section.task} are none that such a dataset has."
            raise RequestError(Problem("data.task", what))
        self._section = section
        self._keys = (section.target_key,) if section.target_key is not None else _KEYS[self.form]
        if self.form in ("quantities", "map"):
            self.classes = _quantities(section.classes)
            self.ignore_index = ignored_index(len(self.classes))
            return
        named = section.classes or offered
        words = words or self.form == "indicators"
        self._values = class_values(named) if words else mask_values(named)
        self._values.check_ignored(section.ignore_index)
        self.classes, self.ignore_index = self._values.names, self._values.ignored

    def of(
        self, sample: Mapping[str, Any], missing: Missings | None, where: str
    ) -> int | Array | Boxes:
        """A sample's target, as `iterate_core.data.dataset.Sample` has it.

        Args:
            sample: What the dataset gives.
            missing: (height, width) whether a pixel lacks data; None where none does.
            where: The sample, for messages.

        Raises:
            DataError: It has none, or one that no class explains.
        """
        value = array_of(value_of(sample, self._keys, where, "data.target_key"))
        if self.form == "index":
            return self._index(value, where)
        if self.form == "objects":
            return self._objects(value, sample, where)
        if self.form == "mask":
            return self._mask(value, missing, where)
        if self.form == "map":
            return self._map(value, missing, where)
        return value.reshape(-1).astype(np.uint8 if self.form == "indicators" else np.float64)

    def _index(self, value: Array, where: str) -> int:
        if value.size != 1:
            what = f"has a label of shape {value.shape}, not one class."
            raise DataError(Problem(where, what, "data.target_key names the key."))
        return self._values.of_word(value.item(), where)

    def _mask(self, value: Array, missing: Missings | None, where: str) -> Array:
        said = self._section.ignore_index
        plane = _whole(_plane(value, where), where)
        mask = self._values.of_mask(plane, where, () if said is None else (said,))
        if missing is None or not self._section.mask:
            return mask
        return Missing.masked(mask, missing, self.ignore_index)

    def _map(self, value: Array, missing: Missings | None, where: str) -> Array:
        plane: Array = _plane(value, where).astype(np.float32)
        if self._section.ignore_index is not None:
            plane[plane == self._section.ignore_index] = np.nan
        if missing is not None and self._section.mask:
            plane[missing] = np.nan
        return plane

    def _objects(self, value: Array, sample: Mapping[str, Any], where: str) -> Boxes:
        corners = value.reshape(-1, 4).astype(np.float32)
        labels = self._labels(len(corners), sample, where)
        if len(corners) != len(labels):
            what = f"has {len(corners)} boxes and {len(labels)} classes of them."
            raise DataError(Problem(where, what))
        return Boxes(corners, np.array(labels, dtype=np.int64), self._masks(sample, where))

    def _labels(self, boxes: int, sample: Mapping[str, Any], where: str) -> list[int]:
        """The class of each box; boxes of the one class that there is may do without."""
        keys = _LABELS if self._section.label_key is None else (self._section.label_key,)
        if len(self.classes) == 1 and not any(key in sample for key in keys):
            return [0] * boxes
        words = array_of(value_of(sample, keys, where, "data.label_key")).reshape(-1)
        return [self._values.of_word(word, where) for word in words.tolist()]

    def _masks(self, sample: Mapping[str, Any], where: str) -> npt.NDArray[np.uint8] | None:
        """(objects, height, width); None where nobody asks for any and there are none."""
        keys = _MASKS if self._section.mask_key is None else (self._section.mask_key,)
        if self._section.mask_key is None and not any(key in sample for key in keys):
            return None
        masks = array_of(value_of(sample, keys, where, "data.mask_key"))
        return (masks > 0).astype(np.uint8) if masks.ndim == 3 else None


def _quantities(classes: Classes | None) -> tuple[str, ...]:
    if isinstance(classes, dict):
        what = "must be a list of names: the targets are numbers."
        raise RequestError(Problem("data.classes", what))
    return tuple(classes or ("quantity",))


def _plane(value: Array, where: str) -> Array:
    """(height, width) of what may have one channel, or the one mask of several dates."""
    plane = value.squeeze(0) if value.ndim == 3 and value.shape[0] == 1 else value
    if plane.ndim != 2:
        what = f"has a mask of shape {value.shape}, not (height, width)."
        raise DataError(Problem(where, what, "data.target_key names the key."))
    return plane


def _whole(plane: Array, where: str) -> Array:
    """Class values that a dataset gives as floating-point numbers."""
    if plane.dtype.kind != "f":
        return plane
    whole: Array = plane.astype(np.int64)
    if not np.array_equal(whole, plane):
        raise DataError(Problem(where, "has a mask with values that are no whole numbers."))
    return whole

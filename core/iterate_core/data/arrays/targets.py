"""Targets from an array: classes by what stands for them, or numbers as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.arrays.columns import Columns
from iterate_core.data.arrays.options import NpzData
from iterate_core.data.draws import quantity_strata
from iterate_core.data.target import Form, target_class
from iterate_core.errors import DataError, Problem, RequestError

_FORMS: tuple[Form, ...] = ("index", "indicators", "mask", "quantities", "map")
_MOST_TOLD = 20


class Targets:
    """The samples' targets.

    Args:
        section: Names the array, its classes and what stands for them.
        columns: The file.

    Attributes:
        classes: Names of the classes, or of the quantities.

    Raises:
        RequestError: The task takes no arrays, or what the recipe says of classes does not do.
        DataError: The array holds what stands for no class.
    """

    def __init__(self, section: NpzData, columns: Columns) -> None:
        self._form = target_class(section.task).form
        if self._form not in _FORMS:
            what = f"the targets of {section.task} are no array with a row for each sample."
            raise RequestError(Problem("data.task", what))
        if section.labels is not None and self._form != "index":
            what = f"{section.task} has no one class a sample for a label to stand for."
            raise RequestError(Problem("data.labels", what))
        values = columns.read(section.target, "data.target")
        if self._form == "index":
            values = columns.read_values(section.target, "data.target")
            self.classes, labels = _classes(section, values)
            values = _indices(values, labels, f"{columns.path}, {section.target}")
        elif self._form == "quantities":
            values = values.reshape(len(values), -1)
            self.classes = section.classes or _quantities(section.target, values.shape[1])
        elif section.classes is None:
            raise RequestError(Problem("data.classes", f"is required for {section.task}."))
        else:
            self.classes = section.classes
        self._values = values

    def of(self, index: int) -> int | npt.NDArray[Any]:
        """A sample's target, as `iterate_core.data.dataset.Sample` has it."""
        return int(self._values[index]) if self._form == "index" else self._values[index]

    def strata(self) -> npt.NDArray[np.int64]:
        """(samples,): what a drawn split keeps the proportions of."""
        if self._form == "index":
            return self._values.astype(np.int64)
        if self._form == "quantities":
            return np.array(quantity_strata(self._values[:, 0]))
        return np.zeros(len(self._values), dtype=np.int64)


def _classes(
    section: NpzData, values: npt.NDArray[Any]
) -> tuple[tuple[str, ...], tuple[int | str, ...]]:
    """The classes' names, and what stands for each."""
    classes, labels = section.classes, section.labels
    if classes is None and labels is None:
        shown = ", ".join(str(value) for value in np.unique(values)[:_MOST_TOLD])
        what = f"must name the classes, or data.labels what stands for them in {section.target!r}."
        raise RequestError(Problem("data.classes", what, f"It holds {shown}."))
    if classes is None:
        classes = tuple(map(str, labels or ()))
    if labels is None:
        labels = classes if values.dtype.kind == "U" else tuple(range(len(classes)))
    if len(set(labels)) != len(labels):
        raise RequestError(Problem("data.labels", "names a label twice."))
    if len(classes) != len(labels):
        what = f"has {len(labels)} labels for {len(classes)} classes."
        raise RequestError(Problem("data.labels", what))
    return classes, labels


def _indices(
    values: npt.NDArray[Any], labels: Sequence[int | str], where: str
) -> npt.NDArray[np.int64]:
    place: dict[Any, int] = {label: index for index, label in enumerate(labels)}
    found, which = np.unique(values, return_inverse=True)
    strange = [value.item() for value in found if value.item() not in place]
    if strange:
        shown = ", ".join(map(repr, strange[:_MOST_TOLD]))
        hint = f"Those are {', '.join(map(repr, labels))}: see data.labels and data.classes."
        raise DataError(Problem(where, f"holds {shown}, which stands for no class.", hint))
    return np.array([place[value.item()] for value in found], dtype=np.int64)[which]


def _quantities(target: str, count: int) -> tuple[str, ...]:
    return (target,) if count == 1 else tuple(f"{target} {number}" for number in range(count))

"""Which class each value in a folder's files stands for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.convert.source import UNSAID, shortened
from iterate_core.data.folders.options import Classes
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.storage.limits import MOST_CLASSES

WHERE = "data.classes"


@dataclass(frozen=True)
class ClassValues:
    """Values, as text, and the classes that they stand for.

    Attributes:
        names: Of the classes, in the order of their indices.
        indices: Value → the index of its class, or `ignored`.
    """

    names: tuple[str, ...]
    indices: dict[str, int]

    @property
    def ignored(self) -> int:
        """The index that stands for what does not count."""
        return ignored_index(len(self.names))

    def check_ignored(self, value: int | None) -> None:
        """Refuse to leave out the value of a class.

        Raises:
            RequestError: `value` is one.
        """
        index = self.indices.get(str(value), self.ignored)
        if index != self.ignored:
            what = f"{value} is the value of {self.names[index]!r} in {WHERE}."
            raise RequestError(Problem("data.ignore_index", what))

    def of_word(self, word: Any, where: str) -> int:
        """The class of a value that labels a whole image or an object.

        Raises:
            DataError: Nothing explains the value, or it stands for what does not count.
        """
        index = self.indices.get(str(word))
        if index is None or index == self.ignored:
            raise _unexplained([str(word)], where)
        return index

    def of_mask(
        self, values: npt.NDArray[Any], where: str, ignored: Iterable[float]
    ) -> npt.NDArray[np.integer[Any]]:
        """A mask of values as one of class indices.

        Args:
            values: (height, width) whole numbers.
            where: Its file.
            ignored: Values that do not count, beside those of `indices`.

        Raises:
            DataError: Nothing explains a value.
        """
        known = {**dict.fromkeys(ignored, self.ignored), **_by_number(self.indices)}
        present, places = np.unique(values, return_inverse=True)
        strange = [value for value in present.tolist() if value not in known]
        if strange:
            raise _unexplained([str(value) for value in strange], where, mask=True)
        kind = np.min_scalar_type(max(self.ignored, len(self.names)))
        indices = np.array([known[value] for value in present.tolist()], dtype=kind)
        return indices[places].reshape(values.shape)


def ignored_index(classes: int) -> int:
    """The index of what does not count: 255 where that is no class."""
    return UNSAID if classes <= UNSAID else classes


def class_values(given: Classes | None, found: Sequence[str] | None = None) -> ClassValues:
    """What the recipe says of the classes of words: names, or words with the names they get.

    Args:
        given: The recipe's `data.classes`.
        found: The classes where it says nothing.

    Raises:
        RequestError: Neither says anything, a class is named twice, or there are too many.
    """
    if isinstance(given, dict):
        return _mapped(given)
    names = tuple(given or found or ())
    _check(names)
    return ClassValues(names, {name: index for index, name in enumerate(names)})


def mask_values(given: Classes | None) -> ClassValues:
    """What the recipe says of a mask's values: names of 0, 1, …, or values with their names.

    Raises:
        RequestError: As `class_values`, or a value is no whole number.
    """
    if not isinstance(given, dict):
        names = tuple(given or ())
        _check(names)
        return ClassValues(names, {str(index): index for index in range(len(names))})
    strange = [str(value) for value in given if not str(value).lstrip("-").isdecimal()]
    if strange:
        what = f"must have numbers as keys, the values of masks, but has {shortened(strange)}."
        raise RequestError(Problem(WHERE, what))
    return _mapped(given)


def _mapped(given: dict[int | str, str | None]) -> ClassValues:
    names = tuple(dict.fromkeys(name for name in given.values() if name is not None))
    _check(names)
    places = {name: index for index, name in enumerate(names)}
    ignored = ignored_index(len(names))
    indices = {
        str(value): ignored if name is None else places[name] for value, name in given.items()
    }
    return ClassValues(names, indices)


def _check(names: tuple[str, ...]) -> None:
    if not names:
        what = "must name the classes: nothing else says what the labels mean."
        hint = "A list names the values 0, 1, …; {10: trees, 20: shrubs} names any values."
        raise RequestError(Problem(WHERE, what, hint))
    if len(set(names)) != len(names) or len(names) > MOST_CLASSES:
        twice = shortened(sorted({name for name in names if names.count(name) > 1}))
        raise RequestError(Problem(WHERE, f"must be distinct names, but {twice} stand twice."))


def _by_number(indices: dict[str, int]) -> dict[float, int]:
    return {float(value): index for value, index in indices.items()}


def _unexplained(values: Sequence[str], where: str | Path, *, mask: bool = False) -> DataError:
    which = "the value" if len(values) == 1 else "the values"
    what = f"holds {which} {shortened(values)}, which no class of {WHERE} explains."
    more = "; to null, or with data.ignore_index, it does not count" if mask else ""
    return DataError(Problem(str(where), what, f"Add it to {WHERE}{more}."))

"""What a source of samples offers to the conversion, and what a person asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import Split
from iterate_core.data.geobench_v1.declaration import TASKS
from iterate_core.data.target import Form, target_class
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.plurals import counted
from iterate_core.storage.limits import MOST_CLASSES

SPLIT_WORDS: dict[str, Split] = {
    "0": "train",
    "train": "train",
    "training": "train",
    "1": "val",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "2": "test",
    "test": "test",
    "testing": "test",
}
"""What people call the splits."""

CONVERTED = (*TASKS, "scalar_regression", "downscaling")
"""The tasks that a source may be for: of each form of target the usual one."""

_NAME_CLASSES = "Name every class with --classes"
_NAME_IGNORED = ", or the value that does not count with --ignore-index"

UNSAID = 255
"""The mask value that does not count where nobody names one."""


@dataclass(frozen=True)
class Wanted:
    """What a person asks of a source; None leaves it to the source. As in `convert`.

    Attributes:
        labelled: Whether labels are wanted; if not, a source may lack them.
    """

    task: str | None = None
    classes: tuple[str, ...] | None = None
    ignore_index: int | None = None
    layout: str | None = None
    split: str | None = None
    bands: tuple[str, ...] | None = None
    unit: str | None = None
    labelled: bool = True

    @property
    def form(self) -> Form | None:
        """What the targets of the task are; None where none is asked for."""
        return None if self.task is None else target_class(self.task).form

    def with_bands(self, bands: Sequence[str] | None) -> Self:
        """The same, with names for the bands."""
        return replace(self, bands=tuple(bands) if bands else None)


class SampleSource(Protocol):
    """Samples of one origin, known before any is read in full.

    Attributes:
        where: The file or folder, for messages.
        task: What the targets are for.
        form: What they are: an ``index``, ``indicators``, a ``mask``, ``quantities`` or ``maps``.
        classes: Class names in the order of their indices, or names of the quantities.
        ignore_index: The mask value that does not count.
        finer: Of maps: how many cells lie along the side of a pixel.
        band_names: What the files call their bands; None where they do not say.
        unit: The unit of all bands; None where the files do not say.
        names: Identifiers of the samples, distinct and fit for file names.
        aliases: Other words for each sample that a split file may use, such as its path.
        splits: The split of each sample; None where the source has none.
        strata: What a random split keeps in proportion: a value for each sample.
        notes: What to record about the conversion.
    """

    where: str
    task: str
    form: Form
    classes: tuple[str, ...]
    ignore_index: int
    finer: int
    band_names: tuple[str, ...] | None
    unit: str | None
    names: list[str]
    aliases: list[set[str]]
    splits: list[Split] | None
    strata: list[int]
    notes: tuple[str, ...]

    def read(self, index: int) -> tuple[npt.NDArray[Any], Any]:
        """Image (bands, height, width) and target of one sample."""

    def origin(self, index: int) -> str:
        """The file that holds a sample, for messages."""

    def nodata(self, index: int) -> float | None:
        """The value that marks pixels without data in an image, where its file says one."""


def task_for(wanted: Wanted, form: Form, what: str, where: str) -> str:
    """The task asked for, or the usual one whose targets have a form.

    Args:
        wanted: May name a task.
        form: What the source's targets are.
        what: Begins the message: ``"'labels' of shape (3,) is"``.
        where: The source, for messages.

    Raises:
        DataError: The targets of the task asked for are of another form.
    """
    usual = next(task for task in CONVERTED if target_class(task).form == form)
    if wanted.form not in (None, form):
        raise DataError(Problem(where, f"{what} for {usual}, not for {wanted.task}."))
    return wanted.task or usual


def class_names(
    where: str,
    wanted: Sequence[str] | None,
    declared: Sequence[str] | None,
    present: set[int],
    form: Form,
) -> tuple[str, ...]:
    """The classes of labels, as they are named; ``class 0``, … where nobody names them.

    Raises:
        DataError: There are labels beyond the names, beyond any number of classes, or without
            names and with gaps between them.
    """
    accept = f"{_NAME_CLASSES}{_NAME_IGNORED if form == 'mask' else ''}."
    largest = max(present, default=-1)
    if largest >= MOST_CLASSES:
        what = f"has the label {largest}; labels are numbers below {MOST_CLASSES}."
        raise DataError(Problem(where, what, accept))
    names = tuple(wanted or declared or ())
    if not names:
        unused = sorted(set(range(largest + 1)) - present)
        if unused:
            gaps = shortened([str(label) for label in unused])
            what = f"has labels up to {largest}, but none is {gaps}, and nothing names them."
            raise DataError(Problem(where, what, accept))
        return tuple(f"class {label}" for label in range(largest + 1))
    if largest >= len(names):
        verb = "is" if len(names) == 1 else "are"
        told = f"{counted(len(names), 'class', 'classes')} {verb} named: {', '.join(names)}."
        what = f"has the label {largest}, but {told}"
        raise DataError(Problem(where, what, accept))
    return names


def check_ignored(where: str, present: set[int], holds_ignored: bool) -> None:
    """Refuse masks of 0 and 255 alone where nobody says that 255 does not count.

    Raises:
        DataError: So they are: 255 may as well be the one class that matters.
    """
    if holds_ignored and present <= {0}:
        what = f"its masks hold no label but {' and '.join(map(str, [*present, UNSAID]))}."
        hint = f"--ignore-index {UNSAID} says that {UNSAID} does not count. Is it a class, write 1."
        raise DataError(Problem(where, what, hint))


def check_ignore_option(wanted: Wanted, form: Form) -> None:
    """Refuse to name a label that does not count where every sample has one.

    Raises:
        RequestError: So it is.
    """
    if wanted.ignore_index is not None and form != "mask":
        what = "only masks have pixels that do not count."
        raise RequestError(Problem("ignore_index", what, "Leave such samples out of the source."))


def present_labels(values: npt.NDArray[Any], ignored: int | None, where: str) -> set[int]:
    """The labels that are there and count.

    Args:
        values: Labels.
        ignored: The one that does not count; None of labels that all do, as those of images.
        where: What holds them, for messages.

    Raises:
        DataError: A label is negative and not the ignored one.
    """
    counted = values if ignored is None else values[values != ignored]
    if counted.size and counted.min() < 0:
        what = f"has the label {int(counted.min())}; labels count from 0."
        hint = "If it marks pixels that do not count, name it with --ignore-index."
        raise DataError(Problem(where, what, None if ignored is None else hint))
    return {int(label) for label in np.unique(counted)}


def rarest_present(present: npt.NDArray[np.bool_]) -> list[int]:
    """For each sample the rarest class it holds, from a (samples, classes) table."""
    frequency = np.where(present.any(axis=0), present.sum(axis=0), len(present) + 1)
    rank = np.where(present, frequency, len(present) + 2)
    return [int(label) for label in rank.argmin(axis=1)]


def shortened(names: Sequence[str]) -> str:
    """At most five names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more

"""Labels that tables and folders tell: a class, several classes, numbers, or objects."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iterate_core.data.convert.source import CONVERTED, rarest_present
from iterate_core.data.dataset import Boxes
from iterate_core.data.draws import quantity_strata
from iterate_core.data.folders.classes import ClassValues, class_values, ignored_index
from iterate_core.data.folders.objects import objects_of
from iterate_core.data.folders.options import FolderData
from iterate_core.data.folders.rasters import Raster
from iterate_core.data.folders.tables import Row
from iterate_core.data.target import Array, Form, target_class
from iterate_core.errors import DataError, Problem, RequestError


class ImageLabels:
    """See `iterate_core.data.folders.samples.Labels`; all is known without reading any image.

    Args:
        task: What they are for.
        classes: As in `DatasetInfo`.
        labels: Of each sample, as a reader gives it.
        strata: Of each sample.
        files: That they come from.
    """

    finer = 1

    def __init__(
        self,
        task: str,
        classes: tuple[str, ...],
        labels: Sequence[int | Array | Boxes],
        strata: list[int],
        files: Collection[Path] = (),
    ) -> None:
        self.task = task
        self.form: Form = target_class(task).form
        self.classes = classes
        self.ignore_index = ignored_index(len(classes))
        self.files = files
        self._labels = labels
        self._strata = strata

    def read(self, index: int, image: Raster) -> int | Array | Boxes:
        """See `Labels`."""
        del image
        return self._labels[index]

    def strata(self) -> list[int]:
        """See `Labels`."""
        return self._strata


def task_of(section: FolderData, form: Form) -> str:
    """The task that the recipe names, or the usual one whose targets have a form.

    Raises:
        RequestError: The targets of the task that it names are of another form.
    """
    if section.task is not None and target_class(section.task).form == form:
        return section.task
    usual = next(task for task in CONVERTED if target_class(task).form == form)
    if section.task is not None:
        what = f"is {section.task!r}, but the labels of {section.root} are for {usual}."
        raise RequestError(Problem("data.task", what))
    return usual


def class_labels(
    section: FolderData, words: Sequence[tuple[str, str]], files: Collection[Path] = ()
) -> ImageLabels:
    """A class an image.

    Args:
        section: Of the recipe.
        words: Of each sample what says its class, and where, for messages.
        files: That the words come from.
    """
    values = class_values(section.classes, _ordered({word for word, _ in words}))
    labels = [values.of_word(word, where) for word, where in words]
    return ImageLabels(task_of(section, "index"), values.names, labels, labels, files)


def table_labels(section: FolderData, rows: Sequence[Row], table: Collection[Path]) -> ImageLabels:
    """What tables say of images; which column does, the recipe says or ``label`` and rest do.

    Args:
        section: Of the recipe.
        rows: Of each sample.
        table: The files that the rows come from.

    Raises:
        DataError: A column is not there, or a cell holds what it must not.
    """
    if section.task is not None and target_class(section.task).form == "objects":
        values, objects = objects_of(section, rows, table)
        return ImageLabels(section.task, values.names, objects, [0] * len(rows), table)
    columns = [name for name in rows[0].cells if name != "split"]
    by_column = section.label or ("label" if "label" in columns else None)
    if by_column is None or section.quantities is not None:
        return _quantities(section, rows, section.quantities or tuple(columns), table)
    cells = [row.cell(by_column, "data.label") for row in rows]
    if all(isinstance(cell, list) for cell in cells):
        return _several(section, rows, cells, table)
    words = [(_word(cell, row), row.where) for cell, row in zip(cells, rows, strict=True)]
    return class_labels(section, words, table)


def _quantities(
    section: FolderData, rows: Sequence[Row], columns: tuple[str, ...], table: Collection[Path]
) -> ImageLabels:
    values = np.array([[row.number(name, "data.quantities") for name in columns] for row in rows])
    task = task_of(section, "quantities")
    return ImageLabels(task, columns, list(values), quantity_strata(values[:, 0]), table)


def _several(
    section: FolderData, rows: Sequence[Row], cells: Sequence[Any], table: Collection[Path]
) -> ImageLabels:
    """Indicators of the classes that each list names."""
    found = _ordered({str(word) for words in cells for word in words})
    values: ClassValues = class_values(section.classes, found)
    present = np.zeros((len(rows), len(values.names)), dtype=np.uint8)
    for row, words, indicators in zip(rows, cells, present, strict=True):
        indicators[[values.of_word(word, row.where) for word in words]] = 1
    task = task_of(section, "indicators")
    return ImageLabels(task, values.names, list(present), rarest_present(present > 0), table)


def _ordered(words: set[str]) -> list[str]:
    """In the order of their numbers where all are numbers, else in that of their letters."""
    numbers = all(word.isdecimal() for word in words)
    return sorted(words, key=int) if numbers else sorted(words)


def _word(cell: Any, row: Row) -> str:
    if cell in (None, "") or isinstance(cell, list | dict):
        what = f"labels {row.name!r} with {cell!r}, which is no class."
        raise DataError(Problem(row.where, what))
    return str(cell)

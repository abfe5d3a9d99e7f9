"""Finding the files of a sample that a declaration asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from iterate_core.data.geobench_v2.datasets.schema import (
    Declaration,
    Files,
    JsonBoxes,
    Mask,
    Monthly,
    Parcels,
    Quantity,
    Series,
    TableBoxes,
)
from iterate_core.data.geobench_v2.tortilla import Item
from iterate_core.errors import DataError, Problem

MONTHS = (
    "september", "october", "november", "december", "january", "february", "march", "april",
    "may", "june", "july", "august",
)  # fmt: skip
"""The order of a growing season's images."""

_COUNTED = re.compile(r"[0-9]{1,9}")


class Contents:
    """The files of one sample.

    Args:
        declaration: Of its dataset.
        items: As the sample lists them.
        where: File and sample, for messages.
        proven: Whether the file has the checksum that it should have. It is then no damage if
            tables contradict each other or files have more bands than declared; the outer table
            and the first bands count, as for the reference loaders.
    """

    def __init__(
        self, declaration: Declaration, items: Sequence[Item], where: str, proven: bool
    ) -> None:
        self.items = items
        self.where = where
        self.proven = proven
        known = {name for files in _fixed(declaration) for names in files.names for name in names}
        self._by_name = any(item.name in known for item in items)

    def locate(self, files: Files | Series | Monthly) -> tuple[Item | None, ...]:
        """One file a date, in the order of the dates; None where a date has none.

        Raises:
            DataError: Two files carry the same identifier, or a series is empty.
        """
        if isinstance(files, Series):
            return self._series(files)
        if isinstance(files, Monthly):
            return self._monthly(files)
        if self._by_name:
            return tuple(self._named(names) for names in files.names)
        return tuple(self._placed(position) for position in files.positions)

    def single(self, files: Files) -> Item:
        """The one file of a label.

        Raises:
            DataError: It is absent.
        """
        found = self.locate(files)[0]
        if found is None:
            raise self.lacks(" or ".join(repr(name) for name in files.names[0]))
        return found

    def lacks(self, what: str) -> DataError:
        """The error that the sample has no such file."""
        names = ", ".join(item.name for item in self.items[:40])
        return DataError(Problem(self.where, f"lacks the file {what}; it holds {names}."))

    def _named(self, names: Sequence[str]) -> Item | None:
        found = [item for item in self.items if item.name in names]
        if len(found) > 1:
            raise DataError(Problem(self.where, f"holds {len(found)} files {found[0].name!r}."))
        return found[0] if found else None

    def _placed(self, position: int) -> Item | None:
        inside = -len(self.items) <= position < len(self.items)
        return self.items[position] if inside else None

    def _series(self, series: Series) -> tuple[Item, ...]:
        numbered = {}
        for item in self.items:
            number = item.name.removeprefix(series.prefix)
            if number != item.name and _COUNTED.fullmatch(number):
                numbered[int(number)] = item
        if not numbered:
            raise self.lacks(f"{series.prefix}0, {series.prefix}1, …")
        return tuple(numbered[number] for number in sorted(numbered))

    def _monthly(self, files: Monthly) -> tuple[Item | None, ...]:
        months = [_month(item) for item in self._of_modality(files.months_of)]
        if not months:
            raise self.lacks(f"of modality {files.months_of!r}")
        if len(set(months)) < len(months):
            raise DataError(Problem(self.where, "holds two images of one month."))
        if all(month in MONTHS for month in months):
            months.sort(key=MONTHS.index)
        found = {_month(item): item for item in self._of_modality(files.modality)}
        return tuple(found.get(month) for month in months)

    def _of_modality(self, modality: str) -> list[Item]:
        return [item for item in self.items if item.fields.get("modality") == modality]


def _month(item: Item) -> str:
    return str(item.fields.get("month")).casefold()


def _fixed(declaration: Declaration) -> list[Files]:
    """Every file of the declaration that is found by an identifier."""
    found = [raster.files for raster in declaration.rasters]
    target = declaration.target
    if isinstance(target, Mask | Quantity | TableBoxes | JsonBoxes):
        found.append(target.files)
    elif isinstance(target, Parcels):
        found += [target.numbers, target.classes]
    if declaration.valid is not None:
        found.append(declaration.valid)
    return [files for files in found if isinstance(files, Files)]

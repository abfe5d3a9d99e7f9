"""Tables of scenes: a row a file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from iterate_core.data.convert.tables import text_of
from iterate_core.data.folders.options import LEGAL_UNITS
from iterate_core.errors import DataError, Problem, RequestError, nearest
from iterate_core.inference.scenes.addresses import beside
from iterate_core.inference.scenes.base import SceneFile, SceneRequest, Units
from iterate_core.inference.scenes.when import check_date
from iterate_core.storage.names import file_name

NEEDED = ("scene", "file")
COLUMNS = (*NEEDED, "date", "bands", "unit")


def scenes_of_table(table: Path) -> list[SceneRequest]:
    """The scenes of a .csv file, in the order of their first rows.

    The column ``scene`` names the scene, ``file`` a path (from the table's folder), a URL or a STAC
    item. ``date``, ``bands`` (with commas or semicolons between) and ``unit`` may be empty. Between
    cells stand commas, semicolons or tabs.

    Raises:
        DataError: It is damaged, has other columns, or says what cannot be.
    """
    text = text_of(table)
    lines = csv.DictReader(text.splitlines(), delimiter=_separator(text))
    columns = list(lines.fieldnames or [])
    strange = [name for name in columns if name not in COLUMNS]
    lacking = [name for name in NEEDED if name not in columns]
    if strange or lacking or len(set(columns)) != len(columns):
        what = f"has the columns {', '.join(columns) or 'none'}."
        hint = f"A table of scenes has {' and '.join(NEEDED)}, and may have date, bands and unit."
        raise DataError(Problem(str(table), what, hint))
    scenes: dict[str, list[SceneFile]] = {}
    for line in lines:
        where = f"{table}:{lines.line_num}"
        if None in line or None in line.values():
            raise DataError(Problem(where, f"does not have {len(columns)} cells."))
        cells = {name: cell.strip() for name, cell in line.items()}
        scenes.setdefault(cells["scene"], []).append(_file(cells, table, where))
    if not scenes:
        raise DataError(Problem(str(table), "lists no files."))
    return [
        SceneRequest(file_name(name), f"{table}, scene {name}", tuple(files))
        for name, files in scenes.items()
    ]


def _separator(text: str) -> str:
    """A comma, or what spreadsheets write in its place where a comma stands in numbers."""
    titles = text.partition("\n")[0]
    return "," if "," in titles else next((sign for sign in ";\t" if sign in titles), ",")


def _file(cells: Mapping[str, str], table: Path, where: str) -> SceneFile:
    empty = next((name for name in NEEDED if not cells[name]), None)
    if empty is not None:
        raise DataError(Problem(where, f"says nothing under {empty!r}."))
    date = cells.get("date") or None
    if date is not None:
        check_date(date, where)
    bands = listed(cells.get("bands", ""))
    try:
        unit = parse_units(cells.get("unit", ""), where)
    except RequestError as error:
        raise DataError(error.problems) from None
    path = beside(str(table), cells["file"])
    return SceneFile(path, date=date, bands=bands or None, unit=unit)


def listed(text: str) -> tuple[str, ...]:
    """Words with commas or semicolons between them."""
    return tuple(word.strip() for word in text.replace(";", ",").split(",") if word.strip())


def parse_units(text: str, where: str) -> Units | None:
    """``dn``, or ``B02=dn,VV=db`` where bands differ; None of an empty text.

    Raises:
        RequestError: It is neither, or there is no such unit.
    """
    words = listed(text)
    if not words:
        return None
    pairs = [word.partition("=") for word in words]
    named = {name.strip(): unit.strip() for name, sign, unit in pairs if sign}
    if len(words) == 1 and not named:
        units: Units = words[0]
        values = [words[0]]
    elif len(named) == len(words):
        units, values = named, list(named.values())
    else:
        what = f"{text!r} is neither a unit nor a list such as B02=dn,VV=db."
        raise RequestError(Problem(where, what))
    wrong = next((unit for unit in values if unit not in LEGAL_UNITS), None)
    if wrong is not None:
        hint = nearest(wrong, LEGAL_UNITS) or f"Legal: {', '.join(LEGAL_UNITS)}."
        raise RequestError(Problem(where, f"there is no unit {wrong!r}.", hint))
    return units

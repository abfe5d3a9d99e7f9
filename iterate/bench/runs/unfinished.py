"""What a run that has not come to its end still owes: kept in its folder until then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from iterate.bench.leaderboard.csv_table import table
from iterate.bench.leaderboard.results_csv import RESULTS_FILE
from iterate.bench.runs.plan import Plan
from iterate_core.errors import DataError, Problem
from iterate_core.plurals import counted
from iterate_core.storage.files import write_json

UNFINISHED_FILE = "unfinished.json"
_NAMED = 3  # studies whose results are missing; more are counted


@dataclass(frozen=True)
class Owed:
    """A study of a command that has not ended.

    Attributes:
        dataset: Of the suite.
        backbone: Its name in the table.
        repeats: How many results it is to have.
        command: What goes on with it.
    """

    dataset: str
    backbone: str
    repeats: int
    command: str


_FORM = TypeAdapter(dict[str, Owed])


def begin(folder: Path, plan: Plan, command: str) -> None:
    """Write down what a command is to find, beside what earlier ones left."""
    owed = _read(folder) | {
        study.name: Owed(cell.dataset, cell.contestant.name, study.settings.repeats, command)
        for study in plan.studies
        for cell in (plan.cells[study.name],)
    }
    _write(folder, owed)


def end(folder: Path, plan: Plan) -> None:
    """Strike out what a command has come to the end of; what failed is told as a gap."""
    done = {study.name for study in plan.studies}
    _write(folder, {name: one for name, one in _read(folder).items() if name not in done})


def missing(folder: Path) -> list[Problem]:
    """What the results of a run lack that has not come to its end, and what finishes it."""
    owed = _read(folder)
    if not owed:
        return []
    there = _results(folder / RESULTS_FILE)
    lacks = {
        name: one.repeats - there.get((one.dataset, one.backbone), 0) for name, one in owed.items()
    }
    lacking = {name: count for name, count in lacks.items() if count > 0}
    named = [
        f"{owed[name].backbone} on {owed[name].dataset} ({count} of {owed[name].repeats} seeds)"
        for name, count in list(lacking.items())[:_NAMED]
    ]
    if len(lacking) > _NAMED:
        named.append(f"{len(lacking) - _NAMED} more")
    of = counted(sum(one.repeats for one in owed.values()), "result")
    what = f"this run is not finished: {sum(lacking.values())} of {of} are missing"
    what += f": {', '.join(named)}." if named else "."
    commands = dict.fromkeys(one.command for one in owed.values())
    return [Problem(str(folder), what, f"Finish it: {' and '.join(commands)}")]


def _results(path: Path) -> Mapping[tuple[str, str], int]:
    """How many results each (dataset, backbone) has."""
    counts: dict[tuple[str, str], int] = {}
    try:
        _, rows, _ = table(path)
    except DataError:
        return counts  # none was written yet
    for row in filter(None, rows):
        cell = (row.get("dataset", ""), row.get("backbone", ""))
        counts[cell] = counts.get(cell, 0) + 1
    return counts


def _read(folder: Path) -> dict[str, Owed]:
    try:
        content = json.loads((folder / UNFINISHED_FILE).read_text(encoding="utf-8"))
        return _FORM.validate_python(content)
    except (OSError, ValueError):
        return {}


def _write(folder: Path, owed: Mapping[str, Owed]) -> None:
    if owed:
        write_json(folder / UNFINISHED_FILE, {name: asdict(one) for name, one in owed.items()})
    else:
        (folder / UNFINISHED_FILE).unlink(missing_ok=True)

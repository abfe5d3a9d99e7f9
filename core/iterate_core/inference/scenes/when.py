"""Dates of scenes: as people write them, and which of a model's frames they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from iterate_core.data.folders.dates import day_in
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.inference.scenes.addresses import is_item, shown
from iterate_core.inference.scenes.base import SceneFile, SceneRequest
from iterate_core.plurals import counted

Day = tuple[int, int]
"""Year and day of the year."""


def check_date(text: str, where: str) -> None:
    """Refuse what is neither a date nor a number that tells the order alone.

    Raises:
        DataError: It is neither.
    """
    if _day(text) is None and _number(text) is None:
        hint = "Write it as 2020-07-11, or as 1, 2, 3 where only the order is known."
        raise DataError(Problem(where, f"{text!r} is no date.", hint))


def _day(text: str) -> Day | None:
    """Of a day such as ``2020-07-11``, with or without a time."""
    return None if _number(text) is not None else day_in(text) or day_in(text[:10])


def _number(text: str) -> int | None:
    """A number too short to be a date."""
    return int(text) if re.fullmatch(r"\d{1,3}", text) else None


def _place(text: str) -> tuple[int, int]:
    """What sorts dates, as `check_date` lets them through."""
    return _day(text) or (0, _number(text) or 0)


def frames_of(
    files: Sequence[SceneFile], frames: int, where: str
) -> tuple[list[list[int]], tuple[Day, ...] | None]:
    """The numbers of the files of each frame, and when the frames were taken.

    Files of one date, and of one time where dates have times, are one frame; files without a date
    are part of each.

    Args:
        files: Of a scene.
        frames: That the model takes.
        where: The scene, for messages.

    Raises:
        DataError: There are more or fewer dates.
    """
    undated = [n for n, file in enumerate(files) if file.date is None and file.frame is None]
    slots: dict[tuple[int, Day, str], list[int]] = {}
    for number, file in enumerate(files):
        if number in undated:
            continue
        if file.frame is not None:
            slot = (file.frame, (0, 0), "")
        else:
            text = file.date or ""
            check_date(text, where)
            slot = (0, _place(text), text[10:])
        slots.setdefault(slot, []).append(number)
    ordered = [slots[slot] for slot in sorted(slots)]
    if not ordered:
        ordered = [[]]
    if len(ordered) != frames:
        has = f"has {counted(len(ordered), 'date')}" if slots else "does not say its dates"
        what = f"{has}; the model takes scenes of {frames}."
        hint = "A table of scenes (--scenes) says which files are one scene, and the date of each."
        if frames == 1:
            what = f"has files of {len(ordered)} dates; the model takes one."
            hint = "Name a scene of its own for each date."
        raise DataError(Problem(where, what, hint))
    return [sorted(undated + numbers) for numbers in ordered], _days(files, ordered)


def _days(files: Sequence[SceneFile], ordered: Sequence[Sequence[int]]) -> tuple[Day, ...] | None:
    """Of the first dated file of each frame; None if one has none, or an order alone."""
    texts = [next((files[n].date for n in numbers if files[n].date), "") for numbers in ordered]
    days = [_day(text or "") for text in texts]
    return None if None in days else tuple(day for day in days if day is not None)


def series_of(
    found: Sequence[SceneRequest], frames: int, dates: tuple[str, ...] | None
) -> SceneRequest | None:
    """The one scene that single files are, each a date, in the order in which they are named.

    Args:
        found: What is named, each for itself.
        frames: Dates that the model takes.
        dates: What is said of them.

    Returns:
        None where the model takes one date, or files say by themselves what their scenes are.

    Raises:
        RequestError: There are not as many files as dates.
    """
    if frames == 1:
        return None
    files = [file for scene in found for file in scene.files]
    single = len(files) == len(found)
    if dates is None and not (single and all(map(_dateless, files))):
        return None
    if len(files) != frames or not single:
        raise RequestError(_miscounted(len(files), frames, dated=dates is not None))
    notes = tuple(_notes(files, dates))
    ordered = tuple(replace(file, frame=number) for number, file in enumerate(files))
    source = ", ".join(dict.fromkeys(shown(file.path) for file in files))
    return replace(found[0], source=source, files=ordered, notes=notes)


def _dateless(file: SceneFile) -> bool:
    return file.date is None and file.frame is None and not is_item(file.path)


def _miscounted(files: int, frames: int, *, dated: bool) -> Problem:
    hint = "Several scenes of several dates are named by a table: --scenes."
    if dated:
        what = f"says the dates of {frames} files of one scene; {files} are named."
        return Problem("--dates", what, hint)
    what = f"{counted(files, 'file')} without dates {'are' if files > 1 else 'is'} named; the model"
    first = f"Name the {frames} files of one scene in their order, and --dates says when they are."
    return Problem("", f"{what} takes scenes of {frames} dates.", f"{first} {hint}")


def _notes(files: Sequence[SceneFile], dates: tuple[str, ...] | None) -> Iterator[str]:
    names = ", ".join(shown(file.path) for file in files)
    if dates is None:
        yield f"{names}: taken as the dates of one scene, in this order"
    if len({file.path for file in files}) < len(files):
        yield f"one file stands for several dates: {names}"
    times = [_place(date) for date in dates or ()]
    pairs = list(pairwise(times))
    if any(one == other for one, other in pairs):
        yield f"--dates says one day of several files: {', '.join(dates or ())}"
    if any(one > other for one, other in pairs):
        yield f"--dates runs backwards: {', '.join(dates or ())}; files are taken as they are named"

"""Dates of scenes: as people write them, and which of a model's frames they are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from iterate_core.data.folders.dates import day_in
from iterate_core.errors import DataError, Problem
from iterate_core.inference.scenes.base import SceneFile
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
            slot = (0, _day(text) or (0, _number(text) or 0), text[10:])
        slots.setdefault(slot, []).append(number)
    ordered = [slots[slot] for slot in sorted(slots)]
    if not ordered:
        ordered = [[]]
    if len(ordered) != frames:
        what = f"has {counted(len(ordered) if slots else 0, 'date')}; the model takes {frames}."
        if frames == 1:
            what = f"has files of {len(ordered)} dates; the model takes one."
        hint = "A table of scenes (--scenes) says the date of each file."
        raise DataError(Problem(where, what, hint))
    return [sorted(undated + numbers) for numbers in ordered], _days(files, ordered)


def _days(files: Sequence[SceneFile], ordered: Sequence[Sequence[int]]) -> tuple[Day, ...] | None:
    """Of the first dated file of each frame; None if one has none, or an order alone."""
    texts = [next((files[n].date for n in numbers if files[n].date), "") for numbers in ordered]
    days = [_day(text or "") for text in texts]
    return None if None in days else tuple(day for day in days if day is not None)

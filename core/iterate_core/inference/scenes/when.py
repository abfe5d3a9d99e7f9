"""Dates of scenes: as people write them, and which of a model's frames they are."""

from __future__ import annotations

from collections.abc import Sequence

from iterate_core.data.folders.dates import day_in
from iterate_core.errors import DataError, Problem
from iterate_core.inference.scenes.base import SceneFile
from iterate_core.plurals import counted

Day = tuple[int, int]
"""Year and day of the year."""


def day_of(text: str, where: str) -> Day:
    """A day such as ``2020-07-11``, with or without a time.

    Raises:
        DataError: It is none.
    """
    found = day_in(text) or day_in(text[:10])
    if found is None:
        raise DataError(Problem(where, f"{text!r} is no date.", "Write it as 2020-07-11."))
    return found


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
            slot = (0, day_of(text, where), _moment(text))
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
    return [sorted(undated + numbers) for numbers in ordered], _days(files, ordered, where)


def _days(
    files: Sequence[SceneFile], ordered: Sequence[Sequence[int]], where: str
) -> tuple[Day, ...] | None:
    """Of the first dated file of each frame; None if one has none."""
    texts = [next((files[n].date for n in numbers if files[n].date), None) for numbers in ordered]
    return tuple(day_of(text, where) for text in texts if text) if all(texts) else None


def _moment(text: str) -> str:
    """What tells several times of one day apart."""
    return text[10:] if len(text) > 10 else ""

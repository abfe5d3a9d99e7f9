"""How the page names entries."""

from __future__ import annotations

from dataclasses import dataclass

from iterate.bench.leaderboard.rows import Leaderboard


@dataclass(frozen=True)
class EntryName:
    """An entry as people know it.

    Attributes:
        label: The entry's label.
        shown: Its name for people.
        file: What tells it from others of that name; empty where nothing has to.
        published: Whether it is a published baseline.
    """

    label: str
    shown: str
    file: str
    published: bool


EntryNames = dict[str, EntryName]
"""Label of an entry → how it is shown."""


def names_of(board: Leaderboard, track: str) -> EntryNames:
    """Of all entries of a track."""
    return {
        entry.label: EntryName(
            entry.label,
            board.suite.shown(entry.backbone),
            entry.label[len(entry.backbone) :].strip(),
            entry.published,
        )
        for entry in board.entries
        if entry.track == track
    }

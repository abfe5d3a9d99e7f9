"""What the cache holds, kind by kind, and how it is cleared."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.storage import bounds, usage
from iterate_core.storage.cache import cache_folder

KINDS = {
    "features": "what frozen backbones make of datasets",
    "packs": "datasets as contiguous arrays",
    "generated": "datasets that were generated",
    "hashes": "what files of datasets and weights contain",
    "hub": "weights and files that were fetched",
}
"""The kinds of entries, and what they are."""

FETCHED = "hub"
"""The kind that only a download brings back: cleared where it is named."""

_DAY = 24 * 3600.0


@dataclass(frozen=True)
class Stored:
    """An entry of the cache.

    Attributes:
        kind: One of `KINDS`.
        path: Where it lies.
        size: Bytes that it takes on its disk.
        last_used: In seconds since 1970.
        in_use: Whether a process uses it now.
        about: What it says of itself.
    """

    kind: str
    path: Path
    size: int
    last_used: float
    in_use: bool
    about: dict[str, Any]


def stored(kind: str | None = None) -> list[Stored]:
    """The entries of a kind, or of every kind, the least recently used of each first.

    Raises:
        RequestError: There is no such kind.
    """
    if kind is not None and kind not in KINDS:
        hint = nearest(kind, KINDS) or f"There are: {', '.join(KINDS)}."
        raise RequestError(Problem("KIND", f"there is no kind {kind!r} in the cache.", hint))
    return [
        Stored(
            each,
            path,
            usage.disk_bytes(path),
            usage.last_used(path),
            usage.is_used(path),
            bounds.record(path),
        )
        for each in (KINDS if kind is None else (kind,))
        for path in usage.entries(cache_folder() / each)
    ]


@dataclass(frozen=True)
class Cleared:
    """What became of entries that were to be removed.

    Attributes:
        removed: Those that are gone.
        in_use: Those that stay, as they are in use.
    """

    removed: list[Stored]
    in_use: list[Stored]


def clear(kind: str | None = None, older_than_days: float | None = None) -> Cleared:
    """Remove entries that nobody uses: of a kind, or all but those that were fetched.

    Args:
        kind: One of `KINDS`.
        older_than_days: Only those that were last used before so many days.

    Raises:
        RequestError: There is no such kind.
    """
    before = time.time() - (older_than_days or 0) * _DAY
    found = [
        entry
        for entry in stored(kind)
        if (kind is not None or entry.kind != FETCHED)
        and (older_than_days is None or entry.last_used < before)
    ]
    removed = [entry for entry in found if usage.remove(entry.path)]
    return Cleared(removed, [entry for entry in found if entry not in removed])


def keep_to_limit() -> int:
    """Remove kept features beyond their limit that nobody uses; gives the bytes they took."""
    folder = cache_folder() / "features"
    found = usage.entries(folder)
    surplus = sum(bounds.reserved(path) for path in found) - bounds.limit(folder)
    return bounds.evict([path for path in found if not usage.is_used(path)], surplus)

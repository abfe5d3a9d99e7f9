"""How much of a disk kept features may take, and room for more: the least recently used go."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from iterate_core.errors import Problem, RequestError
from iterate_core.faults import free_bytes
from iterate_core.storage.cache import cache_folder
from iterate_core.storage.files import lock, write_json
from iterate_core.storage.memory import GIB
from iterate_core.storage.usage import disk_bytes, entries, is_used, remove

ALWAYS = 4 * GIB
"""Unless a limit says otherwise, so much may be kept, however full the disk is."""

RECORD = "about.json"
"""In an entry: what it is, and how many bytes it takes once it is whole."""

_PATIENCE_SECONDS = 600.0


def chosen_limit() -> int | None:
    """The bytes that the user allows kept features; None where nothing was said."""
    try:
        found = json.loads(_settings().read_text(encoding="utf-8"))["features"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, int) and found >= 0 else None


def choose_limit(size: int | None) -> None:
    """Allow kept features so many bytes from now on; None goes back to the default.

    Raises:
        RequestError: The cache folder cannot be written.
    """
    try:
        if size is None:
            _settings().unlink(missing_ok=True)
        else:
            write_json(_settings(), {"features": size})
    except OSError as error:
        what = f"cannot be written ({error.strerror})."
        hint = "Set ITERATE_CACHE to a folder that can."
        raise RequestError(Problem(str(cache_folder()), what, hint)) from None


def limit(folder: Path) -> int:
    """Bytes that all entries in a folder may take together.

    What the user chose, or half of what its disk has for them; never more than it has.
    """
    has = free_bytes(folder) + sum(disk_bytes(entry) for entry in entries(folder))
    chosen = chosen_limit()
    return max(ALWAYS, has // 2) if chosen is None else min(chosen, max(ALWAYS, has))


def make_room(entry: Path, needs: int, about: dict[str, Any]) -> bool:
    """Let an entry have its bytes, if its neighbours can make room; those in use cannot.

    An entry that was let in stays so, whatever the limit became.

    Args:
        entry: Its folder, held by the caller.
        needs: Bytes of it when it is whole.
        about: What it is, as plain JSON types.

    Returns:
        Whether it may be filled.
    """
    if record(entry):
        return True
    with lock(entry.parent.with_suffix(".lock"), _PATIENCE_SECONDS):
        if record(entry):
            return True
        others, idle = _beside(entry)
        allowed = limit(entry.parent) - needs
        if allowed < _in_use(others, idle):
            return False
        evict(idle, sum(others.values()) - allowed)
        write_json(entry / RECORD, {"bytes": needs, **about})
        return True


def has_room(entry: Path, needs: int) -> bool:
    """Whether `make_room` would make it; nothing is removed."""
    if record(entry):
        return True
    return _in_use(*_beside(entry)) <= limit(entry.parent) - needs


def _beside(entry: Path) -> tuple[dict[Path, int], list[Path]]:
    """An entry's neighbours, with the bytes of each, and those of them that nobody uses."""
    others = {path: reserved(path) for path in entries(entry.parent) if path != entry}
    return others, [path for path in others if not is_used(path)]


def _in_use(others: dict[Path, int], idle: list[Path]) -> int:
    return sum(others.values()) - sum(others[path] for path in idle)


def evict(idle: list[Path], surplus: int) -> int:
    """Remove entries, the first ones first, until they took `surplus` bytes; gives what they took.

    One that has come into use meanwhile stays.
    """
    removed = 0
    for path in idle:
        if removed >= surplus:
            break
        size = reserved(path)
        removed += size if remove(path) else 0
    return removed


def reserved(entry: Path) -> int:
    """Bytes that an entry takes, or will once it is whole."""
    told = record(entry).get("bytes", 0)
    return max(told if isinstance(told, int) else 0, disk_bytes(entry))


def record(entry: Path) -> dict[str, Any]:
    """What an entry says of itself; nothing where it says nothing readable."""
    with suppress(OSError, ValueError):
        found = json.loads((entry / RECORD).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _settings() -> Path:
    return cache_folder() / "limits.json"

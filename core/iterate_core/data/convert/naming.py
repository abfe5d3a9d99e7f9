"""Names for samples: as their source has them, where those are distinct names of files."""

from __future__ import annotations

from collections.abc import Sequence

from iterate_core.escaping import visible
from iterate_core.plurals import counted
from iterate_core.storage.names import is_file_name


def usable(names: Sequence[str]) -> list[str] | None:
    """The names with control characters written out; None where two are equal or lead elsewhere."""
    shown = [visible(name) for name in names]
    distinct = len(set(shown)) == len(shown)
    return shown if distinct and all(map(is_file_name, shown)) else None


def renamed(given: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """A note on how many samples bear another name than their source gives them; none if none."""
    changed = [pair for pair in zip(given, names, strict=True) if pair[0] != pair[1]]
    if not changed:
        return ()
    verb = "was" if len(changed) == 1 else "were"
    old, new = changed[0]
    what = f"{counted(len(changed), 'sample name')} {verb} changed, such as {old!r} to {new!r}"
    return (f"{what}: names must be distinct names of files, without control characters",)

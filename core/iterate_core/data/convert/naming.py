"""Names for samples: as their source has them, where those are distinct names of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from iterate_core.errors import DataError, Problem
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


def names_of_files(relative: Sequence[Path], where: str) -> tuple[list[str], tuple[str, ...]]:
    """A name for each file, and a note where names were changed.

    Stems where they are distinct, else paths with '-' between their parts.

    Args:
        relative: The files, below their dataset's folder.
        where: That folder, for messages.

    Raises:
        DataError: Two would bear the same name even so.
    """
    given = [path.stem for path in relative]
    if usable(given) is None:
        given = ["-".join(path.with_suffix("").parts) for path in relative]
    names = [visible(name) for name in given]
    seen: dict[str, Path] = {}
    for name, path in zip(names, relative, strict=True):
        if name in seen:
            what = f"{seen[name]} and {path} would both be sample {name!r}."
            raise DataError(Problem(where, what))
        seen[name] = path
    return names, renamed(given, names)


def aliases_of(name: str, path: Path) -> set[str]:
    """What a table or split file may call a sample: its name, or its file with folders or without.

    Args:
        name: The sample's.
        path: Its file, below the dataset's folder.
    """
    return {name, path.as_posix(), path.name}

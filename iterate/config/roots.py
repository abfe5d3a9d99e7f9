"""Where the data of a file lie, found from wherever the command is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iterate.config.schema import required_at
from iterate_core.errors import Problem

ROOT = "data.root"


def find_root(mapping: dict[str, Any], where: str, folders: Sequence[Path]) -> Problem | None:
    """Make a relative ``data.root`` of a resolved config absolute.

    Args:
        mapping: The config, changed in place.
        where: What states the root, for the message.
        folders: What it may be relative to: the folder of the file that states it, then the
            working directory.

    Returns:
        What is wrong: it lies below none of them, and stays as it is. A root that may be made is
        no mistake; it is then below the last one.
    """
    data = mapping.get("data")
    stated = data.get("root") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(stated, str) or not stated:
        return None
    if stated.startswith("~") or Path(stated).is_absolute():
        return None
    tried = list(dict.fromkeys((folder / stated).absolute() for folder in folders))
    found = next((path for path in tried if path.exists()), None)
    if found is None and required_at(mapping, ROOT):
        hint = f"Tried: {', '.join(map(str, tried))}."
        return Problem(where, f"there is no folder {stated!r}.", hint)
    data["root"] = str(found or tried[-1])
    return None

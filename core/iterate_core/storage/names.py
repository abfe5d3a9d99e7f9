"""Words of files that become names of files: a stranger's name never leads anywhere else."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from iterate_core.errors import Problem, RequestError

_LONGEST = 200  # bytes; file systems take 255, and suffixes follow


def file_name(text: str) -> str:
    """Any text as the name of one file or folder: ``../../x`` is ``_.._x``.

    Letters, digits, ``.``, ``_`` and ``-`` stay as they are, but for dots at the start.
    """
    plain = re.sub(r"[^\w.-]", "_", text).lstrip(".")
    return plain.encode()[:_LONGEST].decode(errors="ignore") or "_"


def is_file_name(text: str) -> bool:
    """Whether a text is the name of one file as it stands."""
    try:
        length = len(os.fsencode(text))
    except UnicodeEncodeError:
        return False
    return 0 < length <= _LONGEST and text not in (".", "..") and not re.search(r"[/\x00]", text)


def is_inside(path: str) -> bool:
    """Whether a path, with ``/`` between its parts, stays below the folder it is joined to."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not re.search(r"^/|\\|\x00", path) and ".." not in parts


def inside(path: str, where: str) -> Path:
    """A path that stays below the folder it is joined to.

    Args:
        path: With ``/`` between its parts.
        where: What names it, for messages.

    Raises:
        RequestError: It does not.
    """
    if not is_inside(path):
        raise RequestError(Problem(where, f"{path!r} is no path of a file below a folder."))
    return Path(PurePosixPath(path))

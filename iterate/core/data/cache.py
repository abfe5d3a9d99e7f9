"""Where derived data are kept: nothing in it is lost that cannot be made again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$ITERATE_CACHE``, else ``$XDG_CACHE_HOME/iterate``, else ``~/.cache/iterate``.

    The folder is not made here.
    """
    chosen = os.environ.get("ITERATE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "iterate"

"""The SHA-256 of a dataset's files, without reading again those that did not change."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from iterate_core.errors import DataError, Problem
from iterate_core.provenance import usable_cores
from iterate_core.storage.cache import cache_folder
from iterate_core.storage.files import write_json
from iterate_core.storage.limits import check_plain_file

SETTLED_SECONDS = 2.0
"""A file younger than this could change again within its time stamp's resolution."""


def hash_files(root: Path, names: Sequence[str]) -> dict[str, str]:
    """SHA-256 (hexadecimal) of each file below `root`, by its name relative to `root`.

    A file whose size, modification time and change time are as remembered is not read. The memory
    is a file in the cache folder, replaced whole; of two processes that write it, the later wins.

    Raises:
        DataError: A file is missing or unreadable.
    """
    root = root.resolve()
    place = hashlib.sha256(str(root).encode()).hexdigest()[:32]
    memory = cache_folder() / "hashes" / f"{place}.json"
    known = _recall(memory)
    now = time.time()
    stamps = {name: _stamp(root / name) for name in names}
    changed = [name for name in names if known.get(name, [None])[:-1] != stamps[name]]
    with ThreadPoolExecutor(min(8, usable_cores())) as pool:
        digests = dict(
            zip(changed, pool.map(lambda name: _digest(root / name), changed), strict=True)
        )
    result = {name: digests.get(name) or known[name][-1] for name in names}
    settled = {
        name: [*stamps[name], result[name]]
        for name in names
        if now - stamps[name][1] / 1e9 > SETTLED_SECONDS
    }
    if any(known.get(name) != entry for name, entry in settled.items()):
        # Without a writable cache every file is read each time, which is slower and as right.
        with contextlib.suppress(OSError):
            write_json(memory, known | settled)
    return result


def _recall(memory: Path) -> dict[str, list[Any]]:
    """What is remembered; an absent, damaged or foreign file remembers nothing."""
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {
        name: entry
        for name, entry in known.items()
        if isinstance(entry, list) and len(entry) == 4 and isinstance(entry[-1], str)
    }


def _stamp(path: Path) -> list[int]:
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(Problem(str(path), f"cannot be read ({error.strerror}).")) from None
    check_plain_file(path)
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise DataError(Problem(str(path), f"cannot be read ({error.strerror}).")) from None

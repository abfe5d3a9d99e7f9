"""The digests of an exported model's files, as ``sha256sum`` writes and checks them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from iterate_core.errors import Problem, RequestError
from iterate_core.storage.digests import hash_files
from iterate_core.storage.files import replacing

SUMS_FILE = "SHA256SUMS"
CARD_FILE = "README.md"
"""For people, who may add to it: of all files the one that may be another later."""
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def write_sums(folder: Path) -> None:
    """Write the digests of all files of a folder into it."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    sums = hash_files(folder, sorted(set(names) - {SUMS_FILE}))
    with replacing(folder / SUMS_FILE) as part:
        lines = (f"{digest}  {name}\n" for name, digest in sums.items())
        part.write_text("".join(lines), encoding="utf-8")


def read_sums(folder: Path) -> Mapping[str, str]:
    """The digest of each file.

    Raises:
        RequestError: There are none, or they are damaged.
    """
    path = folder / SUMS_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        told = getattr(error, "strerror", None) or "is no text"
        what = f"cannot be read ({told}): it holds the digests of the model's files."
        raise RequestError(Problem(str(path), what, "Copy the folder again.")) from None
    found = [_LINE.fullmatch(line) for line in lines]
    if not found or None in found:
        what = "does not list the digests of files."
        raise RequestError(Problem(str(path), what, "Copy the folder again."))
    return {match[2]: match[1] for match in found if match is not None}


def check_sums(folder: Path, needed: tuple[str, ...]) -> None:
    """Refuse an exported folder of which a file has changed.

    Of the files that are not `needed`, some may have been taken away; the card may be another.

    Raises:
        RequestError: A file is missing, damaged or another.
    """
    stated = read_sums(folder)
    there = [name for name in stated if (folder / name).is_file()]
    problems = [
        Problem(str(folder / name), "is missing.", "Copy the folder again.")
        for name in needed
        if name not in there
    ]
    sums = hash_files(folder, [name for name in there if name != CARD_FILE])
    for name, digest in sums.items():
        if digest != stated[name]:
            what = f"was changed or damaged: its SHA-256 is {digest}, where {SUMS_FILE} says "
            problems.append(Problem(str(folder / name), f"{what}{stated[name]}."))
    if problems:
        raise RequestError(problems)

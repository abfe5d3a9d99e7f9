"""The files of a dataset in its folder, and whether they are what they should be."""

from __future__ import annotations

import json
import re
from pathlib import Path

from iterate_core.data.geobench_v2.datasets.published import checksums
from iterate_core.errors import DataError, Problem
from iterate_core.storage.digests import hash_files
from iterate_core.storage.limits import check_plain_file

SUMS, RECORD = "SHA256SUMS", "SOURCE.json"
PART = re.compile(r"(.+)\.\d{4}\.part\.tortilla")
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def find_files(root: Path, files: str, dataset: str) -> tuple[Path, ...]:
    """The file of a dataset, or all its parts in order.

    Args:
        root: A folder that holds them, or one of the files.
        files: The start of their published names.
        dataset: Its name; files may also begin with it.

    Raises:
        DataError: There are none, several of one kind, or a part is missing.
    """
    if root.is_file():
        part = PART.fullmatch(root.name)
        return _all_parts(root.parent, part[1]) if part else (root,)
    if not root.is_dir():
        check_plain_file(root)
        hint = f"Set data.root to the folder that holds {files}.tortilla."
        raise DataError(Problem(str(root), "does not exist.", hint))
    for folder in dict.fromkeys((root, root / dataset, root / files.removeprefix("geobench_"))):
        for stem in dict.fromkeys((files, dataset, files.removeprefix("geobench_"))):
            parts = _parts(folder, stem)
            whole = folder / f"{stem}.tortilla"
            if parts and whole.is_file():
                what = f"holds {whole.name} and its parts too."
                raise DataError(Problem(str(folder), what, "Keep one of the two."))
            if whole.is_file():
                return (whole,)
            if parts:
                return _all_parts(folder, stem)
    there = sorted(path.name for path in root.glob("*.tortilla"))
    found = f"There are: {', '.join(there[:8])}." if there else "There is no such file at all."
    raise DataError(Problem(str(root), f"holds no {files}.tortilla and no part of one.", found))


def verify(files: str, paths: tuple[Path, ...]) -> dict[str, str]:
    """SHA-256 of each file by name, compared with what it should be where that is known.

    It is known from a file ``SHA256SUMS`` beside it; failing that, from the record of its
    download, ``SOURCE.json``; failing that, from its publisher. Files that did not change since
    they were last looked at are not read again.

    Raises:
        DataError: A file is not what it should be: truncated, damaged, or another one.
    """
    folder = paths[0].parent
    found = hash_files(folder, [path.name for path in paths])
    known = _known(files, folder)
    for name, digest in found.items():
        wanted, source = known.get(name, (digest, ""))
        if wanted != digest:
            what = f"is not the file that {source} names: truncated, changed, or another one."
            hint = f"Fetch it again; if it is meant to be so, say it in {SUMS} beside it."
            raise DataError(Problem(str(folder / name), what, hint))
    return found


def unknown(files: str, paths: tuple[Path, ...]) -> tuple[str, ...]:
    """The files of which no checksum is known."""
    known = _known(files, paths[0].parent)
    return tuple(path.name for path in paths if path.name not in known)


def replaced(files: str, paths: tuple[Path, ...]) -> tuple[str, ...]:
    """The files that are said to be others than the publisher names under their names."""
    known, published = _known(files, paths[0].parent), checksums(files)
    names = [path.name for path in paths if path.name in published]
    return tuple(name for name in names if known[name][0] != published[name])


def _known(files: str, folder: Path) -> dict[str, tuple[str, str]]:
    """Name → SHA-256, and who says so."""
    sources = {
        "the publisher": checksums(files),
        RECORD: _recorded(folder),
        SUMS: listed_sums(folder),
    }
    return {
        name: (digest, source) for source, sums in sources.items() for name, digest in sums.items()
    }


def _parts(folder: Path, stem: str) -> list[Path]:
    found = (PART.fullmatch(path.name) for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted(folder / part[0] for part in found if part and part[1] == stem)


def _all_parts(folder: Path, stem: str) -> tuple[Path, ...]:
    parts = _parts(folder, stem)
    listed = listed_sums(folder)
    named = listed if any(path.name in listed for path in parts) else checksums(stem)
    there = {path.name for path in parts}
    gaps = [f"{stem}.{number:04d}.part.tortilla" for number in range(len(parts))]
    missing = sorted({*gaps, *(name for name in named if ".part." in name)} - there)
    missing = [name for name in missing if name.startswith(f"{stem}.")]
    if missing:
        what = f"lacks {missing[0]}, though it has other parts."
        raise DataError(Problem(str(folder), what, "A dataset is never read in part."))
    return tuple(parts)


def listed_sums(folder: Path) -> dict[str, str]:
    """What the ``SHA256SUMS`` of a folder says, by file name; nothing where there is none.

    Raises:
        DataError: It is of another format.
    """
    path = folder / SUMS
    check_plain_file(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(Problem(str(path), f"cannot be read ({error}).")) from None
    matches = [_LINE.fullmatch(line) for line in lines if line.strip()]
    entries = [(match[2], match[1].lower()) for match in matches if match]
    if len(entries) < len(matches):
        raise DataError(Problem(str(path), "must have lines of a SHA-256 and a file name."))
    return dict(entries)


def _recorded(folder: Path) -> dict[str, str]:
    """What the record of a download says of the files, by name; nothing where there is none.

    Raises:
        DataError: It is damaged.
    """
    path = folder / RECORD
    check_plain_file(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        entries = {entry["filename"]: entry["sha256"] for entry in record["files"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        what = "is no record of a download, or a damaged one."
        raise DataError(Problem(str(path), what, "Delete it, or fetch the data again.")) from None
    return {name: digest for name, digest in entries.items() if isinstance(digest, str)}

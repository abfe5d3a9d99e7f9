"""The files of a dataset in its folder, and whether they are what they should be."""

from __future__ import annotations

import re
from pathlib import Path

from iterate.core.data.content import hash_files
from iterate.core.data.geobench_v2.published import checksums
from iterate.core.errors import DataError, Problem

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def find_files(root: Path, files: str, dataset: str) -> tuple[Path, ...]:
    """The file of a dataset, or all its parts in order.

    Args:
        root: A folder that holds them, or the one file.
        files: The start of their published names.
        dataset: Its name; files may also begin with it.

    Raises:
        DataError: There are none, several of one kind, or a part is missing.
    """
    if root.is_file():
        return (root,)
    if not root.is_dir():
        hint = f"Set data.root to the folder that holds {files}.tortilla."
        raise DataError(Problem(str(root), "does not exist.", hint))
    for folder in (root, root / dataset):
        for stem in dict.fromkeys((files, dataset, files.removeprefix("geobench_"))):
            parts = sorted(folder.glob(f"{stem}.[0-9][0-9][0-9][0-9].part.tortilla"))
            whole = folder / f"{stem}.tortilla"
            if parts and whole.is_file():
                what = f"holds {whole.name} and its parts too."
                raise DataError(Problem(str(folder), what, "Keep one of the two."))
            if whole.is_file():
                return (whole,)
            if parts:
                return _all_parts(folder, stem, parts)
    there = sorted(path.name for path in root.glob("*.tortilla"))
    found = f"There are: {', '.join(there[:8])}." if there else "There is no such file at all."
    raise DataError(Problem(str(root), f"holds no {files}.tortilla and no part of one.", found))


def verify(files: str, paths: tuple[Path, ...]) -> dict[str, str]:
    """SHA-256 of each file by name, compared with what it should be where that is known.

    It is known from a file ``SHA256SUMS`` beside it or, failing that, from its publisher. Files
    that did not change since they were last looked at are not read again.

    Raises:
        DataError: A file is not what it should be: truncated, damaged, or another one.
    """
    folder = paths[0].parent
    found = hash_files(folder, [path.name for path in paths])
    wanted = {**checksums(files), **listed_sums(folder)}
    for name, digest in found.items():
        if wanted.get(name, digest) != digest:
            listed = SUMS if name in listed_sums(folder) else "the publisher"
            what = f"is not the file that {listed} names: truncated, changed, or another one."
            hint = f"Fetch it again; if it is meant to be so, say it in {SUMS} beside it."
            raise DataError(Problem(str(folder / name), what, hint))
    return found


def unknown(files: str, paths: tuple[Path, ...]) -> tuple[str, ...]:
    """The files of which no checksum is known."""
    wanted = {**checksums(files), **listed_sums(paths[0].parent)}
    return tuple(path.name for path in paths if path.name not in wanted)


def _all_parts(folder: Path, stem: str, parts: list[Path]) -> tuple[Path, ...]:
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

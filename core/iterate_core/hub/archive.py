"""Unpacking archives that were written by strangers."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from iterate_core.errors import DataError, Problem
from iterate_core.faults import readable
from iterate_core.hub.transfer import OnProgress

MOST_FILES = 1_000_000
"""Entries beyond which an archive is refused; the largest published one has some 20,000."""


@contextmanager
def unpacking(archive: Path, folder: Path, progress: OnProgress | None = None) -> Iterator[Path]:
    """Unpack a zip file to the yielded folder, which becomes `folder` if all went well.

    The archive may hold the folder's content, or one folder of the same name that holds it.

    Args:
        archive: The zip file; left where it is.
        folder: Must not exist yet.
        progress: Called with the bytes that are unpacked, and all.

    Raises:
        DataError: It is no zip file or a damaged one, an entry leads out of the folder or is no
            plain file, or the disk is too small.
    """
    aside = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        _unpack(archive, aside, progress)
        inner = aside / folder.name
        only = [path.name for path in aside.iterdir()] == [folder.name]
        content = inner if only and inner.is_dir() else aside
        yield content
        content.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _unpack(archive: Path, folder: Path, progress: OnProgress | None) -> None:
    with _opened(archive) as file:
        entries = list(_checked(file, archive))
        total = sum(entry.file_size for entry in entries)
        folder.mkdir(parents=True)
        _check_space(archive, folder, total)
        done = 0
        for entry in entries:
            target = folder / PurePosixPath(entry.filename)
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open(entry) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            done += entry.file_size
            if progress is not None:
                progress(done, total)


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as file:
            yield file
    except (
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError
    ) as error:  # fmt: skip
        what = f"is no zip file, or a damaged one ({error})."
        raise DataError(Problem(str(archive), what, "Delete it and download it again.")) from None


def _checked(file: zipfile.ZipFile, archive: Path) -> Iterator[zipfile.ZipInfo]:
    """The files of an archive, each of which is one and stays below the folder."""
    entries = file.infolist()
    if len(entries) > MOST_FILES:
        raise DataError(Problem(str(archive), f"holds {len(entries)} entries; too many."))
    seen: set[str] = set()
    for entry in entries:
        name, parts = entry.filename, PurePosixPath(entry.filename).parts
        if not parts or parts[0] == "/" or ".." in parts or "\\" in name or ":" in parts[0]:
            raise DataError(Problem(str(archive), f"{name!r} leads out of the folder."))
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(Problem(str(archive), f"{name!r} is no plain file, but a link or so."))
        if entry.flag_bits & 1:
            raise DataError(Problem(str(archive), f"{name!r} is encrypted."))
        if entry.is_dir():
            continue
        if str(PurePosixPath(name)) in seen:
            raise DataError(Problem(str(archive), f"holds {name!r} twice."))
        seen.add(str(PurePosixPath(name)))
        yield entry


def _check_space(archive: Path, folder: Path, total: int) -> None:
    free = shutil.disk_usage(folder).free
    if total > free:
        what = f"unpacks to {readable(total)}, but {folder} has {readable(free)} free."
        raise DataError(Problem(str(archive), what, "Free some space and call again."))

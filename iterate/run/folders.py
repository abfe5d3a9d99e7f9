"""Where a run's files go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from iterate_core.errors import Problem, RequestError
from iterate_core.storage.names import file_name


def run_folder(name: str, out: Path | None, *, fresh: bool) -> tuple[str, Path]:
    """A run's name and folder.

    Args:
        name: The name the file gives.
        out: The folder asked for; None is ``runs/NAME``.
        fresh: Whether a run that is there already is left alone and a new one begun beside it,
            ``NAME-2``, ``NAME-3`` and so on.
    """
    folder = Path("runs") / file_name(name) if out is None else out
    if not fresh or not folder.exists():
        return name, folder
    number = 2
    while (beside := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    return f"{name}-{number}", beside


# What is in a run's folder before anything has been trained.
_BEFORE_WORK = (".lock", "studies.db", "studies.db-wal", "studies.db-shm", "recipe.yaml")


@contextmanager
def undone_if_refused(folder: Path) -> Iterator[None]:
    """Take away what a command made of a folder that it then refused; what was there stays."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    kept = {name for name in _BEFORE_WORK if (folder / name).exists()}
    try:
        yield
    except RequestError:
        with suppress(OSError):  # the folder is not ours
            if not {path.name for path in folder.iterdir()} - set(_BEFORE_WORK):
                for name in set(_BEFORE_WORK) - kept:
                    (folder / name).unlink(missing_ok=True)
                for made in missing:
                    made.rmdir()
        raise


def check_folder(folder: Path) -> None:
    """As `claim_folder`, and leave nothing.

    Raises:
        RequestError: It cannot be written.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    there = (folder / ".lock").exists()
    claim_folder(folder)
    with suppress(OSError):  # another process has taken it meanwhile
        if not there:
            (folder / ".lock").unlink()
        for made in missing:
            made.rmdir()


def claim_folder(folder: Path) -> None:
    """Make a run's folder, and a file in it.

    Raises:
        RequestError: It cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".lock").touch()
    except OSError as error:
        what = f"the output folder cannot be written ({error.strerror})."
        raise RequestError(Problem(str(folder), what, "Choose another with --out.")) from error

"""Where a run's files go."""

from __future__ import annotations

from pathlib import Path

from iterate.core.errors import Problem, RequestError
from iterate.core.names import file_name


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

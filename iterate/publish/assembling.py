"""A folder that is whole or absent."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iterate.run.models import MODEL_FILE
from iterate_core.errors import Problem, RequestError
from iterate_core.faults import blaming_machine


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that is taken.

    Args:
        folder: To be written.
        overwrite: Whether an exported model there may be replaced.

    Raises:
        RequestError: It is there, and holds something else or may not be replaced.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    sums = folder / "SHA256SUMS"
    if not folder.is_dir() or not (folder / MODEL_FILE).is_file() or not sums.is_file():
        what = "is there already, and is no exported model: it stays as it is."
        raise RequestError(Problem(str(folder), what, "Name another folder."))
    if not overwrite:
        what = "holds an exported model already."
        raise RequestError(Problem(str(folder), what, "Say --overwrite, or name another folder."))


@contextmanager
def assembled(folder: Path) -> Iterator[Path]:
    """Write into the yielded folder; it takes the other's place only if all went well."""
    with blaming_machine(folder, "the exported model"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
        try:
            yield part
            part.chmod(0o755)
            before = part.with_suffix(".before")
            if folder.exists():
                folder.rename(before)
            part.rename(folder)
            shutil.rmtree(before, ignore_errors=True)
        finally:
            shutil.rmtree(part, ignore_errors=True)

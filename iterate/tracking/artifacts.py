"""Send a run's files to MLflow, each once, and again when it changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from iterate.tracking.diff import Cursor


def send_artifacts(client: MlflowClient, cursor: Cursor, paths: Iterable[Path]) -> list[Path]:
    """Send what is new or has changed.

    A file of this process is known by its size and time of change; one that an earlier process
    sent, by its size alone (MLflow tells no more).

    Returns:
        The paths that are not there.
    """
    missing = []
    for root in paths:
        if not root.exists():
            missing.append(root)
        for file, folder in _files(root):
            status = file.stat()
            name = f"{folder}/{file.name}" if folder else file.name
            stamp = (status.st_size, status.st_mtime_ns)
            if cursor.artifacts.get(name) == stamp:
                continue
            if name in cursor.artifacts or _listed(client, cursor, folder, name) != stamp[0]:
                client.log_artifact(cursor.run_id, str(file), folder or None)
            cursor.artifacts[name] = stamp
    return missing


def _files(root: Path) -> Iterator[tuple[Path, str]]:
    """Each file with the artifact folder it belongs to; a folder keeps its own name."""
    if root.is_file():
        yield root, ""
    for file in sorted(root.rglob("*")) if root.is_dir() else ():
        if file.is_file():
            yield file, str(file.parent.relative_to(root.parent).as_posix())


def _listed(client: MlflowClient, cursor: Cursor, folder: str, name: str) -> int | None:
    """The size in bytes of a file that is in MLflow already, or None."""
    if folder not in cursor.listings:
        found = client.list_artifacts(cursor.run_id, folder or None)
        cursor.listings[folder] = {item.path: item.file_size or 0 for item in found}
    return cursor.listings[folder].get(name)

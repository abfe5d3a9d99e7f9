"""Finds the training that a recipe belongs to, in the folder of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from iterate_core.engine.reports import BEST


def checkpoint_of(identity: str, folders: Iterator[Path]) -> Path | None:
    """The folder whose checkpoint was trained with exactly a recipe, its data and weights.

    Args:
        identity: Names the recipe; see `iterate_core.engine.resolved.Prepared`.
        folders: Where to look, in this order.
    """
    return next((folder for folder in folders if _identity(folder / BEST) == identity), None)


def trainings(folder: Path) -> Iterator[Path]:
    """Each folder with a checkpoint: this one, and those of a run's repeats and trials."""
    for place in (folder, *sorted(folder.glob("repeats/*")), *sorted(folder.glob("trials/*"))):
        if (place / BEST).is_file():
            yield place


def _identity(checkpoint: Path) -> str | None:
    """What a checkpoint says that it was trained with; None if it cannot be read."""
    try:
        with safe_open(checkpoint, framework="numpy") as file:
            found: str | None = (file.metadata() or {}).get("identity")
            return found
    except (OSError, SafetensorError):
        return None

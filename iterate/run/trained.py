"""Finds the training that a recipe belongs to, in the folder of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from iterate_core.engine.checkpoints import BEST
from iterate_core.engine.resolved import prepare
from iterate_core.recipe import Recipe


def checkpoint_of(recipe: Recipe, folders: Iterator[Path]) -> Path | None:
    """The folder whose checkpoint was trained with exactly this recipe, data and weights.

    Args:
        recipe: Complete.
        folders: Where to look, in this order.

    Raises:
        RequestError: The recipe does not fit its data.
    """
    identity = prepare(recipe).identity
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

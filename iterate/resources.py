"""Finds the folders that a scientist edits and that travel with the package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """A shipped folder, such as ``search_spaces``.

    In a wheel it lies within the package; in a checkout or an editable install it stands at the
    top of the repository, beside the package.

    Raises:
        FileNotFoundError: It is in neither place: the installation is incomplete.
    """
    places = [_PACKAGE / "_shipped" / name, _PACKAGE.parent / name]
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(f"no folder {name}: looked for {' and '.join(map(str, places))}")

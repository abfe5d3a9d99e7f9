"""What is asked of one scene. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iterate_core.fingerprint import fingerprint
from iterate_core.inference.scenes.base import SceneRequest, told_of


@dataclass(frozen=True)
class Wanted:
    """What is asked of one scene.

    Attributes:
        name: Of the scene.
        source: The scene, for messages.
        of: Its files.
        how: Fixes the models, and all that was said of them and of the files.
        files: Names of what may be written of it.
    """

    name: str
    source: str
    of: tuple[str, ...]
    how: str
    files: tuple[str, ...]


def wanted_of(request: SceneRequest, key: Mapping[str, Any], files: tuple[str, ...]) -> Wanted:
    """What is asked of a scene, by what fixes the models and options."""
    told = [told_of(file) for file in request.files]
    return Wanted(
        request.name,
        request.source,
        request.paths or (request.source,),
        fingerprint({**key, "told": told}),
        files,
    )

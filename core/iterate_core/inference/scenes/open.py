"""From what a person names to scenes."""

from __future__ import annotations

from iterate_core.engine.description import ModelDescription
from iterate_core.inference.scenes.base import Scene, SceneRequest
from iterate_core.inference.scenes.listing import scenes_of
from iterate_core.inference.scenes.raster_scene import RasterScene

__all__ = ["open_scene", "scenes_of"]


def open_scene(request: SceneRequest, description: ModelDescription) -> Scene:
    """Open a scene for a model; headers are read, and pixels only where nothing tells a unit.

    Raises:
        DataError: A file is damaged, lacks a band, is in a unit that does not convert, or files
            do not fit together. Other scenes are not concerned.
    """
    return RasterScene(request, description)

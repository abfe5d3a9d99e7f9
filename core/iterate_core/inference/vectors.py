"""Shapes with what was found of them, as files of vectors."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iterate_core.errors import MachineError
from iterate_core.faults import no_room

_FULL = ("disk is full", os.strerror(errno.ENOSPC).lower())
"""SQLite's words and the system's, which GDAL passes on."""
DRIVERS = {"gpkg": "GPKG", "geojson": "GeoJSON"}
"""Formats, the default first, and what GDAL calls them."""


def write_vectors(
    path: Path,
    shapes: Sequence[Any],
    columns: Mapping[str, Sequence[Any]],
    crs: Any,
    transform: Any,
    layer: str,
) -> None:
    """Write shapes, whole or not at all.

    Args:
        path: Of the file, which ends as one of `DRIVERS`.
        shapes: Of shapely, in pixels of the scene: x is the column, y the row.
        columns: A value of each shape, by name.
        crs: A `rasterio.crs.CRS`, or None: then shapes stay in pixels.
        transform: From columns and rows to its coordinates.
        layer: Name of the layer.
    """
    from geopandas import GeoDataFrame, GeoSeries

    placed = GeoSeries(list(shapes), crs=None if crs is None else crs.to_wkt())
    if transform is not None and not transform.is_identity:
        a, b, c, d, e, f, *_ = transform
        placed = placed.affine_transform([a, b, d, e, c, f])
    frame = GeoDataFrame(dict(columns), geometry=placed)
    part = path.with_name(f".part-{path.name}")
    part.unlink(missing_ok=True)
    with warnings.catch_warnings(), _room_told(path):
        warnings.filterwarnings("ignore", "'crs' was not provided")  # pixels have none
        frame.to_file(
            part,
            driver=DRIVERS[path.suffix[1:]],
            layer=layer,
            engine="pyogrio",
            geometry_type=None if len(frame) else "Polygon",
        )
    part.replace(path)


@contextmanager
def _room_told(path: Path) -> Iterator[None]:
    """Tell a full disk as such, which GDAL tells in words alone.

    Raises:
        MachineError: The disk has no room for the file.
    """
    from pyogrio.errors import DataSourceError, FeatureError, FieldError, GeometryError

    try:
        yield
    except (DataSourceError, FeatureError, FieldError, GeometryError) as error:
        if not any(words in str(error).lower() for words in _FULL):
            raise
        raise MachineError(no_room(path.parent, path.name)) from error

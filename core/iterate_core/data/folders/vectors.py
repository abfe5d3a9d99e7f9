"""Polygons with classes, as GeoJSON, GeoPackage or another format of GDAL, on images' grids."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS
from rasterio.features import rasterize
from rasterio.warp import transform, transform_bounds

from iterate_core.data.dataset import Boxes
from iterate_core.data.folders.classes import ClassValues, class_values, ignored_index
from iterate_core.data.folders.labels import task_of
from iterate_core.data.folders.options import FolderData, VectorData
from iterate_core.data.folders.rasters import Raster
from iterate_core.data.target import Array, Form, target_class
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.storage.limits import check_plain_file

SUFFIXES = (".geojson", ".json", ".gpkg", ".fgb")
"""Of formats whose whole content is in one file."""

_EDGES = 21  # places along each edge of an image whose ground is looked up


@dataclass(frozen=True)
class Polygons:
    """What lies on an image.

    Attributes:
        shapes: Polygons in the image's coordinates, in the file's order.
        labels: The class index of each.
    """

    shapes: npt.NDArray[np.object_]
    labels: Sequence[int]


class VectorLabels:
    """See `iterate_core.data.folders.samples.Labels`: masks, or boxes where the task takes them.

    Args:
        section: Of the recipe.
        options: Its `vectors`.
        files: Of each sample the file of polygons; one may serve all.
    """

    finer = 1

    def __init__(self, section: FolderData, options: VectorData, files: Sequence[Path]) -> None:
        objects = section.task is not None and target_class(section.task).form == "objects"
        self.form: Form = "objects" if objects else "mask"
        self.task = task_of(section, self.form)
        strange = [path for path in files if path.suffix.lower() not in SUFFIXES]
        if strange:
            what = f"is no file of polygons: they end in {', '.join(SUFFIXES)}."
            raise DataError(Problem(str(strange[0]), what))
        named = class_values(section.classes)
        if options.attribute is None and len(named.names) != 1:
            what = f"must say which attribute of a polygon tells its class: {len(named.names)} are"
            raise RequestError(Problem("data.vectors.attribute", f"{what} named."))
        self._values = _with_background(named, options.background)
        self.classes = self._values.names
        self._only = self.classes.index(named.names[0])
        self.ignore_index = self._values.ignored
        self.files: Collection[Path] = dict.fromkeys(files)
        self._files = files
        self._options = options
        self._leaves_out = section.mask

    def read(self, index: int, image: Raster) -> Array | Boxes:
        """A (height, width) mask, or the boxes of what lies on the image."""
        found = self._polygons(self._files[index], image)
        return self._boxes(found, image) if self.form == "objects" else self._mask(found, image)

    def strata(self) -> list[int]:
        """All alike: what lies on an image is not looked at before it is read."""
        return [0] * len(self._files)

    def _mask(self, found: Polygons, image: Raster) -> Array:
        """Where polygons overlap, the later one in the file counts."""
        background = self._options.background
        fill = self.ignore_index if background is None else self.classes.index(background)
        kind = np.min_scalar_type(max(self.ignore_index, len(self.classes)))
        mask: Array = np.full(image.size, fill, dtype=kind)
        if len(found.labels):
            rasterize(
                zip(found.shapes, found.labels, strict=True),
                out=mask,
                transform=image.transform,
                all_touched=self._options.all_touched,
            )
        if image.missing is not None and self._leaves_out:
            mask[image.missing] = self.ignore_index
        return mask

    def _boxes(self, found: Polygons, image: Raster) -> Boxes:
        """Around the part of each polygon that lies on the image."""
        height, width = image.size
        a, b, c, d, e, f = (~image.transform)[:6]
        pixels = shapely.transform(
            found.shapes, lambda xy: np.stack([xy @ [a, b] + c, xy @ [d, e] + f], axis=1)
        )
        parts = shapely.intersection(pixels, shapely.box(0, 0, width, height))
        seen = shapely.area(parts) > 0
        corners = shapely.bounds(parts[seen]).reshape(-1, 4).astype(np.float32)
        return Boxes(corners, np.array(found.labels, dtype=np.int64)[seen])

    def _polygons(self, path: Path, image: Raster) -> Polygons:
        """Of a file those that meet an image.

        Raises:
            DataError: The file or the image has no coordinates, or a polygon no class.
        """
        if image.crs is None:
            what = "has no coordinate system, so that no polygon lies on it."
            raise DataError(Problem(str(image.path), what))
        crs = _crs_of(path, self._options.layer)
        bounds = transform_bounds(image.crs, crs, *_bounds(image), densify_pts=_EDGES)
        shapes, labels = self._within(path, bounds)
        moved = shapely.transform(shapes, lambda xy: _moved(xy, crs, image.crs))
        kinds = {shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON}
        if not set(shapely.get_type_id(moved).tolist()) <= {int(kind) for kind in kinds}:
            raise DataError(Problem(str(path), "holds points or lines where polygons must be."))
        return Polygons(moved, labels)

    def _within(
        self, path: Path, bounds: tuple[float, float, float, float]
    ) -> tuple[npt.NDArray[np.object_], list[int]]:
        """Polygons that meet bounds, and the class of each."""
        import pyogrio

        attribute = self._options.attribute
        columns = [] if attribute is None else [attribute]
        layer = self._options.layer
        fields = _described(path, layer)["fields"].tolist()
        if attribute is not None and attribute not in fields:
            what = f"has no attribute {attribute!r}, which data.vectors.attribute names."
            raise DataError(Problem(str(path), what, f"It has: {', '.join(fields)}."))
        with _readable(path):
            _, _, raw, values = pyogrio.raw.read(path, layer=layer, columns=columns, bbox=bounds)
        shapes: npt.NDArray[np.object_] = shapely.from_wkb(raw)
        if attribute is None:
            return shapes, [self._only] * len(shapes)
        return shapes, [self._values.of_word(word, str(path)) for word in values[0].tolist()]


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What GDAL finds wrong with a file is a `DataError`."""
    from pyogrio.errors import DataLayerError, DataSourceError

    check_plain_file(path)
    try:
        yield
    except (DataLayerError, DataSourceError) as error:
        what = f"is no readable file of polygons ({error})."
        raise DataError(Problem(str(path), what)) from None


def _described(path: Path, layer: str | None) -> Any:
    import pyogrio

    with _readable(path):
        return pyogrio.read_info(path, layer=layer)


def _crs_of(path: Path, layer: str | None) -> CRS:
    found = _described(path, layer)["crs"]
    if found is None:
        what = "has no coordinate system, so that its polygons lie on no image."
        raise DataError(Problem(str(path), what))
    return CRS.from_user_input(found)


def _bounds(image: Raster) -> tuple[float, float, float, float]:
    height, width = image.size
    a, b, c, d, e, f = image.transform[:6]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float64)
    x, y = corners @ [a, b] + c, corners @ [d, e] + f
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _moved(places: npt.NDArray[np.float64], of: CRS, to: CRS) -> npt.NDArray[np.float64]:
    """(places, 2) coordinates in another system."""
    if not len(places):
        return places
    return np.stack(transform(of, to, *places.T), axis=1)


def _with_background(values: ClassValues, background: str | None) -> ClassValues:
    """With the class of what lies under no polygon first, where it is none of the others."""
    if background is None or background in values.names:
        return values
    names = (background, *values.names)
    ignored = ignored_index(len(names))
    indices = {
        word: ignored if index == values.ignored else index + 1
        for word, index in values.indices.items()
    }
    return replace(values, names=names, indices=indices)

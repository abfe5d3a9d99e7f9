"""Splits by blocks of ground, with a least distance between the splits.

Samples near each other look alike, so a random split tests what was almost trained on. Blocks keep
neighbours together (Roberts et al. 2017, "Cross-validation strategies for data with temporal,
spatial, hierarchical, or phylogenetic structure", Ecography 40), and the distance keeps the edges
of blocks apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS
from rasterio.warp import transform

from iterate_core.data.dataset import SPLITS, Split
from iterate_core.data.folders.rasters import footprint
from iterate_core.errors import DataError, Problem
from iterate_core.fingerprint import seed_for

_DEGREES = CRS.from_epsg(4326)
_RADIUS = 6_356_752.0
"""Of the Earth at its poles, in metres: the least, so that angles come out large."""

Footprints = npt.NDArray[np.object_]


def block_split(
    grounds: Footprints,
    stretch: float,
    block: float,
    distance: float,
    shares: Sequence[float],
    seed: int,
) -> list[Split | None]:
    """The split of each footprint; None of those that lie too near to another split.

    Blocks are shared out in a random order, each to the split that lacks most. Then what of the
    training split is too near to another is left out, and what of validation is to the test split.

    Args:
        grounds: Polygons in metres.
        stretch: How much longer than on the ground a distance between them can come out.
        block: Side of a block in metres.
        distance: Least distance in metres between pixels of different splits; with 0 they do not
            overlap.
        shares: Of the splits.
        seed: Fixes the order.
    """
    centres = shapely.centroid(grounds)
    cells = np.floor(np.stack([shapely.get_x(centres), shapely.get_y(centres)], 1) / block)
    splits: list[Split | None] = list(_shared_out(cells, shares, seed))
    for split, others in (("train", ("val", "test")), ("val", ("test",))):
        here = np.array([i for i, of in enumerate(splits) if of == split], dtype=np.int64)
        there = np.array([i for i, of in enumerate(splits) if of in others], dtype=np.int64)
        for index in here[_near(grounds[here], grounds[there], distance * stretch)]:
            splits[int(index)] = None
    return splits


def grounds_of(images: Sequence[Path]) -> tuple[Footprints, float]:
    """What images cover, as polygons in metres of one map, and how much it stretches distances.

    The map is Lambert's azimuthal equal-area projection about the middle of all images. At an
    angle c from the middle it lengthens distances by at most 1 / cos(c / 2).

    Raises:
        DataError: An image has no coordinates.
    """
    corners = []
    for path in images:
        crs, places = footprint(path)
        if crs is None:
            what = "has no coordinate system, so that it lies in no block."
            raise DataError(Problem(str(path), what, "Divide the samples in another data.split."))
        longitudes, latitudes = transform(crs, _DEGREES, *zip(*places, strict=True))
        corners.append(np.stack([longitudes, latitudes], axis=1))
    around = np.array(corners)
    longitude, latitude = _middle(around.reshape(-1, 2))
    projection = CRS.from_string(
        f"+proj=laea +lon_0={longitude:.6f} +lat_0={latitude:.6f} +datum=WGS84 +units=m"
    )
    x, y = transform(_DEGREES, projection, *around.reshape(-1, 2).T)
    points = np.stack([x, y], axis=1)
    # The radius of a place on this map is 2 R sin(c / 2).
    half_sine = min(float(np.hypot(*points.T).max()) / (2 * _RADIUS), 0.999)
    polygons: Footprints = shapely.polygons(points.reshape(-1, 4, 2))
    return polygons, 1 / math.sqrt(1 - half_sine**2)


def _middle(places: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Longitude and latitude of the mean of places on the sphere."""
    longitude, latitude = np.radians(places.T)
    x, y, z = (
        float(part.mean())
        for part in (
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        )
    )
    return math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.hypot(x, y)))


def _shared_out(cells: npt.NDArray[Any], shares: Sequence[float], seed: int) -> list[Split]:
    """Whole blocks, so that splits come as near to their shares as blocks allow."""
    _, block_of, sizes = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    rng = np.random.default_rng(seed_for("blocks", seed))
    lacking = np.array(shares) * len(cells)
    owner = np.zeros(len(sizes), dtype=np.int64)
    for block in rng.permutation(len(sizes)):
        owner[block] = int(np.argmax(lacking / np.array(shares)))
        lacking[owner[block]] -= sizes[block]
    return [SPLITS[owner[block]] for block in np.ravel(block_of)]


def _near(here: Footprints, there: Footprints, distance: float) -> npt.NDArray[np.int64]:
    """Indices of those `here` that overlap one there, or lie nearer than a distance."""
    if not len(here) or not len(there):
        return np.zeros(0, dtype=np.int64)
    tree = shapely.STRtree(there)
    pairs = tree.query(here, predicate="dwithin", distance=distance)
    apart = shapely.distance(here[pairs[0]], there[pairs[1]])
    shared = shapely.area(shapely.intersection(here[pairs[0]], there[pairs[1]]))
    # Neighbours' edges are one line but for the last digits of their coordinates.
    overlap = shared > _SLIVER * np.minimum(
        shapely.area(here[pairs[0]]), shapely.area(there[pairs[1]])
    )
    found: npt.NDArray[np.int64] = np.unique(pairs[0][overlap | (apart < distance)])
    return found


_SLIVER = 1e-6

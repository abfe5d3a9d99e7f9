"""Splits by blocks of ground, with a least distance between the splits.

Samples near each other look alike, so a random split tests what was almost trained on. Blocks keep
neighbours together (Roberts et al. 2017, "Cross-validation strategies for data with temporal,
spatial, hierarchical, or phylogenetic structure", Ecography 40), and the distance keeps the edges
of blocks apart.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS
from rasterio.warp import transform

from iterate_core.data.dataset import SPLITS, Split
from iterate_core.fingerprint import seed_for

_DEGREES = CRS.from_epsg(4326)
_RADIUS = 6_356_752.0
"""Of the Earth at its poles, in metres: the least, so that angles come out large."""

Footprints = npt.NDArray[np.object_]
Corners = npt.NDArray[np.float64]
"""(footprints, 4, 2) longitudes and latitudes."""


def in_degrees(crs: Any, corners: Any) -> Corners:
    """(footprints, 4, 2) coordinates in a system as longitudes and latitudes."""
    places = np.asarray(corners, dtype=np.float64).reshape(-1, 2)
    longitudes, latitudes = transform(crs, _DEGREES, *places.T)
    return np.stack([longitudes, latitudes], axis=1).reshape(-1, 4, 2)


class GroundMap:
    """One map in metres for footprints of any coordinate system.

    It is Lambert's azimuthal equal-area projection about the middle of all footprints. At an angle
    c from the middle it lengthens distances by at most 1 / cos(c / 2).

    Args:
        corners: Longitudes and latitudes, on the last axis, of all that will be put onto it.

    Attributes:
        stretch: How much longer than on the ground a distance can come out.
    """

    def __init__(self, corners: npt.NDArray[np.float64]) -> None:
        longitude, latitude = _middle(corners.reshape(-1, 2))
        self._projection = CRS.from_string(
            f"+proj=laea +lon_0={longitude:.6f} +lat_0={latitude:.6f} +datum=WGS84 +units=m"
        )
        # The radius of a place on this map is 2 R sin(c / 2).
        farthest = float(np.hypot(*self._metres(corners).T).max())
        half_sine = min(farthest / (2 * _RADIUS), 0.999)
        self.stretch = 1 / math.sqrt(1 - half_sine**2)

    def polygons(self, corners: Corners) -> Footprints:
        """Footprints as polygons in metres."""
        found: Footprints = shapely.polygons(self._metres(corners).reshape(-1, 4, 2))
        return found

    def points(self, places: npt.NDArray[np.float64]) -> Footprints:
        """(places, 2) longitudes and latitudes as points in metres."""
        found: Footprints = shapely.points(self._metres(places))
        return found

    def _metres(self, corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x, y = transform(_DEGREES, self._projection, *corners.reshape(-1, 2).T)
        return np.stack([x, y], axis=1)


@dataclass(frozen=True)
class Blocks:
    """Square blocks of ground, and the split that owns each.

    Attributes:
        side: Of a block, in metres.
        owners: Column and row of a block → its split.
    """

    side: float
    owners: dict[tuple[int, int], Split]

    def split_of(self, grounds: Footprints) -> list[Split | None]:
        """The split whose block holds a footprint's centre; None where nobody owns it."""
        return [self.owners.get((int(x), int(y))) for x, y in _cells(grounds, self.side)]


def shared_out(grounds: Footprints, side: float, shares: Sequence[float], seed: int) -> Blocks:
    """Blocks in a random order, each given to the split that lacks most of its share.

    Args:
        grounds: Polygons in metres, which are to be shared out.
        side: Of a block in metres.
        shares: Of the splits, in the order of `SPLITS`.
        seed: Fixes the order.
    """
    cells = _cells(grounds, side)
    blocks, sizes = np.unique(cells, axis=0, return_counts=True)
    rng = np.random.default_rng(seed_for("blocks", seed))
    lacking = np.array(shares) * len(cells)
    owners: dict[tuple[int, int], Split] = {}
    for block in rng.permutation(len(sizes)):
        owner = int(np.argmax(lacking / np.array(shares)))
        column, row = blocks[block]
        owners[int(column), int(row)] = SPLITS[owner]
        lacking[owner] -= sizes[block]
    return Blocks(side, owners)


def kept_apart(
    splits: Sequence[Split | None], grounds: Footprints, distance: float
) -> list[Split | None]:
    """The splits, None of what of training lies too near to another, or of validation to test.

    Args:
        splits: Of each footprint.
        grounds: Polygons in metres.
        distance: Least distance between pixels of different splits; with 0 they do not overlap.
    """
    kept = list(splits)
    for split, others in (("train", ("val", "test")), ("val", ("test",))):
        here = np.array([i for i, of in enumerate(kept) if of == split], dtype=np.int64)
        there = np.array([i for i, of in enumerate(kept) if of in others], dtype=np.int64)
        for index in here[near(grounds[here], grounds[there], distance)]:
            kept[int(index)] = None
    return kept


def block_split(
    grounds: Footprints,
    stretch: float,
    block: float,
    distance: float,
    shares: Sequence[float],
    seed: int,
    diameter: float = 0.0,
) -> tuple[list[Split | None], tuple[str, ...]]:
    """The split of each footprint by blocks, and notes on it; None lies too near to another split.

    Args:
        grounds: Polygons in metres, or points.
        stretch: How much longer than on the ground a distance between them can come out.
        block: Side of a block in metres.
        distance: Least distance in metres between pixels of different splits; with 0 they do not
            overlap.
        shares: Of the splits.
        seed: Fixes what is drawn.
        diameter: Of the circle in metres that lies about each ground, where grounds are points.
    """
    owners = shared_out(grounds, block, shares, seed).split_of(grounds)
    kept = kept_apart(owners, grounds, (distance + diameter) * stretch)
    told = block_note(block, distance, shares, seed)
    return kept, (told, *loss_notes(owners, kept))


def block_note(block: float, distance: float, shares: Sequence[float], seed: int) -> str:
    """How splits by blocks came about, for people; see `block_split`."""
    shown = "/".join(f"{share:.3g}" for share in shares)
    apart = f"at least {distance:g} m apart" if distance else "without overlap"
    return f"split by blocks of {block:g} m, {apart}, shared out as {shown} with seed {seed}"


def loss_notes(owners: Sequence[Split | None], kept: Sequence[Split | None]) -> tuple[str, ...]:
    """What shares blocks and the distance between splits came to, for people.

    Args:
        owners: The split of each footprint by blocks alone.
        kept: What `kept_apart` made of it.
    """
    before, after = Counter(owners), Counter(kept)
    lost = {split: before[split] - after[split] for split in SPLITS}
    given_up = ", ".join(f"{count} of {split}" for split, count in lost.items() if count)
    left = sum(after[split] for split in SPLITS) or 1
    shares = "/".join(f"{after[split] / left:.2f}" for split in SPLITS)
    notes = [f"the splits' shares come to {shares}"]
    if given_up:
        notes = [f"too near to another split: {given_up}; {notes[0]}"]
    if after["train"] < after["test"]:
        hint = "smaller blocks or a smaller distance leave it more"
        notes.append(f"training is smaller than the test split: {hint}")
    return tuple(notes)


def near(here: Footprints, there: Footprints, distance: float) -> npt.NDArray[np.int64]:
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


def least_distance(splits: Sequence[Split | None], grounds: Footprints) -> float:
    """The least distance between footprints of different splits, in the map's metres."""
    of = np.array([split or "" for split in splits])
    distances = []
    for one, other in combinations(SPLITS, 2):
        here, there = grounds[of == one], grounds[of == other]
        if len(here) and len(there):
            _, apart = shapely.STRtree(there).query_nearest(
                here, return_distance=True, all_matches=False
            )
            distances.append(float(apart.min()))
    return min(distances, default=math.inf)


def _cells(grounds: Footprints, side: float) -> npt.NDArray[np.float64]:
    """(footprints, 2) column and row of the block that holds each one's centre."""
    centres = shapely.centroid(grounds)
    return np.floor(np.stack([shapely.get_x(centres), shapely.get_y(centres)], 1) / side)


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

"""Which patches of a `GeoDataset` each split has: apart on the ground, or as its class says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rasterio.crs import CRS

from iterate_core.data.blocks import (
    Blocks,
    Corners,
    Footprints,
    GroundMap,
    block_note,
    in_degrees,
    kept_apart,
    least_distance,
    loss_notes,
    near,
    shared_out,
)
from iterate_core.data.dataset import SPLITS, Split
from iterate_core.data.torchgeo.geo_options import GeoData
from iterate_core.data.torchgeo.joined import ALL, Joined
from iterate_core.data.torchgeo.patches import Patch, corners_of, grid_patches, random_patches
from iterate_core.errors import DataError, Problem
from iterate_core.fingerprint import seed_for
from iterate_core.plurals import counted

_ROUNDS = 50
"""How often random patches are drawn anew for those that lie in no training block."""


@dataclass
class Areas:
    """The patches of each split.

    Attributes:
        patches: In their order.
        notes: How they came about.
    """

    patches: dict[Split, list[Patch]]
    notes: list[str] = field(default_factory=list)


def areas_of(section: GeoData, joined: Joined) -> Areas:
    """Cut a dataset into patches and share them out.

    Raises:
        DataError: There are no coordinates, or too few patches for a split.
    """
    return _Division(section, joined).areas()


def rasterio_crs(dataset: Any) -> CRS:
    """A dataset's coordinate system."""
    return CRS.from_wkt(dataset.crs.to_wkt())


class _Division:
    """One division of patches among splits."""

    def __init__(self, section: GeoData, joined: Joined) -> None:
        self._section, self._split, self._joined = section, section.split, joined
        size, stride = section.size, section.stride or section.size
        self._parts = [
            (part, patch)
            for part in joined.parts
            for patch in grid_patches(joined[part], size, stride)
        ]
        if not self._parts:
            what = f"has no patch of {size} × {size} pixels that lies whole on images and labels."
            raise DataError(Problem(joined.where, what, "Say a smaller data.size."))
        self._crs = rasterio_crs(joined[joined.parts[0]])
        extent = [
            geometry.bounds for part in joined.parts for geometry in joined[part].index.geometry
        ]
        w, s, e, n = np.array(extent).T
        boxes = np.stack([w, s, e, s, e, n, w, n], axis=1).reshape(-1, 4, 2)
        self._ground = GroundMap(in_degrees(self._crs, boxes))
        self._grid = self._polygons([patch for _, patch in self._parts])
        self._distance = self._split.distance_metres * self._ground.stretch

    def areas(self) -> Areas:
        splits, blocks, notes = self._shared_out()
        # A class's own splits are what it says, unless a distance is asked for.
        apart = blocks is not None or self._split.distance_metres > 0
        kept = kept_apart(splits, self._grid, self._distance) if apart else splits
        found: dict[Split, list[Patch]] = {split: [] for split in SPLITS}
        for split, (_, patch) in zip(kept, self._parts, strict=True):
            if split is not None:
                found[split].append(patch)
        grounds, owners = self._grid, list(kept)
        if self._section.sampler == "random" and found["train"]:
            others = self._grid[np.array([s in ("val", "test") for s in kept])]
            found["train"] = self._random(len(found["train"]), blocks, others if apart else None)
            drawn = self._polygons(found["train"])
            grounds = np.concatenate([grounds, drawn])
            owners = [None if split == "train" else split for split in kept]
            owners += ["train" for _ in drawn]
        self._check_filled(found)
        left = sum(split is None for split in kept)
        notes += [f"{counted(left, 'patch', 'patches')} of the grid not used"] if left else []
        notes += loss_notes(splits, kept) if apart else ()
        metres = int(least_distance(owners, grounds) / self._ground.stretch)
        notes += [self._cut(len(found["train"])), f"splits lie {metres} m apart where nearest"]
        return Areas(found, notes)

    def _shared_out(self) -> tuple[list[Split | None], Blocks | None, list[str]]:
        """The split of each patch of the grid, the blocks that say so, and notes on it."""
        parts = [part for part, _ in self._parts]
        notes = []
        if self._split.own:
            values = ", ".join(str(getattr(self._split, part)) for part in self._joined.parts)
            notes.append(f"split by the argument {self._split.argument}: {values}")
        side = self._split.block_metres
        if side is None:
            return [_split(part) for part in parts], None, notes
        shares = np.array(self._split.shares if not self._split.own else self._split.shares[:2])
        shares /= shares.sum()
        among = np.array([part in (ALL, "train") for part in parts])
        blocks = shared_out(self._grid[among], side, shares.tolist(), self._split.seed)
        owners = blocks.split_of(self._grid)
        distance, seed = self._split.distance_metres, self._split.seed
        notes.append(block_note(side, distance, shares.round(3).tolist(), seed))
        return (
            [
                owner if drawn else _split(part)
                for part, drawn, owner in zip(parts, among, owners, strict=True)
            ],
            blocks,
            notes,
        )

    def _random(self, grid: int, blocks: Blocks | None, others: Footprints | None) -> list[Patch]:
        """Random patches for training.

        Args:
            grid: How many there are of the grid.
            blocks: Where they lie; None: anywhere.
            others: What they must keep their distance from; None: nothing.
        """
        wanted = self._section.length or grid
        part = ALL if ALL in self._joined.parts else "train"
        found: list[Patch] = []
        for number in range(_ROUNDS):
            seed = seed_for("patches", self._split.seed, number)
            drawn = random_patches(self._joined[part], self._section.size, wanted, seed)
            ground = self._polygons(drawn)
            legal = np.ones(len(drawn), dtype=np.bool_)
            if blocks is not None:
                legal &= np.array([split == "train" for split in blocks.split_of(ground)], np.bool_)
            if others is not None:
                legal[near(ground, others, self._distance)] = False
            found += [patch for patch, good in zip(drawn, legal, strict=True) if good]
            if len(found) >= wanted:
                return found[:wanted]
        what = f"gives {len(found)} of {wanted} random training patches."
        hint = "Say a smaller data.split.distance_metres or data.length."
        raise DataError(Problem(self._joined.where, what, hint))

    def _cut(self, training: int) -> str:
        size, stride = self._section.size, self._section.stride or self._section.size
        grid = f"GridGeoSampler with a stride of {stride} pixels"
        if self._section.sampler == "grid":
            return f"patches of {size} pixels by {grid}"
        seed = f"seed {self._split.seed}"
        random = f"{training} random training patches by RandomGeoSampler with {seed}"
        return f"{random}; validation and test by {grid}"

    def _check_filled(self, found: dict[Split, list[Patch]]) -> None:
        empty = [split for split in SPLITS if not found[split]]
        if empty:
            what = f"has no patch for {' and '.join(empty)}."
            hint = (
                "Say smaller data.split.block_metres and distance_metres, or a smaller data.size."
            )
            raise DataError(Problem(self._joined.where, what, hint))

    def _polygons(self, patches: Sequence[Patch]) -> Footprints:
        if not patches:
            return np.array([], dtype=np.object_)
        corners: Corners = in_degrees(self._crs, corners_of(patches))
        return self._ground.polygons(corners)


def _split(part: str) -> Split | None:
    return next((split for split in SPLITS if split == part), None)

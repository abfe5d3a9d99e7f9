"""Patches of a `GeoDataset`, as the samplers of TorchGeo cut them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import torch
from torchgeo.datasets import GeoDataset
from torchgeo.samplers import GridGeoSampler, RandomGeoSampler

_MOST_DAYS = 366
"""Of a patch whose images count as one date."""


@dataclass(frozen=True)
class Patch:
    """A rectangle in the coordinates of a dataset, and when its images were taken.

    Attributes:
        west: Least x.
        south: Least y.
        east: Largest x.
        north: Largest y.
        start: Earliest time.
        stop: Latest time; both are `pandas.Timestamp`s.
    """

    west: float
    south: float
    east: float
    north: float
    start: Any
    stop: Any

    @property
    def query(self) -> tuple[slice, slice, slice]:
        """What a dataset is indexed by."""
        return (
            slice(self.west, self.east),
            slice(self.south, self.north),
            slice(self.start, self.stop),
        )

    @property
    def day(self) -> tuple[int, int] | None:
        """Year and day of the year of its start; None where its time tells none."""
        kind = type(self.start)
        unknown = self.start <= kind.min or self.stop >= kind.max
        if unknown or (self.stop - self.start).days > _MOST_DAYS:
            return None
        return int(self.start.year), int(self.start.day_of_year)


def grid_patches(dataset: GeoDataset, size: int, stride: int) -> list[Patch]:
    """All that `GridGeoSampler` gives which lie on data whole.

    Args:
        dataset: To be cut.
        size: Height and width of a patch in pixels.
        stride: From patch to patch in pixels.
    """
    with _older_samplers():
        return _whole(dataset, GridGeoSampler(dataset, size, stride))


def random_patches(dataset: GeoDataset, size: int, count: int, seed: int) -> list[Patch]:
    """Of so many that `RandomGeoSampler` draws, those which lie on data whole.

    Args:
        dataset: To be cut.
        size: Height and width of a patch in pixels.
        count: How many are drawn.
        seed: Fixes them.
    """
    # It draws places from its generator, but files from the state that all of PyTorch shares.
    with _older_samplers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        return _whole(dataset, RandomGeoSampler(dataset, size, count, generator=generator))


def corners_of(patches: Sequence[Patch]) -> npt.NDArray[np.float64]:
    """(patches, 4, 2) coordinates."""
    return np.array(
        [
            [(p.west, p.south), (p.east, p.south), (p.east, p.north), (p.west, p.north)]
            for p in patches
        ],
        dtype=np.float64,
    ).reshape(-1, 4, 2)


@contextmanager
def _older_samplers() -> Iterator[None]:
    """TorchGeo 0.10 advises others in their place, which 0.8 (for Python 3.11) has not got."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _whole(dataset: GeoDataset, queries: Iterable[tuple[slice, slice, slice]]) -> list[Patch]:
    """Patches that files of their time cover; beyond, a dataset would make zeros up."""
    patches = [
        Patch(float(x.start), float(y.start), float(x.stop), float(y.stop), t.start, t.stop)
        for x, y, t in queries
    ]
    covered: dict[tuple[Any, Any], Any] = {}
    kept = []
    for patch in patches:
        when = (patch.start, patch.stop)
        if when not in covered:
            covered[when] = _ground_of(dataset, *when)
        if covered[when].covers(shapely.box(patch.west, patch.south, patch.east, patch.north)):
            kept.append(patch)
    return kept


def _ground_of(dataset: GeoDataset, start: Any, stop: Any) -> Any:
    """What files of a time cover, and a thousandth of a pixel more for the sake of last digits."""
    times = dataset.index.index
    files = dataset.index[(times.left <= stop) & (times.right >= start)]
    ground = shapely.union_all(files.geometry.to_numpy()).buffer(max(dataset.res) / 1000)
    shapely.prepare(ground)
    return ground

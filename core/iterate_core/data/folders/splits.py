"""Which split each of a folder's samples belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from iterate_core.data.convert.source import shortened
from iterate_core.data.convert.splits import DEFAULT_SHARES, check_filled, drawn, split_of_file
from iterate_core.data.convert.tables import text_of
from iterate_core.data.dataset import SPLITS, Split
from iterate_core.data.folders.options import Splitting
from iterate_core.data.folders.rasters import footprint
from iterate_core.data.folders.samples import FolderSample, Listing
from iterate_core.data.target import Form
from iterate_core.errors import DataError, Problem
from iterate_core.plurals import counted

Assigned = list[Split | None]


@dataclass
class _Samples:
    """See `iterate_core.data.convert.splits.Divisible`."""

    where: str
    form: Form
    classes: tuple[str, ...]
    names: list[str]
    aliases: list[set[str]]
    splits: list[Split] | None
    strata: list[int]


def divide(listing: Listing, asked: Splitting) -> tuple[Assigned, tuple[str, ...]]:
    """The split of each sample, None of those that are not used, and notes on how it came about.

    Raises:
        DataError: A split is empty, or a file names samples that are not there.
    """
    splits, notes = _divided(listing, asked)
    used = [split for split in splits if split is not None]
    if set(used) != set(SPLITS):
        check_filled(_divisible(listing, strata=False), used)
    left = len(splits) - len(used)
    return splits, (*notes, *([f"{counted(left, 'sample')} not used"] if left else ()))


def _divided(listing: Listing, asked: Splitting) -> tuple[Assigned, tuple[str, ...]]:
    if asked.file is not None:
        found = split_of_file(_divisible(listing, strata=False), listing.root / asked.file)
        return list(found), (f"split as in {asked.file.name}",)
    if asked.lists:
        return _of_lists(listing, asked.lists), (f"split as in {_names(asked.lists)}",)
    if asked.block_metres is not None:
        return _of_blocks(listing, asked, asked.block_metres)
    said = [sample.split for sample in listing.samples]
    if asked.shares is None and any(said):
        if not all(said):
            lacking = shortened([s.name for s in listing.samples if s.split is None])
            raise DataError(Problem(str(listing.root), f"does not say the split of {lacking}."))
        return list(said), ()
    shares = asked.shares or DEFAULT_SHARES
    splits, notes = drawn(_divisible(listing, strata=True), shares, asked.seed)
    return list(splits), notes


def _of_blocks(
    listing: Listing, asked: Splitting, block: float
) -> tuple[Assigned, tuple[str, ...]]:
    from iterate_core.data.blocks import GroundMap, block_split

    corners = np.concatenate([_corners(sample.images[0][0]) for sample in listing.samples])
    ground = GroundMap(corners)
    shares, distance = asked.shares or DEFAULT_SHARES, asked.distance_metres
    polygons = ground.polygons(corners)
    return block_split(polygons, ground.stretch, block, distance, shares, asked.seed)


def _corners(image: Path) -> npt.NDArray[np.float64]:
    """(1, 4, 2) longitudes and latitudes.

    Raises:
        DataError: The image has no coordinates.
    """
    from iterate_core.data.blocks import in_degrees

    crs, places = footprint(image)
    if crs is None:
        what = "has no coordinate system, so that it lies in no block."
        raise DataError(Problem(str(image), what, "Divide the samples in another data.split."))
    return in_degrees(crs, places)


def _of_lists(listing: Listing, lists: Sequence[Path]) -> Assigned:
    owner = {alias: i for i, sample in enumerate(listing.samples) for alias in sample.aliases}
    splits: Assigned = [None] * len(listing.samples)
    for split, path in zip(SPLITS, lists, strict=True):
        file = listing.root / path
        names = [line.strip() for line in text_of(file).splitlines() if line.strip()]
        unknown = [name for name in names if name not in owner]
        if unknown:
            what = f"lists samples that are not in {listing.root}: {shortened(unknown)}."
            raise DataError(Problem(str(file), what))
        for name in names:
            if splits[owner[name]] not in (None, split):
                raise DataError(Problem(str(file), f"lists {name!r}, which is in another split."))
            splits[owner[name]] = split
    return splits


def _divisible(listing: Listing, *, strata: bool) -> _Samples:
    samples: Sequence[FolderSample] = listing.samples
    return _Samples(
        str(listing.root),
        listing.labels.form,
        listing.labels.classes,
        [sample.name for sample in samples],
        [set(sample.aliases) for sample in samples],
        None,
        listing.labels.strata() if strata else [-1] * len(samples),
    )


def sizes_of(splits: Assigned) -> dict[Split, int]:
    """How many samples each split has."""
    counts = Counter(splits)
    return {split: counts[split] for split in SPLITS}


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)

"""Splits of samples of which nothing but place and size is known, by blocks of ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from iterate_core.data.block_options import PlaceSplits
from iterate_core.data.dataset import SPLITS, Split
from iterate_core.errors import DataError, Problem

Place = tuple[float, float]
"""Latitude and longitude in degrees."""


def split_by_place(
    published: Mapping[Split, Sequence[str]],
    places: Mapping[str, Place | None],
    asked: PlaceSplits,
    diameter: float | None,
    where: str,
) -> tuple[dict[Split, tuple[str, ...]], tuple[str, ...]]:
    """The names of each split, drawn by blocks over all samples, and notes on it.

    Which way a sample is turned is not known: it takes up the circle through its corners.

    Args:
        published: The names of each split as published.
        places: The centre of each sample; None where it is not known.
        asked: How large blocks are, and how far apart splits.
        diameter: Of the samples' circles in metres; None where it is not known: then distances are
            those between centres.
        where: The dataset, for messages.

    Raises:
        DataError: Samples have no place, or none is left for a split.
    """
    from iterate_core.data.blocks import GroundMap, block_split, least_distance

    names = list(dict.fromkeys(name for split in SPLITS for name in published[split]))
    centres = [place for name in names if (place := places[name]) is not None]
    if len(centres) < len(names):
        lacking = [name for name in names if places[name] is None]
        what = f"splits by blocks need the place of every sample; {len(lacking)} of {len(names)} "
        told = f"have none that their files tell, such as {lacking[0]}."
        hint = "Leave data.split out: the published splits need no places."
        raise DataError(Problem(where, what + told, hint))
    sizes = np.array([len(published[split]) for split in SPLITS])
    shares = asked.shares or (sizes / sizes.sum()).tolist()
    corners = np.array(centres)[:, ::-1]
    ground = GroundMap(corners)
    points = ground.points(corners)
    side, apart, across = asked.block_metres or 0.0, asked.distance_metres, diameter or 0.0
    splits, notes = block_split(points, ground.stretch, side, apart, shares, asked.seed, across)
    found = {
        split: tuple(name for name, of in zip(names, splits, strict=True) if of == split)
        for split in SPLITS
    }
    _check_filled(found, where)
    metres = int(max(0.0, least_distance(splits, points) / ground.stretch - across))
    nearest = f"splits lie {metres} m apart where nearest"
    if diameter is None:
        nearest = f"{nearest}, from centre to centre: the size of a pixel is not known"
    return found, (*notes, nearest)


def _check_filled(found: Mapping[Split, Sequence[str]], where: str) -> None:
    empty = [split for split in SPLITS if not found[split]]
    if empty:
        what = f"splits by blocks leave no sample for {' and '.join(empty)}."
        hint = "Say smaller data.split.block_metres and distance_metres."
        raise DataError(Problem(where, what, hint))

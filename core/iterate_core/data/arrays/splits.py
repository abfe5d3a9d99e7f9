"""Which split each sample is in: as an array says, or drawn; places may be kept together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.arrays.columns import Columns
from iterate_core.data.arrays.options import NpzData
from iterate_core.data.convert.source import SPLIT_WORDS
from iterate_core.data.dataset import SPLITS
from iterate_core.data.draws import draw_group_splits, draw_splits
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.fingerprint import seed_for

Labels = npt.NDArray[np.str_]
Groups = npt.NDArray[np.int64]
_MOST_TOLD = 20


def splits_of(
    section: NpzData, columns: Columns, strata: npt.NDArray[np.int64]
) -> tuple[Labels, tuple[str, ...]]:
    """(samples,) the split of each sample, and notes on what was drawn.

    Args:
        section: Says how.
        columns: The file.
        strata: (samples,) of what drawn splits keep the proportions, unless groups are kept.

    Raises:
        RequestError: An array's values name no splits, or put a group into several; there are
            fewer groups than splits to draw.
        DataError: A split stays empty.
    """
    groups = _groups(section, columns)
    splits = np.full(columns.count, "train", dtype="<U5")
    if section.split is not None:
        splits = _told(columns.read_values(section.split, "data.split"), section)
    drawn = () if "val" in splits else SPLITS if section.split is None else SPLITS[:2]
    if drawn:
        among = splits == "train"
        of_groups = None if groups is None else groups[among]
        if of_groups is not None:
            _check_enough(section, of_groups, drawn)
        splits[among] = _drawn(section, len(drawn), strata[among], of_groups)
    for split in SPLITS:
        if split not in splits:
            hint = "data.split_values says what stands for each." if section.split else None
            what = f"no sample falls to the split {split!r}."
            raise DataError(Problem(str(columns.path), what, hint))
    if groups is not None:
        _check_apart(section, groups, splits)
    return splits, _notes(section, drawn)


def _told(values: npt.NDArray[Any], section: NpzData) -> Labels:
    """(samples,) as an array says."""
    found, which = np.unique(values, return_inverse=True)
    if section.split_values is None:
        names = [SPLIT_WORDS.get(str(value).strip().lower()) for value in found]
    else:
        of_value: dict[Any, Any] = {value: split for split, value in section.split_values.items()}
        names = [of_value.get(value.item()) for value in found]
    strange = [repr(value.item()) for value, name in zip(found, names, strict=True) if not name]
    if strange:
        what = f"{section.split!r} holds {', '.join(strange[:_MOST_TOLD])}, which names no split."
        hint = "Say in data.split_values what stands for each, such as {train: 0, test: 1}."
        raise RequestError(Problem("data.split", what, hint))
    return np.array(names, dtype="<U5")[which]


def _drawn(
    section: NpzData, count: int, strata: npt.NDArray[np.int64], groups: Groups | None
) -> Labels:
    """(samples,) of the first `count` splits, in proportion to their shares."""
    if not len(strata):
        return np.array([], dtype="<U5")
    shares = np.array(section.split_shares[:count]) / sum(section.split_shares[:count])
    rng = np.random.default_rng(seed_for("split", section.split_seed))
    if groups is None:
        return np.array(draw_splits(strata, shares.tolist(), rng))
    return np.array(draw_group_splits(groups, shares.tolist(), rng))


def _groups(section: NpzData, columns: Columns) -> Groups | None:
    """(samples,) numbers of what is never in different splits."""
    if section.split_by is not None:
        values = columns.read_values(section.split_by, "data.split_by")
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    if section.split_degrees is None or section.places is None:
        return None
    places = columns.places(section.places)
    unknown = np.isnan(places).any(axis=1)
    if unknown.any():
        what = f"needs the place of every sample, which {int(unknown.sum())} lack."
        raise RequestError(Problem("data.split_degrees", what))
    blocks = np.floor(places / section.split_degrees).astype(np.int64)
    return np.unique(blocks, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _check_enough(section: NpzData, groups: Groups, drawn: Sequence[str]) -> None:
    count = len(np.unique(groups))
    if 0 < count < len(drawn):
        told = "one group" if count == 1 else f"{count} groups"
        what = f"keeps together {told}, too few for {len(drawn)} splits: {', '.join(drawn)}."
        hint = "Take smaller blocks, or leave it out." if section.split_degrees else None
        raise RequestError(Problem(_grouping(section), what, hint))


def _grouping(section: NpzData) -> str:
    """The option that tells the groups."""
    return "data.split_by" if section.split_by is not None else "data.split_degrees"


def _check_apart(section: NpzData, groups: Groups, splits: Labels) -> None:
    pairs = np.unique(np.stack((groups, np.unique(splits, return_inverse=True)[1])), axis=1)
    numbers, often = np.unique(pairs[0], return_counts=True)
    if (often > 1).any():
        what = (
            f"{int((often > 1).sum())} of {len(numbers)} groups are in several splits of "
            f"{section.split!r}."
        )
        raise RequestError(
            Problem(_grouping(section), what, "Leave data.split out to draw the splits.")
        )


def _notes(section: NpzData, drawn: Sequence[str]) -> tuple[str, ...]:
    if not drawn:
        return ()
    shares = section.split_shares[: len(drawn)]
    shown = "/".join(f"{share / sum(shares):.3g}" for share in shares)
    together = ""
    if section.split_by is not None:
        together = f", samples of one {section.split_by} together"
    if section.split_degrees is not None:
        together = f", samples of one block of {section.split_degrees:g} degrees together"
    told = f"{'/'.join(drawn)} drawn in proportion {shown} with seed {section.split_seed}"
    return (f"{told}{together}",)

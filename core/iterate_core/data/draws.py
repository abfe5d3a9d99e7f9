"""Draws of samples that heed their classes: a share of all, so many of each class, or splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import SPLITS, Split

_TENTHS = 10


def draw_share(present: npt.NDArray[np.bool_], count: int, rng: np.random.Generator) -> list[int]:
    """Indices of `count` samples: one of every class where possible, the rest in proportion.

    A sample counts for the rarest class it holds, so that rare classes keep their share.

    Args:
        present: (samples, classes): which classes a sample holds.
        count: How many to draw.
        rng: The source of chance.
    """
    frequency = present.sum(axis=0)
    order = rng.permutation(len(present))
    chosen: list[int] = []
    covered = np.zeros(present.shape[1], dtype=bool)
    for label in np.argsort(frequency, kind="stable"):
        holders = order[present[order, label]]
        if len(holders) and not covered[label] and len(chosen) < count:
            chosen.append(int(holders[0]))
            covered |= present[holders[0]]
    rank = np.where(present, frequency, len(present) + 1)
    key = np.where(present.any(axis=1), rank.argmin(axis=1), -1)
    position = np.empty(len(present))
    for label in np.unique(key):
        members = order[key[order] == label]
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    taken = set(chosen)
    rest = [int(index) for index in order[np.argsort(position[order], kind="stable")]]
    chosen += [index for index in rest if index not in taken][: count - len(chosen)]
    return chosen


def draw_shots(present: npt.NDArray[np.bool_], shots: int, rng: np.random.Generator) -> list[int]:
    """Indices of samples such that every class is held by `shots` of them.

    Classes are served from the rarest to the most frequent, and what was drawn for one counts for
    the others that it holds. So where a sample has one class, there are `shots` of each; where it
    has several, at least so many. Of a class that fewer samples hold, all are drawn.

    Args:
        present: (samples, classes): which classes a sample holds.
        shots: How many samples of each class.
        rng: The source of chance.
    """
    order = rng.permutation(len(present))
    chosen = np.zeros(len(present), dtype=bool)
    for label in np.argsort(present.sum(axis=0), kind="stable"):
        held = present[:, label]
        lacking = max(0, shots - int((held & chosen).sum()))
        chosen[order[held[order] & ~chosen[order]][:lacking]] = True
    return [int(index) for index in order[chosen[order]]]


def draw_splits(
    strata: npt.NDArray[np.int64], shares: Sequence[float], rng: np.random.Generator
) -> list[Split]:
    """The split of each sample: every stratum is cut in proportion.

    The cuts are rounded over all strata together.

    Args:
        strata: (samples,) of what each split holds its share.
        shares: Of the splits, in the order of `SPLITS`; they sum to 1.
        rng: The source of chance.
    """
    position = np.empty(len(strata))
    for stratum in np.unique(strata):
        members = rng.permutation(np.flatnonzero(strata == stratum))
        position[members] = (np.arange(len(members)) + rng.uniform()) / len(members)
    order = np.argsort(position, kind="stable")
    cuts = np.rint(np.cumsum(shares) * len(order)).astype(int)
    splits: list[Split] = ["train"] * len(order)
    for split, start, end in zip(SPLITS[1:], cuts[:-1], cuts[1:], strict=False):
        for index in order[start:end]:
            splits[int(index)] = split
    return splits


def draw_group_splits(
    groups: npt.NDArray[np.int64], shares: Sequence[float], rng: np.random.Generator
) -> list[Split]:
    """The split of each sample, such that no group is in two splits.

    Groups come in a random order; each goes to the split that lacks the largest part of its share
    of the samples.

    Args:
        groups: (samples,) which group each belongs to.
        shares: Of the splits, in the order of `SPLITS`; they sum to 1.
        rng: The source of chance.
    """
    found, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    wanted, taken = np.array(shares) * len(groups), np.zeros(len(shares))
    chosen = np.zeros(len(found), dtype=int)
    for group in rng.permutation(len(found)):
        chosen[group] = ((wanted - taken) / wanted).argmax()
        taken[chosen[group]] += sizes[group]
    return [SPLITS[split] for split in chosen[which]]


def quantity_strata(values: npt.NDArray[Any]) -> list[int]:
    """For each sample the tenth of all that its value lies in, so that splits have one range.

    What is unknown is a stratum of its own.
    """
    edges = np.nanquantile(values, np.arange(1, _TENTHS) / _TENTHS) if len(values) else values
    tenths = np.searchsorted(edges, values)
    return [int(tenth) for tenth in np.where(np.isnan(values), _TENTHS, tenths)]

"""Draws of samples that heed their classes: a share of all, or so many of each class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


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

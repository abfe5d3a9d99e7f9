"""The order of an epoch's samples, and the flip or turn that each is given. Imports no torch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from iterate_core.fingerprint import seed_for

Indices = npt.NDArray[np.int64]


def drawn_order(
    samples: Indices, elements: int, seed: int, epoch: int, count: int | None = None
) -> tuple[Indices, Indices]:
    """A random order, and the number of each one's flip or turn: of the seed and the epoch alone.

    Args:
        samples: Indices in their split.
        elements: Flips and turns to choose from.
        seed: The recipe's.
        epoch: The first is 1.
        count: Samples an epoch; None takes all.
    """
    rng = np.random.default_rng(seed_for(seed, "order", epoch))
    if count is None or count >= len(samples):
        order = rng.permutation(samples)
    else:
        order = _part(samples, count, seed, epoch)
    return order, rng.integers(elements, size=len(order))


def _part(samples: Indices, count: int, seed: int, epoch: int) -> Indices:
    """An epoch's part of passes through all samples, each in an order of its own."""
    first = (epoch - 1) * count
    passes = range(first // len(samples), (first + count - 1) // len(samples) + 1)
    orders = [
        np.random.default_rng(seed_for(seed, "pass", number)).permutation(samples)
        for number in passes
    ]
    start = first - passes.start * len(samples)
    return np.concatenate(orders)[start : start + count]

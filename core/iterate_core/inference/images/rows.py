"""Rows of a table of predictions. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.target import Target
from iterate_core.inference.dense.outputs import entropy

THRESHOLD = 0.5
"""Of classes that do not exclude each other: from what probability on one counts as there."""
Row = dict[str, Any]


def row_of(predicted: npt.NDArray[np.float32], target: Target, threshold: float) -> Row:
    """What models say of one image.

    Args:
        predicted: (models, channels).
        target: What is predicted.
        threshold: See `THRESHOLD`.

    Returns:
        Of probabilities the class, its probability, their entropy in nats and the probability of
        each class; where classes do not exclude each other, those that are there. Of quantities
        their values. Of several models these are means, and the spread of each number is the
        standard deviation over the models.
    """
    mean, names = predicted.mean(axis=0), target.names
    row: Row = {}
    if target.gives == "probabilities":
        row = _said(mean, target, threshold)
        names = tuple(f"probability {name}" for name in names)
    row |= dict(zip(names, map(float, mean), strict=True))
    if len(predicted) > 1:
        spread = predicted.std(axis=0, ddof=1)
        row |= {
            f"spread {name}": float(value) for name, value in zip(target.names, spread, strict=True)
        }
    return row


def _said(mean: npt.NDArray[np.float32], target: Target, threshold: float) -> Row:
    if target.exclusive:
        best = int(mean.argmax())
        uncertain = float(entropy(mean, exclusive=True)[0])
        return {"class": target.names[best], "probability": float(mean[best]), "entropy": uncertain}
    there = [name for name, value in zip(target.names, mean, strict=True) if value >= threshold]
    return {"classes": "; ".join(there)}


def columns_of(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """The same by columns."""
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}

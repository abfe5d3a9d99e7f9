"""Numbers as labels: which labels are such, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.convert.source import Wanted
from iterate_core.errors import DataError, Problem


def are_quantities(wanted: Wanted, labels: npt.NDArray[Any]) -> bool:
    """Whether labels are numbers to be predicted: as asked for, else if any has a fraction."""
    if wanted.task is not None:
        return wanted.form == "quantities"
    return labels.dtype.kind == "f" and bool((labels[np.isfinite(labels)] % 1 != 0).any())


def in_columns(labels: npt.NDArray[Any], where: str) -> npt.NDArray[np.float64]:
    """(samples, quantities) of labels of one quantity or several.

    Raises:
        DataError: They are of another shape, or no numbers.
    """
    if labels.ndim not in (1, 2) or labels.dtype.kind not in "uif":
        what = "'labels' must be (samples,) or (samples, quantities) numbers, but is "
        raise DataError(Problem(where, f"{what}{labels.dtype} {labels.shape}."))
    return labels.reshape(len(labels), -1).astype(np.float64)


def quantity_names(where: str, named: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """What the quantities are called; ``quantity``, or ``quantity 0``, … where nobody says.

    Raises:
        DataError: Another number of them is named.
    """
    if not named:
        return ("quantity",) if count == 1 else tuple(f"quantity {n}" for n in range(count))
    if len(named) != count:
        what = f"has {count} quantities, but {len(named)} are named: {', '.join(named)}."
        raise DataError(Problem(where, what, "Name each with --classes."))
    return tuple(named)

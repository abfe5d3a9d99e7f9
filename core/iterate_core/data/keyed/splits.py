"""Splits of samples that nobody else divides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import SPLITS, Split
from iterate_core.data.draws import draw_splits
from iterate_core.fingerprint import seed_for


def drawn_splits(
    names: Sequence[str],
    strata: npt.NDArray[np.int64],
    splits: Sequence[Split],
    shares: Sequence[float],
    seed: int,
) -> tuple[dict[Split, Sequence[str]], str]:
    """Samples shared out at random, and a note on it.

    Args:
        names: Of the samples.
        strata: (samples,) of what each split holds its share.
        splits: That are drawn.
        shares: Of all splits; those of the others do not count.
        seed: Fixes the draw.
    """
    parts = np.array([shares[SPLITS.index(split)] for split in splits])
    parts /= parts.sum()
    drawn = draw_splits(strata, parts.tolist(), np.random.default_rng(seed_for("split", seed)))
    shown = "/".join(f"{part:.3g}" for part in parts)
    owners = [splits[SPLITS.index(number)] for number in drawn]
    return {
        split: [name for name, owner in zip(names, owners, strict=True) if owner == split]
        for split in splits
    }, f"{'/'.join(splits)} drawn in proportion {shown} with seed {seed}"

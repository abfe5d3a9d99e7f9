"""What a GeoBench v1 folder says of all its samples: band statistics and partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import Split
from iterate_core.data.draws import draw_share
from iterate_core.fingerprint import seed_for

FRACTIONS = ("0.01", "0.02", "0.05", "0.10", "0.20", "0.50", "1.00")
SAMPLES, PIXELS = 1000, 1000
_PERCENTILES = {"0_1": 0.1, "1": 1, "5": 5, "95": 95, "99": 99, "99_9": 99.9}


def band_statistics(files: Sequence[Path], keys: Sequence[str]) -> dict[str, dict[str, float]]:
    """Statistics of each band from at most 1000 samples × 1000 pixels, drawn by a fixed seed.

    Args:
        files: The training samples.
        keys: HDF5 datasets: the bands, and the mask where there is one.
    """
    rng = np.random.default_rng(seed_for("band_stats"))
    chosen = rng.permutation(len(files))[:SAMPLES]
    drawn: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in keys}
    for index in chosen:
        with h5py.File(files[index], "r") as file:
            pixels = rng.permutation(file[keys[0]].size)[:PIXELS]
            for name in keys:
                drawn[name].append(file[name][()].ravel()[pixels])
    return {name: _statistics(np.concatenate(values)) for name, values in drawn.items()}


def _statistics(values: npt.NDArray[Any]) -> dict[str, float]:
    values = values.astype(np.float64)
    found = {
        "min": float(values.min()),
        "max": float(values.max()),
        "mean": float(values.mean()),
        "std": float(values.std()),
        "median": float(np.median(values)),
    }
    percentiles = np.percentile(values, list(_PERCENTILES.values()))
    named = zip(_PERCENTILES, percentiles, strict=True)
    return found | {f"percentile_{name}": float(value) for name, value in named}


def partitions(
    splits: Mapping[Split, Sequence[str]], present: npt.NDArray[np.bool_], seed: int
) -> dict[str, dict[str, list[str]]]:
    """The partition files: all training samples, and shares of them drawn independently.

    Args:
        splits: Names of each split's samples.
        present: (training samples, classes): which classes a sample holds.
        seed: Fixes the draws.
    """
    train, fixed = splits["train"], {"valid": list(splits["val"]), "test": list(splits["test"])}
    files = {"default_partition.json": {"train": list(train), **fixed}}
    for fraction in FRACTIONS:
        count = max(1, round(float(fraction) * len(train)))
        rng = np.random.default_rng(seed_for("partition", fraction, seed))
        drawn = sorted(draw_share(present, count, rng))
        name = f"{fraction}x_train_partition.json"
        files[name] = {"train": [train[index] for index in drawn], **fixed}
    return files

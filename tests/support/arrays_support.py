"""A small .npz file of pixel series, and the section that declares it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from iterate_core.data.dataset import Reader
from iterate_core.data.open import open_dataset
from iterate_core.recipe import Recipe

COUNT, DATES = 40, 6
SERIES = ("B04", "B08", "B11")
PRESTO = (
    *("VV", "VH", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"),
    *("temperature_2m", "total_precipitation", "elevation", "slope", "NDVI"),
)
"""Bands of the published series."""
UNITS = {
    **dict.fromkeys(("VV", "VH"), "db"),
    **{name: "dn" for name in PRESTO if name.startswith("B")},
    "temperature_2m": "kelvin",
    "total_precipitation": "metre_of_water",
    "elevation": "metre",
    "slope": "degree",
}


def arrays() -> dict[str, np.ndarray[Any, Any]]:
    """What the small file holds."""
    rng = np.random.default_rng(0)
    row = np.arange(COUNT)
    severity = row % 3 + 1
    series = rng.integers(100, 5000, (COUNT, DATES, len(SERIES))).astype(np.uint16)
    series[..., 1] += (1000 * severity[:, None]).astype(np.uint16)
    return {
        "series": series,
        "radar": rng.normal(-12, 3, (COUNT, 4, 2)).astype(np.float32),
        "terrain": rng.uniform(0, 3000, (COUNT, 1)).astype(np.float32),
        "pictures": rng.integers(0, 255, (COUNT, 2, 4, 8)).astype(np.uint8),
        "severity": severity,
        "word": np.array(["none", "mild", "bad"])[row % 3],
        "moisture": 50.0 + 10 * severity + rng.normal(size=COUNT),
        "month": (9 + row[:, None] + np.arange(DATES)) % 12,
        "days": np.datetime64("2020-12-30") + row[:, None] + np.arange(DATES),
        "latlon": np.stack((40 + row / 10, -100 + row / 5), axis=1),
        "site": np.array([f"site {number}" for number in row // 4]),
        "uid": np.array([f"pixel-{number}" for number in row]),
        "is_test": (row >= 30).astype(np.int64),
        "fold": np.array(["train", "val", "test", "train"])[row % 4],
    }


def written(folder: Path, **others: Any) -> Path:
    """The file, with further arrays or without those that are None."""
    path = folder / "pixels.npz"
    held = {**arrays(), **others}
    np.savez(path, **{name: array for name, array in held.items() if array is not None})
    return path


def section(path: Path, **others: Any) -> dict[str, Any]:
    """A classification of the series; what is None is left out."""
    given = {
        "name": "npz",
        "root": str(path),
        "task": "classification",
        "images": ["series"],
        "band_names": list(SERIES),
        "sensor": "sentinel-2",
        "target": "severity",
        "labels": [1, 2, 3],
        **others,
    }
    return {name: value for name, value in given.items() if value is not None}


def recipe_of(data: dict[str, Any], **others: Any) -> Recipe:
    """A small recipe on such a file."""
    base: dict[str, Any] = {
        "data": {"batch_size": 8, **data},
        "model": {"backbone": {"name": "presto", "weights": "none"}, "decoder": "linear"},
        "optimiser": {"name": "adamw", "lr": 0.01},
        "scheduler": {"name": "cosine"},
        "trainer": {"epochs": 3},
    }
    return Recipe.parse({**base, **others})


def opened(path: Path, **others: Any) -> Reader:
    """The reader of such a file."""
    return open_dataset(recipe_of(section(path, **others)).data)


def published(path: Path, **others: Any) -> dict[str, Any]:
    """The section of a file of Presto's evaluations."""
    return {
        "name": "npz",
        "root": str(path),
        "images": ["s1_s2_era5_srtm"],
        "target": "target",
        "band_names": PRESTO,
        "units": UNITS,
        "normalisation": "backbone",
        "batch_size": 64,
        "months": "month",
        "january": 0,
        "year": 2020,
        "places": "latlon",
        **others,
    }

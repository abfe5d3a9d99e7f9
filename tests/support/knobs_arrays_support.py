"""What each option of the reader of arrays changes, seen on a small file of pixel series."""

from __future__ import annotations

from typing import Any

import numpy as np
from arrays_support import SERIES, arrays, opened, written
from knobs_support import Case, Scene, setting

from iterate_core.data.dataset import SPLITS, Reader, Sample

FOURTH = {"fourth": (np.arange(40) % 4 == 3).astype(np.int64)}


def reader(scene: Scene, **others: Any) -> Reader:
    """The dataset with the option at its value."""
    path = written(scene.folder, twice=2 * arrays()["series"], **FOURTH)
    return opened(path, **{**others, **setting(scene.knob.field, scene.value)})


def first(scene: Scene, **others: Any) -> Sample:
    """The sample of the first row."""
    found = reader(scene, **others)
    return found.read("pixel-0" if scene.value == "uid" else "0", [found.info.bands[0].name])


def splits(scene: Scene, **others: Any) -> list[list[int]]:
    """Which rows are in which split."""
    found = reader(scene, **others)
    return [[int(name) for name in found.names(split)] for split in SPLITS]


def sites_apart(scene: Scene) -> bool:
    """Whether no site is in two splits."""
    site = arrays()["site"]
    apart = [set(site[rows]) for rows in splits(scene)]
    return sum(map(len, apart)) == len(set(site))


def blocks_apart(scene: Scene) -> bool:
    """Whether no block of half a degree is in two splits."""
    block = [tuple(place) for place in np.floor(arrays()["latlon"] / 0.5).tolist()]
    apart = [{block[row] for row in rows} for rows in splits(scene, places="latlon")]
    return sum(map(len, apart)) == len(set(block))


def first_day(scene: Scene) -> tuple[int, int]:
    """Year and day of the first date, told in months."""
    months = arrays()["month"].clip(1)
    path = written(scene.folder, month=months, later=(months + 1) % 12)
    given = {
        "months": "month",
        "january": 0,
        "year": 2021,
        **setting(scene.knob.field, scene.value),
    }
    dates = opened(path, **given).read("0", SERIES).dates
    assert dates is not None
    return dates[0]


def at(scene: Scene) -> Any:
    """The brightest pixel of the file at hand."""
    path = written(scene.folder, series=np.full_like(arrays()["series"], int(scene.value)))
    return opened(path).read("0", SERIES).image.max()


def shape(scene: Scene) -> tuple[int, int]:
    """Dates and bands of an array of 4 × 2."""
    bands = [f"band {number}" for number in range(2 if scene.value[0] == "dates" else 4)]
    info = reader(scene, images=["radar"], band_names=bands).info
    return info.frames, len(info.bands)


ARRAYS: dict[str, Case] = {
    "NpzData.root": Case(("1", "2"), at, (1, 2)),
    "NpzData.task": Case(
        ("scalar_regression", "multilabel"),
        lambda s: reader(s, target="latlon", labels=None, classes=["north", "east"]).info.task,
        ("scalar_regression", "multilabel"),
    ),
    "NpzData.images": Case((["series"], ["twice"]), lambda s: int(first(s).image.sum())),
    "NpzData.axes": Case((["dates", "bands"], ["bands", "dates"]), shape, ((4, 2), (2, 4))),
    "NpzData.band_names": Case(
        (["B04", "B08", "B11"], ["B04", "B02", "B11"]), lambda s: reader(s).info.bands[1].common,
        ("nir", "blue"),
    ),
    "NpzData.sensor": Case(
        ("sentinel-2", "landsat-8"), lambda s: reader(s).info.bands[1].common, ("nir", "pan"),
    ),
    "NpzData.frames": Case((None, 2), lambda s: reader(s).info.frames, (6, 2)),
    "NpzData.target": Case(
        ("severity", "fourth"), lambda s: [first(s, labels=[0, 1, 2, 3]).target], ([1], [0]),
    ),
    "NpzData.classes": Case(
        (None, ["none", "mild", "bad"]), lambda s: reader(s).info.classes[1], ("2", "mild")
    ),
    "NpzData.labels": Case(([1, 2, 3], [3, 2, 1]), lambda s: first(s).target, (0, 2)),
    "NpzData.dates": Case(
        (None, "days"), lambda s: (first(s).dates or (None,))[0], (None, (2020, 365))
    ),
    "NpzData.months": Case(("month", "later"), first_day, ((2021, 288), (2021, 319))),
    "NpzData.january": Case((0, 1), first_day, ((2021, 288), (2021, 258))),
    "NpzData.year": Case((2021, 2022), first_day, ((2021, 288), (2022, 288))),
    "NpzData.places": Case((None, "latlon"), lambda s: first(s).place, (None, (40.0, -100.0))),
    "NpzData.names": Case((None, "uid"), lambda s: first(s).name, ("0", "pixel-0")),
    "NpzData.split": Case((None, "fold"), splits),
    "NpzData.split_values": Case(
        ({"train": 0, "test": 1}, {"train": 1, "test": 0}),
        lambda s: 0 in splits(s, split="is_test")[2], (False, True),
    ),
    "NpzData.split_shares": Case(
        ([0.6, 0.2, 0.2], [0.5, 0.25, 0.25]), lambda s: [len(rows) for rows in splits(s)],
        ([24, 8, 8], [20, 10, 10]),
    ),
    "NpzData.split_by": Case((None, "site"), sites_apart, (False, True)),
    "NpzData.split_degrees": Case((None, 0.5), blocks_apart, (False, True)),
    "NpzData.split_seed": Case((0, 1), splits, same=lambda s: [len(rows) for rows in splits(s)]),
}  # fmt: skip

"""Splits by blocks of ground of samples that are known by their centre alone."""

import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geobench_v1_support import BY_NAME, publish
from geobench_v2_support import opened
from pyproj import Geod

from iterate_core.data.block_options import PlaceSplits
from iterate_core.data.dataset import SPLITS, Reader
from iterate_core.data.geobench_v1 import places
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.data.geobench_v2.synthetic.generate import generate
from iterate_core.data.places import Place, split_by_place
from iterate_core.errors import DataError, RequestError
from iterate_core.registry.parsing import parse

Find = Callable[[str], Path]
GROUND = Geod(ellps="WGS84")


def least(splits: dict[Any, Any], places: dict[str, Place]) -> float:
    """Metres on the ellipsoid between the nearest centres of different splits."""
    pairs = [
        (places[one], places[other])
        for first, second in (SPLITS[:2], SPLITS[1:], SPLITS[::2])
        for one, other in product(splits[first], splits[second])
    ]
    here, there = np.array(pairs).transpose(1, 2, 0)
    return float(GROUND.inv(here[1], here[0], there[1], there[0])[2].min())


def told(notes: tuple[str, ...]) -> int:
    """The distance that a note tells."""
    (note,) = (one for one in notes if one.startswith("splits lie"))
    return int(note.split()[2])


@pytest.mark.parametrize("middle", [(46.0, 7.0), (-2.0, 179.5), (78.0, 15.0)])
@pytest.mark.parametrize(
    ("degrees", "block", "distance", "diameter"),
    [(0.2, 4e3, 0.0, None), (0.2, 4e3, 900.0, None), (0.3, 6e3, 500.0, 1200.0),
     (40.0, 1e6, 2e5, 1e3)],
)  # fmt: skip
def test_no_sample_is_nearer_to_another_split_than_stated(
    middle: Place, degrees: float, block: float, distance: float, diameter: float | None
) -> None:
    rng = np.random.default_rng(1)
    latitudes = np.clip(middle[0] + rng.uniform(-degrees, degrees, 300), -89.9, 89.9)
    longitudes = middle[1] + rng.uniform(-degrees, degrees, 300)
    longitudes = (longitudes + 180) % 360 - 180
    pairs = zip(latitudes.tolist(), longitudes.tolist(), strict=True)
    places = {str(number): pair for number, pair in enumerate(pairs)}
    names = list(places)
    published = {"train": names[:150], "val": names[150:200], "test": names[200:]}
    asked = PlaceSplits(block_metres=block, distance_metres=distance)
    found, notes = split_by_place(published, places, asked, diameter, "here")
    apart = least(found, places) - (diameter or 0.0)
    assert apart >= distance
    # What is told is never more than what is; the map's stretch is all that it may be less.
    assert told(notes) <= apart
    assert told(notes) >= 0.8 * apart - 1 - 0.2 * (diameter or 0.0)
    assert least(published, places) < distance + 300
    assert [len(found[split]) for split in SPLITS] != [150, 50, 100]
    assert not set(found["train"]) & {*found["val"], *found["test"]}
    assert any("shared out as 0.5/0.167/0.333" in note for note in notes)
    assert ("from centre to centre" in notes[-1]) == (diameter is None)
    assert split_by_place(published, places, asked, diameter, "here") == (found, notes)
    again = PlaceSplits(block_metres=block, distance_metres=distance, seed=1)
    assert split_by_place(published, places, again, diameter, "here")[0] != found


def test_what_has_no_place_or_leaves_no_sample_is_refused() -> None:
    published = {"train": ["a", "b"], "val": ["c"], "test": ["d"]}
    places: dict[str, Place | None] = dict.fromkeys("abcd", (46.0, 7.0))
    with pytest.raises(DataError, match=r"no sample for val and test.*Say smaller"):
        split_by_place(published, places, PlaceSplits(block_metres=1e3), None, "here")
    places["b"] = places["d"] = None
    with pytest.raises(DataError, match=r"2 of 4 have none that their.*such as b"):
        split_by_place(published, places, PlaceSplits(block_metres=1e3), None, "here")


def places_in(reader: Reader) -> dict[str, Place]:
    """The place of each sample, as it is read."""
    band = [reader.info.bands[0].name]
    places = {n: reader.read(n, band).place for split in SPLITS for n in reader.names(split)}
    return {name: place for name, place in places.items() if place is not None}


@pytest.mark.parametrize("dataset", ["benv2", "flair2", "pastis"])
def test_published_tortillas_are_divided_by_their_places(shared_data: Find, dataset: str) -> None:
    root = shared_data("geobench_v2")
    plain = opened(root, dataset)
    split = {"block_metres": 1e5, "distance_metres": 1e4}
    reader = opened(root, dataset, split=PlaceSplits(**split))
    places, info = places_in(plain), reader.info
    found = {split: reader.names(split) for split in SPLITS}
    across = (info.metres or 0.0) * math.hypot(info.height, info.width)
    assert 1e4 <= told(info.notes) <= least(found, places) - across
    assert {name for names in found.values() for name in names} <= set(places)
    assert found != {split: plain.names(split) for split in SPLITS}
    assert reader.fingerprint() != plain.fingerprint()
    assert opened(root, dataset, split=PlaceSplits()).fingerprint() == plain.fingerprint()


def test_published_files_without_places_keep_their_splits(shared_data: Find) -> None:
    asked = PlaceSplits(block_metres=1e4)
    with pytest.raises(DataError, match="2 of 4 have none that their files tell"):
        opened(shared_data("geobench_v2"), "everwatch", split=asked)
    kilns = shared_data("geobench_v1") / "ccb-test-classification/brick_kiln_v1.0"
    with pytest.raises(DataError, match=r"5 of 5 have none.*the published splits need no places"):
        GeoBenchV1(GeoBenchV1Data(root=kilns, split=asked))


def test_samples_of_a_share_of_their_own_are_not_divided(tmp_path: Path) -> None:
    values = {"root": str(tmp_path), "split": {"block_metres": 10}, "partition": "0.10x"}
    with pytest.raises(RequestError, match=r"data\.split draws others: say data.share"):
        parse(GeoBenchV1Data, values)
    for split in ({"seed": 1}, {"shares": [0.5, 0.25, 0.25]}, {"distance_metres": 5.0}):
        with pytest.raises(RequestError, match="block_metres"):
            parse(GeoBenchV1Data, {"root": str(tmp_path), "split": split})


def test_headers_of_geobench_v1_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    folder = publish(tmp_path, BY_NAME["m-eurosat"], samples=60, apart=300.0)
    section = GeoBenchV1Data(
        root=folder, split=PlaceSplits(block_metres=2000, distance_metres=500, seed=3)
    )
    reader = GeoBenchV1(section)
    found = {split: tuple(reader.names(split)) for split in SPLITS}
    across = 10 * math.hypot(4, 4)
    assert 500 <= told(reader.info.notes) <= least(found, places_in(reader)) - across
    assert sum(reader.info.sizes.values()) < 60
    (kept,) = (tmp_path / "cache/places").glob("*.json")
    with monkeypatch.context() as patch:
        patch.setattr(places, "_place", None)  # nobody asks a header
        assert {s: tuple(GeoBenchV1(section).names(s)) for s in SPLITS} == found
    kept.write_text("{", encoding="utf-8")  # what is damaged is read anew
    assert {s: tuple(GeoBenchV1(section).names(s)) for s in SPLITS} == found


def test_drawn_sets_are_divided_too(tmp_path: Path) -> None:
    generate("pastis", tmp_path, (30, 10, 10), pixels=8)
    reader = opened(tmp_path, "pastis", split=PlaceSplits(block_metres=2e5, shares=(0.4, 0.3, 0.3)))
    assert sum(reader.info.sizes.values()) == 50
    assert reader.info.sizes["train"] < 30

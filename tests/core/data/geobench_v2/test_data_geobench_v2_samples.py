"""From files to samples: objects, dates, places, missing pixels and grids."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from geobench_v2_support import boxes, opened, planes, written
from hypothesis import given, settings
from hypothesis import strategies as st

from iterate_core.data.geobench_v2.dates import day_of, place_of
from iterate_core.data.geobench_v2.frames import choose
from iterate_core.data.geobench_v2.reader import GeoBenchV2
from iterate_core.data.geobench_v2.resample import bilinear, nearest
from iterate_core.data.geobench_v2.synthetic.writer import (
    NewSample,
    annotation_file,
    geotiff_file,
    table_file,
    write_tortilla,
)
from iterate_core.errors import DataError

Find = Callable[[str], Path]


def substation(root: Path, objects: list[dict[str, Any]]) -> GeoBenchV2:
    annotation = {"sample_annotations": objects, "image_size": [6, 6]}
    files = [
        geotiff_file("image", planes(13, "int16", 6)),
        annotation_file("annotations", annotation),
    ]
    return opened(written(root, "substation", files), "substation")


def test_a_substation_image_without_objects(tmp_path: Path) -> None:
    """Where the reference loader stops with an error."""
    target = boxes(substation(tmp_path, []).read("strain", ["B02"]))
    assert (target.corners.shape, target.labels.shape) == ((0, 4), (0,))
    assert target.masks is not None
    assert target.masks.shape == (0, 6, 6)


def test_polygons_of_a_substation(tmp_path: Path) -> None:
    polygon = [[1, 1, 3, 1, 3, 4, 1, 4]]
    entry = {"category_id": 1, "bbox": [1, 1, 2, 3], "bbox_mode": "xywh", "mask": polygon}
    target = boxes(substation(tmp_path, [entry]).read("strain", ["B02"]))
    assert target.corners.tolist() == [[1, 1, 3, 4]]
    expected = np.zeros((6, 6), np.uint8)
    expected[1:5, 1:4] = 1  # the outline counts
    assert target.masks is not None
    np.testing.assert_array_equal(target.masks[0], expected)
    for change in (
        {"category_id": 0}, {"category_id": 2}, {"bbox": [1, 1, 2]}, {"bbox": [1, 1, -2, 3]},
        {"bbox": [90, 1, 2, 3]}, {"bbox": [1, 1, 2, None]}, {"mask": None}, {"mask": [[1, 2, 3]]},
        {"mask": [["a", 1, 2, 3]]},
    ):  # fmt: skip
        reader = substation(tmp_path, [{**entry, **change}])
        with pytest.raises(DataError, match="sample strain"):
            reader.read("strain", ["B02"])


def test_cattle_are_boxes(tmp_path: Path) -> None:
    annotation = {"boxes": [{"category_id": 1, "bbox": [2, 1, 3.5, 2], "bbox_mode": "xywh"}]}
    files = [
        geotiff_file("image", planes(3, size=8), {"stac:time_start": 2020.0}),
        annotation_file("annotations", annotation),
    ]
    sample = opened(written(tmp_path, "nzcattle", files), "nzcattle").read("strain", ["red"])
    target = boxes(sample)
    assert target.corners.tolist() == [[2, 1, 5.5, 3]]
    assert (target.labels.tolist(), target.masks, sample.dates) == ([1], None, None)


def test_a_bird_without_a_name_is_an_unknown_one(tmp_path: Path) -> None:
    columns = {
        "xmin": [1, 2], "ymin": [1, 2], "xmax": [3, 4], "ymax": [3, 4],
        "label": [None, "Wood Stork"], "class_id": [0, 0],
    }  # fmt: skip
    files = [geotiff_file("image", planes(3, size=8)), table_file("annotations", columns)]
    root = written(tmp_path, "everwatch", files)
    assert boxes(opened(root, "everwatch").read("strain", ["red"])).labels.tolist() == [8, 5]
    files[1] = table_file("annotations", {**columns, "label": ["Dodo", "Wood Stork"]})
    with pytest.raises(DataError, match="has an object 'Dodo', which is no class"):
        opened(written(tmp_path, "everwatch", files), "everwatch").read("strain", ["red"])


def kuro(root: Path) -> Path:
    files = []
    for number, name in enumerate(("pre_event_1", "pre_event_2", "post_event")):
        pixels = planes(2, "float32") + 10 * number
        pixels[0, 1, 1] = np.nan
        files.append(geotiff_file(name, pixels, {"stac:time_start": 1_600_000_000.0}))
    valid = np.ones((1, 4, 4), np.uint8)
    valid[0, 3, 3] = 0
    files += [
        geotiff_file("dem", np.full((1, 4, 4), 500, np.float32)),
        geotiff_file("mask", np.array([[[0, 1, 2, 3]] * 4], np.uint8)),
        geotiff_file("invalid_data", valid),
    ]
    return written(root, "kuro_siwo", files)


def test_kuro_siwo_before_and_after_the_flood(tmp_path: Path) -> None:
    root = kuro(tmp_path)
    reader = opened(root, "kuro_siwo")
    sample = reader.read("strain", ["dem", "vh", "vv"])
    assert sample.image[:, :, 0, 0].tolist() == [[500] * 3, [2, 12, 22], [1, 11, 21]]
    np.testing.assert_allclose(sample.image[:, 0, 3, 3], [93.431, 0.0264, 0.0953], rtol=1e-6)
    np.testing.assert_allclose(sample.image[2, :, 1, 1], [0.0953] * 3, rtol=1e-6)
    assert sample.image[1, 0, 1, 1] == 2
    assert np.asarray(sample.target)[0].tolist() == [1, 2, 3, 0]
    assert sample.dates is None  # all three carry the flood's date
    after = opened(root, "kuro_siwo", frames=1).read("strain", ["vv"])
    assert (after.image[0, 0, 0], after.dates) == (21, ((2020, 257),))


def test_no_data_of_burn_scars_is_ignored(tmp_path: Path) -> None:
    image = np.full((6, 2, 2), 0.5, np.float32)
    image[3, 0, 0] = -9999
    mask = np.array([[[-1, 0], [1, 1]]], np.int16)
    files = [
        geotiff_file("image", image, {"stac:time_start": 2020193.0}),
        geotiff_file("label", mask),
    ]
    reader = opened(written(tmp_path, "burn_scars", files), "burn_scars")
    sample = reader.read("strain", ["B8A", "B02"])
    assert reader.info.ignore_index == 2
    assert np.asarray(sample.target).tolist() == [[2, 0], [1, 1]]
    assert sample.image[0, 0, 0] == pytest.approx(0.23232)
    assert sample.image[1, 0, 0] == 0.5
    assert sample.dates == ((2020, 193),)


def test_files_without_known_names_are_found_by_place(tmp_path: Path) -> None:
    files = [
        geotiff_file("first", planes(12, "uint16")),
        geotiff_file("second", np.full((1, 4, 4), 3, np.uint8)),
    ]
    root = written(tmp_path, "cloudsen12", files)
    sample = opened(root, "cloudsen12").read("strain", ["B12", "B01"])
    assert sample.image[:, 0, 0].tolist() == [12, 1]
    assert np.unique(np.asarray(sample.target)).tolist() == [3]
    renamed = [geotiff_file("target", np.ones((1, 4, 4), np.uint8)), files[0]]
    with pytest.raises(DataError, match="lacks the file of 'l2a'; it holds target, first"):
        opened(written(tmp_path, "cloudsen12", renamed), "cloudsen12")


def test_files_of_other_sizes_are_brought_to_one_grid(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    s1 = rng.normal(size=(2, 5, 7)).astype(np.float32)
    s2 = rng.integers(0, 5000, (12, 8, 6), dtype=np.uint16)
    files = [geotiff_file("s1", s1, {"labels": ["Pastures"]}), geotiff_file("s2", s2)]
    reader = opened(written(tmp_path, "benv2", files), "benv2")
    assert (reader.info.height, reader.info.width) == (8, 6)
    image = reader.read("strain", ["VH", "VV", "B02"]).image
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(s1)[None], size=(8, 6), mode="bilinear", align_corners=False
    )[0]
    np.testing.assert_allclose(image[:2], expected.numpy(), atol=1e-6)
    np.testing.assert_array_equal(image[2], s2[1])


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_resampling_equals_the_reference(height: int, width: int, rows: int, columns: int) -> None:
    rng = np.random.default_rng(height * 1000 + width * 100 + rows * 10 + columns)
    image = rng.normal(size=(2, height, width))
    for ours, mode in ((bilinear, "bilinear"), (nearest, "nearest-exact")):
        corners = {"align_corners": False} if mode == "bilinear" else {}
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(image)[None], size=(rows, columns), mode=mode, **corners
        )[0].numpy()
        np.testing.assert_allclose(ours(image, (rows, columns)), expected, atol=1e-12)


def test_boxes_follow_their_image_to_the_grid(tmp_path: Path) -> None:
    def sample(size: int, split: str) -> NewSample:
        annotation = {"boxes": [{"category_id": 1, "bbox": [2, 4, 2, 4]}]}
        files = [
            geotiff_file("image", planes(3, size=size)), annotation_file("annotations", annotation)
        ]  # fmt: skip
        return NewSample(split, split, files)

    path = tmp_path / "nzcattle.tortilla"
    write_tortilla(path, [sample(8, "train"), sample(16, "validation"), sample(8, "test")])
    reader = opened(tmp_path, "nzcattle")
    assert boxes(reader.read("train", ["red"])).corners.tolist() == [[2, 4, 4, 8]]
    assert boxes(reader.read("validation", ["red"])).corners.tolist() == [[1, 2, 2, 4]]


def test_a_size_that_the_table_denies_is_an_error(tmp_path: Path) -> None:
    wrong = geotiff_file("image", planes(6), {"labels": 1, "stac:raster_shape": [4, 5]})
    root = written(tmp_path, "forestnet", [wrong])
    with pytest.raises(DataError, match=r"is \(4, 4\) pixels, but the table says \(4, 5\)"):
        opened(root, "forestnet")


@given(st.integers(1, 60), st.integers(0, 60))
@settings(max_examples=80, deadline=None)
def test_dates_are_chosen_in_order_and_without_repeats(wanted: int, more: int) -> None:
    available = max(wanted + more, 28)
    for choice in ("evenly", "first", "last", "day_30", "day_1"):
        found = choose(choice, wanted, available)  # type: ignore[arg-type]
        assert len(found) == wanted
        assert list(found) == sorted(set(found))
        assert 0 <= found[0] <= found[-1] < available
    assert choose("evenly", wanted, available) == tuple(
        int(index * (available / wanted) + 1e-9) for index in range(wanted)
    )
    assert choose("last", wanted, available)[-1] == available - 1


@given(st.dates(date(1972, 3, 2), date(2099, 12, 31)))
def test_days_are_read_however_they_are_written(day: date) -> None:
    expected = (day.year, day.timetuple().tm_yday)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    for value in (
        noon.timestamp(), int(noon.timestamp()), int(day.strftime("%Y%m%d")),
        int(day.strftime("%Y%j")), float(day.strftime("%Y%j")), day.strftime("%Y%j"),
        day.isoformat(), noon.isoformat(), day, noon,
    ):  # fmt: skip
        assert day_of(value) == expected, value


@given(st.integers(1900, 2100))
def test_a_bare_year_is_no_day(year: int) -> None:
    """Read as seconds, 2020.0 would be half past midnight on the first day of 1970."""
    assert day_of(float(year)) is None
    assert day_of(str(year)) is None


@given(st.one_of(st.floats(), st.integers(), st.text(max_size=12), st.none(), st.booleans()))
def test_no_value_is_too_strange_for_a_date(value: Any) -> None:
    found = day_of(value)
    assert found is None or 1 <= found[1] <= 366
    assert day_of(20201301) is None
    assert day_of(2021366) is None


def test_places_are_degrees() -> None:
    assert place_of({"lat": 51.5, "lon": -0.1, "stac:centroid": "POINT (1 2)"}) == (51.5, -0.1)
    assert place_of({"lat": None, "lon": None, "stac:centroid": "POINT (-0.1 51.5)"}) == (
        51.5,
        -0.1,
    )
    assert place_of({"lat": math.nan, "lon": 1.0}) is None
    assert place_of({"stac:centroid": "POINT (256.0 256.0)"}) is None
    assert place_of({"stac:centroid": "POINT (1 2); DROP"}) is None
    assert place_of({}) is None

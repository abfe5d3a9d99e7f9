"""Each known defect of the reference loaders: corrected, and kept under compat."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_support import recipe
from geobench_v2_support import NINETEEN, all_bands, opened, planes, words, written

from iterate_core.data.augmentation.elements import IDENTITY
from iterate_core.data.geobench_v2.datasets.defects import declared
from iterate_core.data.geobench_v2.datasets.published import statistics
from iterate_core.data.geobench_v2.options import GeoBenchV2Data
from iterate_core.data.geobench_v2.synthetic.writer import NewFile, geotiff_file
from iterate_core.data.loading.loader import PixelSupply
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.normalisation import scaling_of
from iterate_core.engine.resolved import prepare
from iterate_core.errors import DataError
from iterate_core.registry.parsing import parse

Find = Callable[[str], Path]


def test_cloudsen12_is_normalised_unless_compat(tmp_path: Path) -> None:
    """The reference loader drops what it normalised: it trains on raw numbers."""
    section = {"root": str(tmp_path), "dataset": "cloudsen12"}
    assert parse(GeoBenchV2Data, section).normalisation == "dataset"
    assert parse(GeoBenchV2Data, {**section, "compat": True}).normalisation == "none"
    asked = {**section, "compat": True, "normalisation": "dataset"}
    assert parse(GeoBenchV2Data, asked).normalisation == "dataset"
    again = parse(GeoBenchV2Data, {**section, "compat": True}).model_dump(mode="json")
    assert parse(GeoBenchV2Data, again).normalisation == "none"
    for dataset in NINETEEN - {"cloudsen12"}:
        other = {"root": str(tmp_path), "dataset": dataset, "compat": True}
        assert parse(GeoBenchV2Data, other).normalisation == "dataset"


@pytest.mark.parametrize(("compat", "expected"), [(False, [-1.0, 1.0]), (True, [1234.0, 5678.0])])
def test_numbers_of_cloudsen12_that_a_model_sees(
    tmp_path: Path, compat: bool, expected: list[float]
) -> None:
    """1234 and 5678 in equal parts: standardised, or raw as the reference loader hands them on."""
    pixels = np.full((12, 32, 32), 1234, np.uint16)
    pixels[:, 16:] = 5678
    mask = np.zeros((1, 32, 32), np.uint8)
    root = written(
        tmp_path, "cloudsen12", [geotiff_file("l2a", pixels), geotiff_file("target", mask)]
    )
    data = {"name": "geobench_v2", "root": str(root), "dataset": "cloudsen12", "compat": compat}
    asked = {**data, "bands": ["B04", "B03", "B02"], "batch_size": 1}
    prepared = prepare(recipe("segmentation", data=asked))
    scaling = scaling_of(prepared, shared_backbone(prepared, meta=True))
    supply = PixelSupply(prepared.pack, "train", scaling, (IDENTITY,), torch.device("cpu"), 0)
    (batch,) = supply.batches([np.array([0])], None)
    assert batch.inputs.unique().tolist() == pytest.approx(expected, abs=1e-5)


def test_red_and_near_infrared_of_treesatai(tmp_path: Path) -> None:
    files = [
        geotiff_file("aerial", planes(4), {"species_labels": ["Abies"]}),
        geotiff_file("s1", planes(3, "uint16")),
        geotiff_file("s2", planes(12, "uint16")),
    ]
    root = written(tmp_path, "treesatai", files)
    asked = ["nir", "green", "blue", "red"]
    right = opened(root, "treesatai").read("strain", asked).image[:, 0, 0]
    kept = opened(root, "treesatai", compat=True).read("strain", asked).image[:, 0, 0]
    assert right.tolist() == [1, 2, 3, 4]
    assert kept.tolist() == [4, 2, 3, 1]
    names = words("B02 B03 B04 B08 B05 B06 B07 B8A B11 B12 B01 B09")
    stored = opened(root, "treesatai").read("strain", names).image[:, 0, 0]
    assert stored.tolist() == list(range(1, 13))


def test_decibels_of_treesatai(tmp_path: Path) -> None:
    wrapped = np.array([[[65529]], [[65523]], [[0]]], dtype=np.uint16)
    files = [
        geotiff_file("aerial", planes(4, size=1), {"species_labels": ["Tilia", "Acer"]}),
        geotiff_file("s1", wrapped),
        geotiff_file("s2", planes(12, "uint16", size=1)),
    ]
    root = written(tmp_path, "treesatai", files)
    right, kept = opened(root, "treesatai"), opened(root, "treesatai", compat=True)
    assert right.read("strain", ["vv", "vh"]).image.ravel().tolist() == [-7, -13]
    assert kept.read("strain", ["vv", "vh"]).image.ravel().tolist() == [65529, 65523]
    units = [{b.name: b.unit for b in reader.info.bands}["vv"] for reader in (right, kept)]
    assert units == ["db", "unknown"]
    target = np.asarray(right.read("strain", ["vv"]).target)
    assert [right.info.classes[index] for index in np.flatnonzero(target)] == ["Acer", "Tilia"]


def test_sentinel_1_of_so2sat(tmp_path: Path) -> None:
    files = [
        geotiff_file("s1", planes(2, "float32"), {"labels": 16}),
        geotiff_file("s2", planes(10, "float32")),
    ]
    root = written(tmp_path, "so2sat", files)
    right, kept = opened(root, "so2sat"), opened(root, "so2sat", compat=True)
    assert right.read("strain", ["VH", "VV"]).image[:, 0, 0].tolist() == [1, 2]
    assert kept.read("strain", ["VH", "VV"]).image[:, 0, 0].tolist() == [2, 1]
    # The real part of the cross-polarised echo varies less; the published numbers know it.
    assert right.read("strain", ["VV"]).target == 16
    assert statistics("so2sat")["VH"][1] < statistics("so2sat")["VV"][1]


def test_labels_are_names_or_numbers(tmp_path: Path) -> None:
    def files(label: Any) -> list[NewFile]:
        return [geotiff_file("image", planes(6), {"labels": label})]

    root = written(tmp_path, "forestnet", files("Mining"))
    assert opened(root, "forestnet").read("stest", ["B02"]).target == 7
    for wrong, message in (("mining", "which is no class"), (12, "but there are 12"), (-1, "12")):
        root = written(tmp_path, "forestnet", files(wrong))
        with pytest.raises(DataError, match=message):
            opened(root, "forestnet").read("strain", ["B02"])
    two = [
        geotiff_file("s1", planes(2), {"labels": 1}),
        geotiff_file("s2", planes(10), {"labels": 2}),
    ]
    root = written(tmp_path, "so2sat", two)
    with pytest.raises(DataError, match=r"different labels \[1, 2\]"):
        opened(root, "so2sat").read("strain", ["B02"])


def test_the_order_of_biomassters_bands_is_the_same_in_every_process(tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    code = (
        "from iterate_core.data.geobench_v2.datasets.all import DATASETS;"
        "print(*(band.name for band in DATASETS['biomassters'].bands))"
    )
    orders = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2", "3")
    }
    ten = "B02 B03 B04 B05 B06 B07 B08 B8A B11 B12"
    assert orders == {f"VV_asc VH_asc VV_desc VH_desc {ten}"}


def biomass(root: Path, months: list[str], without: tuple[str, ...] = ()) -> Path:
    """Month m of Sentinel-1 is 10 · (m + 1) + band, of Sentinel-2 100 · (m + 1) + band."""
    files = []
    for number, month in enumerate(months):
        fields = {"modality": "S1", "month": month}
        pixels = planes(4, "float32") + 10 * (number + 1)
        files.append(geotiff_file(f"c_S1_{month}", pixels, fields))
    for number, month in enumerate(months):
        if month not in without:
            fields = {"modality": "S2", "month": month}
            pixels = planes(11, "uint16") + 100 * (number + 1)
            files.append(geotiff_file(f"c_S2_{month}", pixels, fields))
    target = np.full((1, 4, 4), 144.945, np.float32)
    target[0, 0, 0] = np.nan
    files.append(geotiff_file("c_AGBM", target, {"modality": "AGBM"}))
    return written(root, "biomassters", files)


YEAR = [
    "September", "October", "November", "December", "January", "February", "March", "April",
    "May", "June", "July", "August",
]  # fmt: skip


def test_biomassters_takes_the_last_months(tmp_path: Path) -> None:
    root = biomass(tmp_path, YEAR)
    right, kept = opened(root, "biomassters"), opened(root, "biomassters", compat=True)
    assert right.info.frames == 3
    sample = right.read("strain", ["VV_asc", "B02"])
    assert sample.image[:, :, 0, 0].tolist() == [[101, 111, 121], [1001, 1101, 1201]]
    assert kept.read("strain", ["VV_asc", "B02"]).image[:, :, 0, 0].tolist() == [
        [11, 21, 31], [101, 201, 301],
    ]  # fmt: skip
    one = opened(root, "biomassters", frames=1).read("strain", ["VV_asc", "B02"])
    assert one.image[:, 0, 0].tolist() == [121, 1201]
    first = opened(root, "biomassters", frames=1, compat=True).read("strain", ["VV_asc", "B02"])
    assert first.image[:, 0, 0].tolist() == [11, 101]
    target = np.asarray(sample.target)
    assert math.isnan(target[0, 0])
    np.testing.assert_allclose(target[1:], 0.5, rtol=1e-6)
    assert sample.dates is None


def test_months_are_put_in_order_and_missing_ones_stay_in_their_place(tmp_path: Path) -> None:
    shuffled = [YEAR[index] for index in (11, 3, 5, 0, 1, 2, 4, 6, 7, 8, 10, 9)]
    root = biomass(tmp_path, shuffled, without=("July",))
    sample = opened(root, "biomassters").read("strain", ["VV_asc", "B02", "B12"])
    # June, July, August stand at the places 12, 11 and 1; no Sentinel-2 image in July.
    mean = statistics("biomassters")
    assert sample.image[0, :, 0, 0].tolist() == [121, 111, 11]
    assert sample.image[1, :, 0, 0].tolist() == [
        1201, pytest.approx(mean["B02"][0]), 101,
    ]  # fmt: skip
    assert sample.image[2, :, 0, 0].tolist() == [
        1210, pytest.approx(mean["B12"][0]), 110,
    ]  # fmt: skip
    whole = opened(root, "biomassters").read("strain", ["B02"]).image
    assert (whole.dtype, whole[0, 1, 0, 0]) == (np.uint16, round(mean["B02"][0]))


def test_missing_radar_pixels_take_the_mean(tmp_path: Path) -> None:
    pixels = planes(4, "float32")
    pixels[1, 2, 3] = -9999
    files = [
        geotiff_file("c_S1_August", pixels, {"modality": "S1", "month": "August"}),
        geotiff_file("c_AGBM", np.ones((1, 4, 4), np.float32), {"modality": "AGBM"}),
    ]
    root = written(tmp_path, "biomassters", files)
    image = opened(root, "biomassters", frames=1).read("strain", ["VV_asc", "VH_asc"]).image
    assert image[1, 2, 3] == pytest.approx(-16.247)
    assert (image == 2).sum() == 15
    assert (image == 1).sum() == 16


def earthnet(root: Path, days: int) -> Path:
    files = []
    for day in range(days):
        when = datetime(2019, 1, day + 1, tzinfo=UTC).timestamp()
        pixels = planes(4, "int16") + 10 * day
        files.append(geotiff_file(f"planet_{day}", pixels, {"stac:time_start": when}))
    files.append(geotiff_file("s1", planes(8, "float32")))
    files.append(geotiff_file("s2", planes(12, "int16")))
    files.append(geotiff_file("label", np.full((1, 4, 4), 6, np.uint8)))
    return written(root, "dynamic_earthnet", files)


@pytest.mark.parametrize(("days", "day"), [(31, 29), (30, 29), (28, 27)])
def test_one_date_of_dynamic_earthnet_is_the_30th_day(tmp_path: Path, days: int, day: int) -> None:
    root = earthnet(tmp_path, days)
    asked = ["blue", "green", "red", "nir"]
    right = opened(root, "dynamic_earthnet").read("strain", asked)
    kept = opened(root, "dynamic_earthnet", compat=True).read("strain", asked)
    assert right.image[:, 0, 0].tolist() == [10 * day + band for band in (1, 2, 3, 4)]
    assert kept.image[:, 0, 0].tolist() == [1, 2, 3, 4]
    assert (right.dates, kept.dates) == (((2019, day + 1),), ((2019, 1),))


def test_weekly_dates_of_dynamic_earthnet(tmp_path: Path) -> None:
    root = earthnet(tmp_path, 31)
    sample = opened(root, "dynamic_earthnet", frames=6).read("strain", ["blue", "B02"])
    assert sample.image[0, :, 0, 0].tolist() == [1, 41, 91, 141, 191, 241]
    assert sample.image[1, :, 0, 0].tolist() == [1] * 6  # one Sentinel-2 image for the month
    assert sample.dates == tuple((2019, day) for day in (1, 5, 10, 15, 20, 25))


def test_sentinel_2_of_dynamic_earthnet(tmp_path: Path) -> None:
    root = earthnet(tmp_path, 30)
    stored = words("B02 B03 B04 B08 B05 B06 B07 B8A B11 B12 B01 B09")
    names = words("B01 B02 B03 B04 B05 B06 B07 B08 B8A B10 B11 B12")
    right, kept = (opened(root, "dynamic_earthnet", compat=word) for word in (False, True))
    assert right.read("strain", stored).image[:, 0, 0].tolist() == list(range(1, 13))
    assert kept.read("strain", names).image[:, 0, 0].tolist() == list(range(1, 13))
    # In the order of the corrected names the published means are those of land with vegetation:
    means = {
        name: mean for name, (mean, _) in declared("dynamic_earthnet", False)[0].statistics.items()
    }
    assert means["B02"] < means["B03"] < means["B04"] < means["B05"] < means["B06"] < means["B07"]
    assert means["B8A"] > means["B08"] > means["B11"] > means["B12"] > means["B01"]
    published = {name: mean for name, (mean, _) in statistics("dynamic_earthnet").items()}
    assert published["B04"] > published["B05"]  # red brighter than its edge
    assert published["B10"] > 1000  # cirrus as bright as land


@pytest.mark.parametrize("dataset", ["spacenet2", "spacenet7"])
def test_spacenet_has_no_class_that_never_occurs(tmp_path: Path, dataset: str) -> None:
    mask = np.array([[[0, 1], [1, 0]]], dtype=np.uint8)
    images = {
        "spacenet2": [
            geotiff_file("ps-ms", planes(8, "uint16", 2)),
            geotiff_file("pan", planes(1, "uint16", 2)),
            geotiff_file("semantic_mask", mask), geotiff_file("instance_mask", mask),
        ],
        "spacenet7": [geotiff_file("images", planes(4, size=2)), geotiff_file("mask", mask)],
    }  # fmt: skip
    root = written(tmp_path, dataset, images[dataset])
    right, kept = opened(root, dataset), opened(root, dataset, compat=True)
    assert right.info.classes == ("no-building", "building")
    np.testing.assert_array_equal(right.read("strain", ["red"]).target, mask[0])
    assert kept.info.classes == ("background", "no-building", "building")
    np.testing.assert_array_equal(kept.read("strain", ["red"]).target, mask[0] + 1)


def test_the_fourth_channel_of_spacenet7(tmp_path: Path) -> None:
    files = [geotiff_file("images", planes(4)), geotiff_file("mask", np.ones((1, 4, 4), np.uint8))]
    root = written(tmp_path, "spacenet7", files)
    right, kept = opened(root, "spacenet7"), opened(root, "spacenet7", compat=True)
    assert all_bands(right) == ["red", "green", "blue"]
    assert "nir" not in declared("spacenet7", compat=False)[0].statistics
    assert kept.read("strain", ["nir"]).image[0, 0, 0] == 4
    assert declared("spacenet7", compat=True)[0].statistics["nir"] == (0, 255)


def test_both_windows_of_fields_of_the_world(tmp_path: Path) -> None:
    """Where the reference loader stops with an error."""
    files = [
        geotiff_file("win_a", planes(4, "uint16"), {"stac:time_start": 2020.0}),
        geotiff_file("win_b", planes(4, "uint16") + 10),
        geotiff_file("instance_mask", np.full((1, 4, 4), 77, np.uint8)),
        geotiff_file("semantic_3class_mask", np.full((1, 4, 4), 2, np.uint8)),
    ]
    root = written(tmp_path, "fotw", files)
    for compat in (False, True):
        sample = opened(root, "fotw", compat=compat).read("strain", ["nir", "red"])
        assert sample.image[:, :, 0, 0].tolist() == [[4, 14], [1, 11]]
        assert (sample.dates, np.unique(np.asarray(sample.target)).tolist()) == (None, [2])
    only = opened(root, "fotw", frames=(1,)).read("strain", ["nir", "red"])
    assert only.image[:, 0, 0].tolist() == [14, 11]

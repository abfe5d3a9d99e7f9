"""Each of GEO-Bench v1's twelve datasets, in the layout in which it is published."""

import datetime as dt
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from geobench_v1_support import (
    BY_NAME,
    CLOUDS,
    FRACTIONS,
    PUBLISHED,
    S2,
    S2_12,
    SO2SAT_S1,
    SO2SAT_S2,
    Published,
    publish,
)

from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data

Find = Callable[[str], Path]

SENSORS = {  # band → sensor, or all bands' sensor
    "m-bigearthnet": "sentinel-2-l2a",
    "m-so2sat": dict.fromkeys(SO2SAT_S1, "sentinel-1") | dict.fromkeys(SO2SAT_S2, "sentinel-2"),
    "m-brick-kiln": "sentinel-2-l2a",
    "m-forestnet": "landsat-8",
    "m-eurosat": "sentinel-2-l1c",
    "m-pv4ger": "aerial",
    "m-pv4ger-seg": "aerial",
    "m-chesapeake": "aerial",
    "m-cashew-plant": dict.fromkeys(S2_12, "sentinel-2") | {CLOUDS: None},
    "m-SA-crop-type": dict.fromkeys(S2_12, "sentinel-2") | {CLOUDS: None},
    "m-nz-cattle": "aerial",
    "m-NeonTree": dict.fromkeys(("Red", "Green", "Blue"), "aerial")
    | {"Canopy Height Model": None, "Neon": None},
}
UNITS = {
    "m-bigearthnet": "dn",
    "m-so2sat": dict.fromkeys(SO2SAT_S2, "reflectance")
    | dict.fromkeys(SO2SAT_S1, "unknown")
    | {"05 - VH.LEE Filtered": "linear", "06 - VV.LEE Filtered": "linear"},
    "m-brick-kiln": dict.fromkeys((*S2[:5], *S2[6:9], *S2[11:]), "dn")
    | dict.fromkeys(("TCI_R", "TCI_G", "TCI_B"), "unknown"),
    "m-forestnet": "uint8",
    "m-eurosat": "dn",
    "m-pv4ger": "uint8",
    "m-pv4ger-seg": "uint8",
    "m-chesapeake": "fraction",
    "m-cashew-plant": dict.fromkeys(S2_12, "dn") | {CLOUDS: "probability"},
    "m-SA-crop-type": "unknown",
    "m-nz-cattle": "uint8",
    "m-NeonTree": dict.fromkeys(("Red", "Green", "Blue"), "uint8")
    | {"Canopy Height Model": "metre", "Neon": "unknown"},
}


def opened(folder: Path, **options: Any) -> GeoBenchV1:
    return GeoBenchV1(GeoBenchV1Data(root=folder, **options))


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("dataset", PUBLISHED, ids=lambda dataset: dataset.name)
def test_every_dataset_is_read_as_it_is_published(tmp_path: Path, dataset: Published) -> None:
    reader = opened(publish(tmp_path, dataset))
    info = reader.info
    assert info.name == dataset.name
    tasks = {"Classification": "classification", "MultiLabelClassification": "multilabel"}
    assert info.task == tasks.get(dataset.kind, "segmentation")
    assert info.classes == tuple(f"{dataset.name} {index}" for index in range(dataset.classes))
    metres = 10 if dataset.name == "m-cashew-plant" else dataset.metres
    assert (info.metres, info.frames) == (metres, 1)
    assert info.sizes == {"train": 4, "val": 1, "test": 1}
    assert len(info.bands) == len(dataset.means)
    names = [band.name for band in info.bands]
    sensors, units = SENSORS[dataset.name], UNITS[dataset.name]
    if isinstance(sensors, str):
        sensors = dict.fromkeys(names, sensors)
    units = dict.fromkeys(names, units) if isinstance(units, str) else units
    assert {band.name: band.sensor for band in info.bands} == sensors
    assert {band.name: band.unit for band in info.bands} == units
    sample = reader.read("sample_3", names[::-1])
    assert sample.image.shape == (len(names), 4, 4)
    assert sample.image.dtype == np.dtype(dataset.dtype)
    latitude, longitude = sample.place or (0.0, 0.0)
    # 20 m from the central meridian of zone 32, at the northing of 5500 km.
    assert (latitude, longitude) == (pytest.approx(49.65, abs=0.01), pytest.approx(9, abs=0.001))
    if dataset.date is None:
        assert sample.dates is None
    else:
        assert sample.dates == ((dataset.date.year, int(dataset.date.strftime("%j"))),)


@pytest.mark.parametrize("dataset", PUBLISHED, ids=lambda dataset: dataset.name)
def test_labels_are_those_of_the_files(tmp_path: Path, dataset: Published) -> None:
    reader = opened(publish(tmp_path, dataset))
    band = reader.info.bands[0].name
    target = reader.read("sample_3", [band]).target
    if dataset.kind == "Classification":
        assert target == 3 % dataset.classes
    elif dataset.kind == "MultiLabelClassification":
        np.testing.assert_array_equal(target, np.arange(43) % 5 == 0)
    else:
        np.testing.assert_array_equal(target, np.arange(16).reshape(4, 4) % dataset.classes)


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_every_partition_is_read(tmp_path: Path, fraction: Any) -> None:
    folder = publish(tmp_path, BY_NAME["m-pv4ger"], samples=102)
    reader = opened(folder, partition=fraction)
    assert reader.info.sizes == {"train": float(fraction[:-1]) * 100, "val": 1, "test": 1}
    assert set(reader.names("train")) <= set(opened(folder).names("train"))


def values(reader: GeoBenchV1, names: list[str]) -> dict[str, float]:
    image = reader.read("sample_0", names).image
    return {name: float(found[0, 0]) for name, found in zip(names, image, strict=True)}


def test_brick_kiln_s_bands_get_their_true_names(tmp_path: Path) -> None:
    folder = publish(tmp_path, BY_NAME["m-brick-kiln"])
    reader = opened(folder)
    names = [band.name for band in reader.info.bands]
    assert values(reader, names) == {
        "01 - Coastal aerosol": 575, "02 - Blue": 674, "03 - Green": 886, "04 - Red": 815,
        "05 - Vegetation Red Edge": 1129, "07 - Vegetation Red Edge": 1935,
        "08A - Vegetation Red Edge": 2046, "08 - NIR": 2013, "11 - SWIR": 1609, "12 - SWIR": 1130,
        "TCI_R": 83, "TCI_G": 91, "TCI_B": 69,
    }  # fmt: skip
    wavelengths = [band.wavelength for band in reader.info.bands]
    assert wavelengths[5:] == [0.783, 0.865, 0.842, 1.61, 2.19, None, None, None]
    assert "band names after B05 corrected" in reader.info.notes[0]
    as_published = opened(folder, compat=True)
    assert values(as_published, list(S2)) == dict(
        zip(S2, (575, 674, 886, 815, 1129, 1935, 2046, 2013, 1609, 1130, 83, 91, 69), strict=True)
    )
    assert as_published.info.notes[0].startswith("compat: the last eight bands keep")
    assert [band.unit for band in as_published.info.bands] == ["dn"] * 10 + ["unknown"] * 3
    assert as_published.fingerprint() != reader.fingerprint()


def test_brick_kiln_s_real_files_prove_its_true_names(shared_data: Find) -> None:
    root = shared_data("geobench_v1/ccb-test-classification/brick_kiln_v1.0")
    reader = opened(root)
    infrared = ["07 - Vegetation Red Edge", "08A - Vegetation Red Edge", "11 - SWIR", "12 - SWIR"]
    names = ["04 - Red", "03 - Green", "02 - Blue", "TCI_R", "TCI_G", "TCI_B", *infrared]
    images = [reader.read(name, names).image for name in reader.names("train")]
    pixels = np.concatenate([image.reshape(len(names), -1) for image in images], axis=1)
    related = np.corrcoef(pixels)
    for colour in range(3):  # the true-colour image is the three visible bands, scaled
        assert related[colour, 3 + colour] > 0.997
        inside = pixels[3 + colour] < 255
        slope = np.polyfit(pixels[colour][inside], pixels[3 + colour][inside], 1)[0]
        assert slope == pytest.approx(0.102, abs=0.002)
    assert related[6, 7] > 0.98  # B07 and B8A, 82 nm apart
    assert related[8, 9] > 0.94  # both short-wave infrared bands
    assert related[7, 8] < 0.7  # B8A and B11, far apart


def test_statistics_that_prove_other_bands_are_believed(tmp_path: Path) -> None:
    folder = publish(tmp_path, BY_NAME["m-brick-kiln"])
    statistics = json.loads((folder / "band_stats.json").read_text())
    statistics["12 - SWIR"]["max"] = 9000.0
    (folder / "band_stats.json").write_text(json.dumps(statistics))
    assert [band.name for band in opened(folder).info.bands] == list(S2)


def test_so2sat_s_sensors_are_told_apart_by_name_in_any_order(tmp_path: Path) -> None:
    folder = publish(tmp_path, BY_NAME["m-so2sat"])
    with h5py.File(folder / "sample_0.hdf5") as file:
        interleaved = list(file)  # sorted: S1 and S2 alternate
        expected = {name: float(file[name][0, 0]) for name in file}
    assert interleaved[:4] == ["01 - VH.Real", "02 - Blue", "02 - VH.Imaginary", "03 - Green"]
    reader = opened(folder)
    assert values(reader, interleaved) == expected
    assert [band.name for band in reader.info.bands] == [*SO2SAT_S1, *SO2SAT_S2]


def test_multi_hot_labels_of_the_label_file_are_found(tmp_path: Path) -> None:
    folder = publish(tmp_path, BY_NAME["m-bigearthnet"])
    with h5py.File(folder / "sample_0.hdf5", "a") as file:
        file.attrs["pickle"] = str(pickle.dumps({"bands_order": []}, 4))
    vector = [0, 1] * 21 + [1]
    (folder / "label_stats.json").write_text(json.dumps({"sample_0": vector}))
    reader = opened(folder)
    np.testing.assert_array_equal(reader.read("sample_0", ["04 - Red"]).target, vector)
    np.testing.assert_array_equal(
        reader.read("sample_1", ["04 - Red"]).target, np.arange(43) % 3 == 0
    )


def test_a_constant_band_is_noted(tmp_path: Path) -> None:
    notes = opened(publish(tmp_path, BY_NAME["m-SA-crop-type"])).info.notes
    assert notes == (
        "values are in an 8-bit range, not reflectance × 10,000; their unit is unknown",
        "Cloud Probability: the same value everywhere",
    )


def test_a_pixel_of_the_cashew_images_is_ten_metres(tmp_path: Path) -> None:
    folder = publish(tmp_path, BY_NAME["m-cashew-plant"])
    corrected, compat = opened(folder).info, opened(folder, compat=True).info
    assert (corrected.metres, compat.metres) == (10, 0.5)
    assert "a pixel is 10 m: the published files say 0.5 m" in corrected.notes[0]
    assert compat.notes[0] == "compat: the published files say 0.5 m a pixel"


def test_what_the_files_say_of_another_dataset_of_that_name_is_believed(tmp_path: Path) -> None:
    mine = replace(BY_NAME["m-chesapeake"], dtype="uint16", largest=4000.0, metres=3.0)
    info = opened(publish(tmp_path, mine)).info
    assert info.metres == 3
    assert {band.unit for band in info.bands} == {"dn"}
    assert info.notes == ()


def test_a_composite_has_no_date(tmp_path: Path) -> None:
    folder = publish(tmp_path, BY_NAME["m-forestnet"])
    details = {"02 - Blue_2014-03-01": {"meta_info": {"is_composite": True}}, "label": 0}
    with h5py.File(folder / "sample_0.hdf5", "a") as file:
        file.attrs["pickle"] = str(pickle.dumps(details, 4))
    reader = opened(folder)
    assert reader.read("sample_0", ["02 - Blue"]).dates is None
    assert reader.read("sample_1", ["02 - Blue"]).dates == ((2014, 60),)


@pytest.mark.parametrize(
    ("transform", "crs", "place"),
    [
        ((0.1, 0.0, 10.0, 0.0, -0.1, 50.0), "EPSG:4326", (49.8, 10.2)),
        ((0.1, 0.0, 10.0, 0.0, -0.1, 50.0), "nonsense", None),
        ((0.1, 0.0, 10.0, 0.0, -0.1, 50.0), "/etc/hostname", None),
        ((0.1, 0.0, 10.0, 0.0, -0.1, 50.0), "PROJCS[", None),
        ((0.1, 0.0, 10.0, 0.0, -0.1, 500.0), "EPSG:4326", None),
        ((float("nan"), 0.0, 10.0, 0.0, -0.1, 50.0), "EPSG:4326", None),
        ((0.1, 0.0), "EPSG:4326", None),
        ("text", "EPSG:4326", None),
        (None, "EPSG:4326", None),
    ],
)
def test_a_place_that_means_nothing_is_none(
    tmp_path: Path, transform: Any, crs: str, place: tuple[float, float] | None
) -> None:
    folder = publish(tmp_path, BY_NAME["m-pv4ger"])
    details = {"Red": {"transform": transform, "crs": crs, "date": dt.date(2020, 1, 1)}, "label": 1}
    with h5py.File(folder / "sample_0.hdf5", "a") as file:
        file.attrs["pickle"] = str(pickle.dumps(details, 4))
    found = opened(folder).read("sample_0", ["Red"])
    assert found.place == (None if place is None else pytest.approx(place))
    assert found.dates == ((2020, 1),)


def test_a_folder_of_another_name_is_known_by_its_specifications(tmp_path: Path) -> None:
    folder = publish(tmp_path, BY_NAME["m-eurosat"])
    other = tmp_path / "copy"
    shutil.copytree(folder, other)
    info = opened(other).info
    assert info.name == "eurosat"
    assert info.bands[-1].sensor == "sentinel-2-l1c"
    assert "band names after B08 corrected" in info.notes[0]

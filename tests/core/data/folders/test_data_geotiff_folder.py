"""Folders of GeoTIFFs read by patterns of their files."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from convert_support import image
from door_support import commands
from folders_support import noise, on_ground, reader, searched

from iterate_core.data.dataset import SPLITS
from iterate_core.errors import RequestError

S2 = ("B02", "B03", "B04", "B8A")
LAND = {10: "trees", 20: "shrubs", 30: "trees", 0: None}


def masked(root: Path, count: int = 10) -> Path:
    """Images, and masks of values that ESA's maps use."""
    for index in range(count):
        image(root / f"images/t{index}.tif", noise(4, 16, index), S2, **on_ground(index))
        values = np.array([0, 10, 20, 30], np.uint8)[noise(1, 16, index) % 4]
        image(root / f"masks/t{index}_mask.tif", values, **on_ground(index))
    return root


def series(root: Path, count: int = 8) -> Path:
    """Two modalities, of three dates and of four, elevation of none, and masks."""
    for index in range(count):
        for number, day in enumerate(("20200711", "20200101", "20210305")):
            image(root / f"s2/t{index}_{day}.tif", noise(4, 16, 10 * index + number), S2)
        for day in range(1, 5):
            decibel = -noise(2, 16, 10 * index + day, "float32") / 100
            image(root / f"s1/t{index}_2020-02-0{day}.tif", decibel, ("VV", "VH"))
        image(root / f"dem/t{index}.tif", noise(1, 16, index, "float32"), ("elevation",))
        image(root / f"masks/t{index}.tif", (noise(1, 16, index) % 2).astype(np.uint8))
    return root


SERIES = {
    "modalities": {
        "s2": {"images": "s2/{key}_{date}.tif", "sensor": "sentinel-2-l2a"},
        "s1": {"images": "s1/{key}_{date}.tif", "unit": "db", "sensor": "sentinel-1"},
        "dem": "dem/{key}.tif",
    },
    "masks": "masks/{key}.tif",
    "classes": ["land", "water"],
    "frames": 3,
}


def test_a_search_runs_on_images_and_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = masked(tmp_path / "land")
    data = {
        "name": "geotiff_folder", "root": str(root), "images": "images/*.tif",
        "masks": "masks/{name}_mask.tif", "classes": LAND,
    }  # fmt: skip
    planned, metrics = searched(commands(monkeypatch, capsys), tmp_path, data, "fcn")
    assert planned["task"] == "segmentation"
    assert planned["classes"] == ["trees", "shrubs"]
    assert planned["samples"] == {"train": 6, "val": 2, "test": 2}
    assert 0 <= metrics["val/miou"] <= 1


def test_masks_hold_the_classes_that_their_values_are_given(tmp_path: Path) -> None:
    options = {"images": "images/{key}.tif", "masks": "masks/{key}_mask.tif", "classes": LAND}
    found = reader(masked(tmp_path), "geotiff_folder", **options)
    sample = found.read("t3", ["B8A"])
    assert np.array_equal(sample.image[0], noise(4, 16, 3)[3])
    assert np.array_equal(sample.target, np.array([255, 0, 1, 0])[noise(1, 16, 3)[0] % 4])


def test_a_search_runs_on_three_dates_of_several_modalities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = series(tmp_path / "series")
    data = {"name": "geotiff_folder", "root": str(root), "images": None, **SERIES}
    planned, metrics = searched(commands(monkeypatch, capsys), tmp_path, data, "fcn")
    assert planned["frames"] == 3
    units = {band["name"]: band["unit"] for band in planned["bands"]}
    assert units == dict.fromkeys(S2, "dn") | {"VV": "db", "VH": "db", "elevation": "metre"}
    assert 0 <= metrics["val/miou"] <= 1


def test_dates_stand_in_order_and_are_spread_over_those_there_are(tmp_path: Path) -> None:
    found = reader(series(tmp_path), "geotiff_folder", **SERIES)
    sample = found.read("t2", ["VH", "B02", "elevation"])
    assert sample.image.shape == (3, 3, 16, 16)
    assert sample.dates == ((2020, 1), (2020, 193), (2021, 64))
    for frame, number in enumerate((1, 0, 2)):  # the days by their order
        assert np.array_equal(sample.image[1, frame], noise(4, 16, 20 + number)[0])
    for frame, day in enumerate((1, 2, 3)):  # the first, second and third of four
        assert np.array_equal(sample.image[0, frame], -noise(2, 16, 20 + day, "float32")[1] / 100)
    assert all(np.array_equal(sample.image[2, f], noise(1, 16, 2)[0]) for f in range(3))
    (sensor,) = {band.sensor for band in found.info.bands if band.name == "VV"}
    assert sensor == "sentinel-1"


def test_all_dates_are_taken_where_each_sample_has_as_many(tmp_path: Path) -> None:
    root = series(tmp_path)
    options = {"images": "s1/{key}_{date}.tif", "masks": "masks/{key}.tif", "unit": "db"}
    found = reader(root, "geotiff_folder", classes=["land", "water"], **options)
    assert found.info.frames == 4
    (root / "s1/t3_2020-02-01.tif").unlink()
    found = reader(root, "geotiff_folder", classes=["land", "water"], **options)
    with pytest.raises(RequestError, match=r"t3 has 3 dates, but others have 4.*data\.frames"):
        found.read("t3", ["VV"])


def test_bands_that_modalities_share_bear_their_names(tmp_path: Path) -> None:
    root = series(tmp_path)
    images = {"a": "s2/{key}_20200711.tif", "b": "s2/{key}_20200101.tif"}
    options = {"masks": "masks/{key}.tif", "classes": ["land", "water"]}
    found = reader(root, "geotiff_folder", modalities=images, **options)
    names = [band.name for band in found.info.bands]
    assert names == [f"{modality}_{band}" for modality in "ab" for band in S2]
    assert np.array_equal(found.read("t1", ["b_B03"]).image[0], noise(4, 16, 11)[1])


def test_the_split_may_stand_in_the_pattern(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        masked(tmp_path / split, 2)
    for split in ("val", "test"):
        for kind, end in (("images", ""), ("masks", "_mask")):
            for index in range(2):
                path = tmp_path / split / kind / f"t{index}{end}.tif"
                path.rename(path.with_name(f"{split}{index}{end}.tif"))
    options = {"images": "{split}/images/*.tif", "masks": "{split}/masks/{name}_mask.tif"}
    found = reader(tmp_path, "geotiff_folder", classes=LAND, **options)
    assert {split: list(found.names(split)) for split in SPLITS} == {
        "train": ["t0", "t1"], "val": ["val0", "val1"], "test": ["test0", "test1"],
    }  # fmt: skip


def test_a_table_gives_numbers_to_images(tmp_path: Path) -> None:
    root = masked(tmp_path, 6)
    rows = [f"t{i},{i / 4},{'train' if i < 2 else 'val' if i < 4 else 'test'}" for i in range(6)]
    (root / "age.csv").write_text("\n".join(["name,age,split", *rows]))
    options = {"images": "images/{key}.tif", "table": "age.csv"}
    found = reader(root, "geotiff_folder", **options)
    assert (found.info.task, found.info.classes) == ("scalar_regression", ("age",))
    assert list(found.names("val")) == ["t2", "t3"]
    assert found.read("t3", ["B02"]).target == pytest.approx([0.75])


def test_a_quantity_of_each_pixel_is_a_regression(tmp_path: Path) -> None:
    for index in range(5):
        values = noise(1, 16, index, "float32")
        values[0, 0, 0] = -1
        image(tmp_path / f"images/{index}.tif", noise(4, 16, index), S2)
        image(tmp_path / f"height/{index}.tif", values, nodata=-1)
    options = {"images": "images/*.tif", "masks": "height/{name}.tif", "task": "regression"}
    found = reader(tmp_path, "geotiff_folder", classes=["height"], **options)
    target = found.read("3", ["B02"]).target
    assert found.info.classes == ("height",)
    assert np.isnan(target[0, 0])  # type: ignore[index]
    assert np.array_equal(target[1:], noise(1, 16, 3)[0, 1:])  # type: ignore[index]


def test_pixels_without_data_leave_the_mask(tmp_path: Path) -> None:
    root = masked(tmp_path)
    pixels = noise(4, 16, 0, "int16")
    pixels[2, 3] = -9999
    image(root / "images/t0.tif", pixels, S2, nodata=-9999)
    options = {"images": "images/{key}.tif", "masks": "masks/{key}_mask.tif", "classes": LAND}
    found = reader(root, "geotiff_folder", mask=True, fill="mean", **options)
    whole = reader(masked(tmp_path / "whole"), "geotiff_folder", **options)
    target, before = (r.read("t0", ["B02"]).target for r in (found, whole))
    assert (target[3] == 255).all()  # type: ignore[index]
    assert np.array_equal(target[4:], before[4:])  # type: ignore[index]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"classes": None}, "data.classes: must name the classes"),
        ({"classes": ["a"]}, r"mask\.tif: holds the values 10, 20, 30.*data\.classes"),
        ({"classes": {10: "a", 20: "b", 30: "c"}}, r"mask\.tif: holds the value 0.*ignore_index"),
        ({"ignore_index": 10}, "data.ignore_index: 10 is the value of 'trees'"),
        ({"masks": "masks/{tile}_mask.tif"}, r"data\.masks: has the field \{tile\}.*\{key\}"),
        ({"masks": "nowhere/{key}.tif"}, r"data\.masks: there is no file .*nowhere"),
        ({"masks": None}, "say what labels the images, one of masks, vectors and table; none is"),
        ({"table": "a.csv"}, "one of masks, vectors and table; said: masks and table"),
        (
            {"modalities": {"a": "*.tif"}},
            r"say one of images and modalities.*; said: images and modalities",
        ),
        ({"images": "../{key}.tif"}, r"data\.images: '\.\./\{key\}\.tif' is no pattern"),
        ({"images": "images/t*.tif", "masks": "masks/t*.tif"}, "no file has its partners"),
        ({"images": "images/{a}{b}.tif", "masks": "masks/{a}.tif"}, "has its partners|partner"),
    ],
)
def test_a_mistake_names_the_file_or_the_key(
    tmp_path: Path, options: dict[str, object], told: str
) -> None:
    given = {"images": "images/{key}.tif", "masks": "masks/{key}_mask.tif", "classes": LAND}
    with pytest.raises(RequestError, match=told):
        reader(masked(tmp_path), "geotiff_folder", **{**given, **options})


def test_files_without_partner_are_refused_or_left_out_with_a_note(tmp_path: Path) -> None:
    root = masked(tmp_path)
    (root / "masks/t3_mask.tif").unlink()
    (root / "images/t4.tif").unlink()
    options = {"images": "images/{key}.tif", "masks": "masks/{key}_mask.tif", "classes": LAND}
    told = r"2 files without partner: images/t3\.tif, masks/t4_mask\.tif.*data\.incomplete"
    with pytest.raises(RequestError, match=told):
        reader(root, "geotiff_folder", **options)
    info = reader(root, "geotiff_folder", incomplete="skip", **options).info
    assert sum(info.sizes.values()) == 8
    assert any("2 files without partner left out" in note for note in info.notes)


def test_a_mask_on_another_grid_is_refused(tmp_path: Path) -> None:
    root = masked(tmp_path)
    image(root / "masks/t2_mask.tif", np.zeros((1, 8, 8), np.uint8))
    options = {"images": "images/{key}.tif", "masks": "masks/{key}_mask.tif", "classes": LAND}
    with pytest.raises(RequestError, match=r"t2_mask\.tif: is \(8, 8\) pixels, but .*t2\.tif is"):
        reader(root, "geotiff_folder", **options).read("t2", ["B02"])


def test_files_that_say_how_numbers_become_reflectance(tmp_path: Path) -> None:
    options = {"images": "images/{key}.tif", "masks": "masks/{key}_mask.tif", "classes": LAND}
    masked(tmp_path)
    for scale, offset, unit in ((2.75e-5, -0.2, "landsat_sr"), (1e-4, -0.1, "dn")):
        for path in (tmp_path / "images").iterdir():
            with rasterio.open(path, "r+") as file:
                file.scales, file.offsets = (scale,) * 4, (offset,) * 4
        found = reader(tmp_path, "geotiff_folder", **options)
        assert {band.unit for band in found.info.bands} == {unit}
    assert found.info.notes[-1].startswith("B02, B03, B04, B8A: read as stored, though t0.tif says")
    assert "0.0001 · x - 0.1" in found.info.notes[-1]
    stated = reader(tmp_path, "geotiff_folder", **options, unit="reflectance")
    assert {band.unit for band in stated.info.bands} == {"reflectance"}

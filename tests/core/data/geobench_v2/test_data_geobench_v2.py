"""GEO-Bench-2 datasets: real files, against direct reads of the same files."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from geobench_v2_support import all_bands, boxes, opened, words, written
from tortilla_support import raster, samples

from iterate_core.data.dataset import SPLITS
from iterate_core.data.geobench_v2.datasets.defects import declared
from iterate_core.data.geobench_v2.synthetic.writer import geotiff_file
from iterate_core.errors import DataError

Find = Callable[[str], Path]


def test_benv2_as_published(shared_data: Find) -> None:
    path = shared_data("geobench_v2/benv2.tortilla")
    reader = opened(path.parent, "benv2")
    info = reader.info
    assert (info.task, len(info.classes), info.frames) == ("multilabel", 19, 1)
    assert (info.height, info.width, info.metres) == (120, 120, 10.0)
    assert info.sizes == {"train": 5, "val": 2, "test": 2}
    twelve = words("B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B11 B12")
    assert all_bands(reader) == [*twelve, "VH", "VV"]
    assert {band.sensor for band in info.bands} == {"sentinel-2-l2a", "sentinel-1"}
    for row, files in samples(path):
        s1, s2 = (raster(path, row, files[name][0]) for name in ("s1", "s2"))
        sample = reader.read(row["tortilla:id"], all_bands(reader))
        np.testing.assert_array_equal(sample.image, np.concatenate([s2, s1]).astype(np.float32))
        only = reader.read(row["tortilla:id"], ["B8A", "B02"])
        assert only.image.dtype == np.uint16
        np.testing.assert_array_equal(only.image, s2[[8, 1]])
        target = np.asarray(sample.target)
        assert {info.classes[index] for index in np.flatnonzero(target)} == set(row["labels"])
        assert (target.shape, target.dtype) == ((19,), np.uint8)
        seen = datetime.strptime(row["patch_id"].split("_")[2][:8], "%Y%m%d").date()
        assert sample.dates == ((seen.year, seen.timetuple().tm_yday),)
        assert sample.place == (row["lat"], row["lon"])


def test_sentinel_1_of_benv2_is_named_right(shared_data: Find) -> None:
    """Over land and water alike the cross-polarised echo is the weaker one."""
    path = shared_data("geobench_v2/benv2.tortilla")
    right, published = opened(path.parent, "benv2"), opened(path.parent, "benv2", compat=True)
    for split in SPLITS:
        for name in right.names(split):
            vv, vh = right.read(name, ["VV", "VH"]).image.mean(axis=(1, 2))
            assert 5 < vv - vh < 15
            swapped = published.read(name, ["VV", "VH"]).image.mean(axis=(1, 2))
            np.testing.assert_array_equal(swapped, [vh, vv])
    told, kept = declared("benv2", compat=False)[0], declared("benv2", compat=True)[0]
    assert (told.statistics["VV"], told.statistics["VH"]) == ((-12.092, 4.5749), (-18.963, 5.3961))
    assert (kept.statistics["VV"], kept.statistics["VH"]) == ((-18.963, 5.3961), (-12.092, 4.5749))
    assert "VH before VV" in right.info.notes[0]
    assert published.info.notes[0].startswith("compat: Sentinel-1 VV and VH carry each other's")
    assert right.fingerprint() != published.fingerprint()


def test_flair2_as_published(shared_data: Find) -> None:
    path = shared_data("geobench_v2/flair2.tortilla")
    reader = opened(path.parent, "flair2")
    assert (reader.info.task, len(reader.info.classes)) == ("segmentation", 13)
    assert reader.info.sizes == {"train": 3, "val": 1, "test": 1}
    assert all_bands(reader) == ["red", "green", "blue", "nir", "elevation"]
    for row, files in samples(path):
        sample = reader.read(row["tortilla:id"], ["elevation", "red", "nir"])
        aerial = raster(path, row, files["aerial"][0])
        mask = raster(path, row, files["mask"][0])[0].astype(int)
        np.testing.assert_array_equal(sample.image, aerial[[4, 0, 3]])
        assert (sample.image.dtype, sample.image.shape) == (np.uint8, (3, 512, 512))
        np.testing.assert_array_equal(sample.target, np.minimum(mask, 13) - 1)
        when = datetime.fromtimestamp(row["stac:time_start"], UTC)
        assert sample.dates == ((when.year, when.timetuple().tm_yday),)


def test_flair2_joins_its_rare_classes(tmp_path: Path) -> None:
    mask = np.arange(1, 20, dtype=np.uint8).reshape(1, 1, 19)
    files = [geotiff_file("aerial", np.ones((5, 1, 19), np.uint8)), geotiff_file("mask", mask)]
    target = opened(written(tmp_path, "flair2", files), "flair2").read("strain", ["red"]).target
    assert np.asarray(target).tolist() == [[*range(13), *[12] * 6]]
    files[1] = geotiff_file("mask", np.zeros((1, 1, 19), np.uint8))
    with pytest.raises(DataError, match=r"the values \[0\], but only \[1, 2,"):
        opened(written(tmp_path, "flair2", files), "flair2").read("strain", ["red"])


def test_pastis_as_published(shared_data: Find) -> None:
    path = shared_data("geobench_v2/pastis.tortilla")
    reader = opened(path.parent, "pastis")
    info = reader.info
    assert (info.task, len(info.classes), info.frames) == ("segmentation", 20, 3)
    assert (info.sizes, info.height, info.width) == ({"train": 5, "val": 2, "test": 2}, 32, 32)
    assert len(info.bands) == 16
    for row, files in samples(path):
        stored = {}
        for name, (_, raw) in files.items():
            with h5py.File.in_memory(raw) as file:
                stored[name] = file["data"][()]
        sample = reader.read(row["tortilla:id"], ["B12", "VV_asc", "VH_desc", "B02"])
        expected = [
            stored["s2"][:, 9],
            stored["s1a"][:, 0],
            stored["s1d"][:, 1],
            stored["s2"][:, 0],
        ]
        np.testing.assert_array_equal(sample.image, np.stack(expected).astype(np.float32))
        assert sample.image.shape == (4, 3, 32, 32)
        np.testing.assert_array_equal(sample.target, stored["semantic"][0])
        days = [datetime.strptime(str(day), "%Y%m%d").date() for day in row["dates"]]
        assert sample.dates == tuple((day.year, day.timetuple().tm_yday) for day in days)
        assert sample.place == (row["lat"], row["lon"])


def test_dates_of_pastis_are_chosen(shared_data: Find) -> None:
    root = shared_data("geobench_v2/pastis.tortilla").parent
    name = opened(root, "pastis").names("test")[0]
    every = opened(root, "pastis").read(name, ["B02", "B08"])
    assert every.dates is not None
    for frames, expected in ((1, [0]), (2, [0, 1]), ((2,), [2]), ((2, 0), [2, 0])):
        reader = opened(root, "pastis", frames=frames)
        sample = reader.read(name, ["B02", "B08"])
        chosen = every.image[:, expected]
        np.testing.assert_array_equal(
            sample.image, chosen if reader.info.frames > 1 else chosen[:, 0]
        )
        assert sample.dates == tuple(every.dates[index] for index in expected)
        assert reader.fingerprint() != opened(root, "pastis").fingerprint()
    for frames in (4, (3,)):
        with pytest.raises(DataError, match=r"has 3 dates, but data\.frames asks for"):
            opened(root, "pastis", frames=frames).read(name, ["B02"])


def test_parcels_of_pastis_are_objects(shared_data: Find) -> None:
    path = shared_data("geobench_v2/pastis.tortilla")
    reader = opened(path.parent, "pastis_r")
    assert reader.info.task == "instance"
    for row, files in samples(path):
        with h5py.File.in_memory(files["instance"][1]) as file:
            numbers = file["data"][()]
        with h5py.File.in_memory(files["semantic"][1]) as file:
            classes = file["data"][0]
        target = boxes(reader.read(row["tortilla:id"], ["B02"]))
        found = [number for number in np.unique(numbers) if number]
        assert target.masks is not None
        assert target.masks.shape == (len(found), 32, 32)
        for number, mask, label, box in zip(
            found, target.masks, target.labels, target.corners, strict=True
        ):
            np.testing.assert_array_equal(mask, numbers == number)
            assert label == np.unique(classes[numbers == number])[0]
            rows, columns = np.nonzero(mask)
            assert (box[0], box[1]) == (columns.min(), rows.min())
            assert box[2] == max(columns.max(), box[0] + 1)
            assert box[3] == max(rows.max(), box[1] + 1)


@pytest.mark.parametrize("dataset", ["everwatch", "wind_turbine"])
def test_boxes_as_published(shared_data: Find, dataset: str) -> None:
    import io

    import pyarrow.parquet

    path = shared_data(f"geobench_v2/{dataset}.tortilla")
    reader = opened(path.parent, dataset)
    info = reader.info
    assert (info.task, info.height, info.width) == ("detection", 512, 512)
    assert info.sizes == {"train": 2, "val": 1, "test": 1}
    for row, files in samples(path):
        sample = reader.read(row["tortilla:id"], ["blue", "green", "red"])
        image = raster(path, row, files["image"][0])
        np.testing.assert_array_equal(sample.image, image[::-1])
        rows = pyarrow.parquet.read_table(io.BytesIO(files["annotations"][1])).to_pylist()
        target = boxes(sample)
        sides = [[entry[side] for side in ("xmin", "ymin", "xmax", "ymax")] for entry in rows]
        assert target.corners.tolist() == sides
        assert target.corners.dtype == np.float32
        names = {"windTurbine": "wind turbine"}
        labels = [names.get(entry["label"], entry["label"]) for entry in rows]
        assert [info.classes[label] for label in target.labels] == labels
        assert sample.dates is None  # a bare year is no day


def test_everwatch_has_eight_birds_and_the_background(shared_data: Find) -> None:
    reader = opened(shared_data("geobench_v2/everwatch.tortilla").parent, "everwatch")
    assert (len(reader.info.classes), reader.info.classes[0]) == (9, "background")
    assert "say seven" in reader.info.notes[0]
    places = [reader.read(name, ["red"]).place for name in reader.names("train")]
    assert places == [None, (pytest.approx(25.92366), pytest.approx(-80.54226))]

"""The GeoBench v1 reader, against direct reads of the same files, and against damaged ones."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iterate_core.data.bands import describe
from iterate_core.data.dataset import SPLITS
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.data.geobench_v1.writer import NewDataset, writing
from iterate_core.data.open import open_dataset
from iterate_core.errors import DataError

Find = Callable[[str], Path]

EUROSAT_MEANS = {  # of the published files, by the names they carry
    "01 - Coastal aerosol": 1355.5, "02 - Blue": 1113.9, "03 - Green": 1035.7, "04 - Red": 928.3,
    "05 - Vegetation Red Edge": 1188.3, "06 - Vegetation Red Edge": 2032.7,
    "07 - Vegetation Red Edge": 2416.5, "08 - NIR": 2342.5, "08A - Vegetation Red Edge": 748.9,
    "09 - Water vapour": 12.0, "10 - SWIR - Cirrus": 1810.1, "11 - SWIR": 1101.4,
    "12 - SWIR": 2644.6,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def opened(root: Path, **options: Any) -> GeoBenchV1:
    return GeoBenchV1(GeoBenchV1Data(root=root, **options))


def as_published(root: Path, means: dict[str, float], date: str = "") -> Path:
    """Three samples as the original project writes them: no file of ours among them."""
    root.mkdir(parents=True)
    for index in range(3):
        with h5py.File(root / f"id_{index}.hdf5", "w") as file:
            for band, mean in means.items():
                file[band + date] = np.full((4, 4), round(mean) + index, np.int16)
            file.attrs["pickle"] = str(pickle.dumps({"label": index, "bands_order": []}, 4))
    names = ["id_0", "id_1", "id_2"]
    partition = {"train": names[:1], "valid": names[1:2], "test": names[2:]}
    (root / "default_partition.json").write_text(json.dumps(partition))
    statistics = {band: {"mean": mean, "max": 3000.0} for band, mean in means.items()}
    (root / "band_stats.json").write_text(json.dumps(statistics))
    (root / "label_map.json").write_text(
        json.dumps({str(i): [name] for i, name in enumerate(names)})
    )
    return root


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Nine samples of two bands with masks, written by our writer."""
    rng = np.random.default_rng(0)
    bands = describe(["B02", "B03", "B8A"])[:2]
    with writing(tmp_path / "small", NewDataset("small", "segmentation", ("a", "b"), bands)) as new:
        for index in range(9):
            mask = rng.integers(0, 2, (6, 5), dtype=np.uint8)
            mask[0, 0] = 255
            image = rng.integers(0, 4000, (2, 6, 5), dtype=np.int16)
            new.add(SPLITS[index // 3], f"s{index}", image, mask)
    return tmp_path / "small"


def test_brick_kiln_as_published(shared_data: Find) -> None:
    root = shared_data("geobench_v1/ccb-test-classification/brick_kiln_v1.0")
    reader = open_dataset(GeoBenchV1Data(root=root))
    info = reader.info
    assert (info.name, info.task) == ("brick_kiln_v1.0", "classification")
    assert info.classes == ("not brick kiln", "brick kiln")
    assert (info.height, info.width, info.sizes) == (64, 64, {"train": 5, "val": 5, "test": 5})
    assert [band.wavelength for band in info.bands] == [
        0.443, 0.49, 0.56, 0.665, 0.705, 0.783, 0.865, 0.842, 1.61, 2.19, None, None, None,
    ]  # fmt: skip
    assert [band.unit for band in info.bands] == ["dn"] * 10 + ["unknown"] * 3
    assert {band.sensor for band in info.bands} == {"sentinel-2-l2a"}
    assert info.metres == 10
    assert any("train and test share 5 samples" in note for note in info.notes)
    for name in reader.names("train"):
        sample = reader.read(name, ["04 - Red", "12 - SWIR", "02 - Blue"])
        with h5py.File(root / f"{name}.hdf5") as file:
            for pixels, band in zip(
                sample.image, ("04 - Red", "09 - Water vapour", "02 - Blue"), strict=True
            ):
                np.testing.assert_array_equal(pixels, file[band][()])
        assert sample.target == 0
        assert isinstance(sample.target, int)


def test_chesapeake_as_published_without_specifications(shared_data: Find) -> None:
    root = shared_data("geobench_v1/ccb-test-segmentation/cvpr_chesapeake_landcover")
    reader = opened(root)
    assert (reader.info.task, len(reader.info.classes)) == ("segmentation", 7)
    assert [band.name for band in reader.info.bands] == ["Red", "Green", "Blue", "NearInfrared"]
    assert {(band.unit, band.sensor) for band in reader.info.bands} == {("fraction", "aerial")}
    assert reader.info.metres == 1
    shares = json.loads((root / "label_stats.json").read_text())
    for name in reader.names("val"):
        sample = reader.read(name, ["NearInfrared", "Red"])
        with h5py.File(root / f"{name}.hdf5") as file:
            np.testing.assert_array_equal(sample.image, [file["NearInfrared"], file["Red"]])
            np.testing.assert_array_equal(sample.target, file["label"])
        assert sample.image.dtype == np.float32
        found = np.bincount(np.asarray(sample.target).ravel(), minlength=7) / 256**2
        np.testing.assert_allclose(found, shares[name], atol=1e-15)


def test_the_request_names_classes_that_the_files_only_count(shared_data: Find) -> None:
    root = shared_data("geobench_v1/ccb-test-segmentation/cvpr_chesapeake_landcover")
    names = ("no data", "water", "trees", "grass", "bare", "impervious", "roads")
    assert opened(root, classes=names).info.classes == names
    with pytest.raises(DataError, match=r"data\.task: is 'classification', but the files"):
        opened(root, task="classification")


def test_the_shifted_names_of_eurosat_are_corrected(tmp_path: Path) -> None:
    root = as_published(tmp_path / "m-eurosat", EUROSAT_MEANS)
    reader = opened(root)
    asked = ["B8A", "B09", "B10", "B11", "B12", "B08"]
    names = [
        "08A - Vegetation Red Edge", "09 - Water vapour", "10 - SWIR - Cirrus", "11 - SWIR",
        "12 - SWIR", "08 - NIR",
    ]  # fmt: skip
    values = reader.read("id_0", names).image[:, 0, 0].tolist()
    assert dict(zip(asked, values, strict=True)) == {
        "B8A": 2645, "B09": 749, "B10": 12, "B11": 1810, "B12": 1101, "B08": 2342,
    }  # fmt: skip
    assert "band names after B08 corrected" in reader.info.notes[0]
    assert all(band.unit == "dn" for band in reader.info.bands)


def test_compat_reproduces_the_shifted_names(tmp_path: Path) -> None:
    root = as_published(tmp_path / "m-eurosat", EUROSAT_MEANS)
    corrected, compat = opened(root), opened(root, compat=True)
    assert compat.read("id_0", ["12 - SWIR"]).image[0, 0, 0] == 2645
    assert compat.info.notes[0].startswith("compat:")
    assert compat.fingerprint() != corrected.fingerprint()


def test_statistics_that_prove_right_names_are_believed(tmp_path: Path) -> None:
    right = dict(EUROSAT_MEANS)
    right |= {"09 - Water vapour": 748.9, "10 - SWIR - Cirrus": 12.0}
    reader = opened(as_published(tmp_path / "m-eurosat", right))
    assert reader.read("id_0", ["09 - Water vapour"]).image[0, 0, 0] == 749
    assert reader.info.notes == ()


def test_dated_bands_are_found_by_their_names(tmp_path: Path) -> None:
    means = {"02 - Blue": 72.9, "05 - NIR": 124.0}
    root = as_published(tmp_path / "m-forestnet", means, date="_2012-05-01")
    reader = opened(root)
    assert [band.name for band in reader.info.bands] == ["02 - Blue", "05 - NIR"]
    assert reader.read("id_1", ["05 - NIR"]).image[0, 0, 0] == 125
    with h5py.File(root / "id_1.hdf5", "a") as file:
        file["05 - NIR_2013-01-01"] = np.zeros((4, 4), np.int16)
    with pytest.raises(DataError, match=r"id_1\.hdf5: .*'05 - NIR' at several dates"):
        reader.read("id_1", ["05 - NIR"])


def test_bands_order_of_the_samples_is_honoured(tmp_path: Path) -> None:
    root = as_published(tmp_path / "x", {"a": 1, "b": 2, "c": 3})
    for index in range(3):
        with h5py.File(root / f"id_{index}.hdf5", "a") as file:
            details = {"label": 0, "bands_order": ["c", "a", "b"]}
            file.attrs["pickle"] = str(pickle.dumps(details, 4))
    assert [band.name for band in opened(root).info.bands] == ["c", "a", "b"]


def test_multi_hot_labels_from_the_sample_or_the_label_file(tmp_path: Path) -> None:
    root = as_published(tmp_path / "m-bigearthnet", {"02 - Blue": 480.0})
    vectors = {f"id_{index}": [int(index == place) for place in range(4)] for index in range(3)}
    (root / "label_stats.json").write_text(json.dumps(vectors))
    with h5py.File(root / "id_0.hdf5", "a") as file:
        file.attrs["pickle"] = str(pickle.dumps({"label": np.array([1, 0, 0, 1])}, 4))
    with h5py.File(root / "id_1.hdf5", "a") as file:
        file.attrs["pickle"] = str(pickle.dumps({}, 4))
    reader = opened(root)
    assert (reader.info.task, len(reader.info.classes)) == ("multilabel", 4)
    np.testing.assert_array_equal(reader.read("id_0", ["02 - Blue"]).target, [1, 0, 0, 1])
    np.testing.assert_array_equal(reader.read("id_1", ["02 - Blue"]).target, [0, 1, 0, 0])


def test_partitions_change_training_samples_alone(small: Path) -> None:
    whole, third = opened(small), opened(small, partition="0.50x")
    assert third.info.sizes == {"train": 2, "val": 3, "test": 3}
    assert set(third.names("train")) < set(whole.names("train"))
    assert third.names("test") == whole.names("test")
    assert third.fingerprint() != whole.fingerprint()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda root: shutil.rmtree(root), r"small: is not a folder of a dataset"),
        (
            lambda root: (root / "default_partition.json").unlink(),
            r"default_partition\.json: does not exist\. There are: 0\.01x_train_partition\.json",
        ),
        (lambda root: (root / "s4.hdf5").unlink(), r"1 of 9 samples have no file.*s4\.hdf5"),
        (
            lambda root: (root / "default_partition.json").write_text('{"train": ["../../s0"]}'),
            r"'\.\./\.\./s0', which is not a plain file name",
        ),
        (
            lambda root: (root / "default_partition.json").write_text('{"train": []}'),
            r"split|'valid'",
        ),
        (lambda root: (root / "dataset.json").write_text("{"), r"dataset\.json: is not valid JSON"),
        (
            lambda root: (root / "dataset.json").write_text('{"clases": []}'),
            r"dataset\.json: clases: unknown key\. Did you mean 'classes'",
        ),
        (
            lambda root: (root / "s0.hdf5").write_bytes(b"x" * 99),
            r"s0\.hdf5: is not a readable HDF5",
        ),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_when_it_is_opened(
    small: Path, harm: Callable[[Path], Any], message: str
) -> None:
    harm(small)
    with pytest.raises(DataError, match=message):
        opened(small)


def edited(path: Path, change: Callable[[h5py.File], Any]) -> None:
    with h5py.File(path, "a") as file:
        change(file)


def _mask(file: h5py.File, mask: Any) -> None:
    del file["label"]
    file["label"] = mask


def _replaced(file: h5py.File, band: str, found: Any) -> None:
    del file[band]
    file[band] = found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.pop("B03"), r"s8\.hdf5: lacks band 'B03'; it holds B02, label"),
        (lambda file: file.pop("label"), r"s8\.hdf5: lacks the mask 'label'"),
        (
            lambda file: _mask(file, np.full((6, 5), 7)),
            r"mask values \[7\], but there are 2 classes",
        ),
        (lambda file: _mask(file, np.full((6, 5), -1)), r"mask values \[-1\]"),
        (lambda file: _mask(file, np.full((6, 5), 0.5)), r"must hold whole numbers"),
        (lambda file: _mask(file, np.zeros((5, 6), int)), r"'label' is \(5, 6\) pixels"),
        (lambda file: _replaced(file, "B02", np.zeros((7, 5))), r"'B02' is \(7, 5\) pixels"),
        (
            lambda file: _replaced(file, "B02", np.array(b"text")),
            r"'B02' must be .* array of numbers",
        ),
        (
            lambda file: _replaced(file, "B02", h5py.ExternalLink("/etc/hostname", "/B02")),
            r"'B02' is a link, which is not followed",
        ),
    ],
)
def test_what_is_wrong_with_a_sample_is_said_when_it_is_read(
    small: Path, change: Callable[[h5py.File], Any], message: str
) -> None:
    reader = opened(small)
    edited(small / "s8.hdf5", change)
    with pytest.raises(DataError, match=message):
        reader.read("s8", ["B02", "B03"])


@pytest.mark.parametrize("label", [3, -1, 1.5, "a", True, None])
def test_a_label_must_be_one_of_the_classes(tmp_path: Path, label: Any) -> None:
    root = as_published(tmp_path / "x", {"a": 1})
    reader = opened(root)
    edited(
        root / "id_2.hdf5",
        lambda file: file.attrs.update(pickle=str(pickle.dumps({"label": label}, 4))),
    )
    with pytest.raises(DataError, match=r"id_2\.hdf5: has (the|no) label"):
        reader.read("id_2", ["a"])


def test_pixels_kept_outside_the_file_are_not_read(small: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(60))
    reader = opened(small)

    def outside(file: h5py.File) -> None:
        del file["B02"]
        file.create_dataset("B02", (6, 5), "i2", external=[(str(secret), 0, 60)])

    edited(small / "s8.hdf5", outside)
    with pytest.raises(DataError, match="not an array that lies in this file"):
        reader.read("s8", ["B02"])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_give_an_error_or_the_right_data(small: Path, data: st.DataObject) -> None:
    path, intact = small / "s0.hdf5", (small / "s1.hdf5").read_bytes()
    path.write_bytes(intact)
    expected = opened(small).read("s1", ["B03", "B02"])
    reader = opened(small)
    damaged = bytearray(intact[: data.draw(st.integers(0, len(intact)))])
    if len(damaged) == len(intact) or data.draw(st.booleans()):
        damaged = bytearray(intact)
        for _ in range(data.draw(st.integers(1, 8))):
            damaged[data.draw(st.integers(0, len(intact) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)
    try:
        found = reader.read("s0", ["B03", "B02"])
    except DataError as error:
        assert "s0.hdf5" in str(error)  # noqa: PT017 - either outcome is right
    else:
        np.testing.assert_array_equal(found.image, expected.image)
        np.testing.assert_array_equal(found.target, expected.target)


def test_the_fingerprint_follows_content_alone(small: Path, tmp_path: Path) -> None:
    before = opened(small).fingerprint()
    for path in small.iterdir():
        os.utime(path, (1, 1))
    assert opened(small).fingerprint() == before
    shutil.copytree(small, tmp_path / "copy")
    assert opened(tmp_path / "copy").fingerprint() == before
    raw = bytearray((small / "s7.hdf5").read_bytes())
    raw[-1] ^= 1
    (small / "s7.hdf5").write_bytes(raw)
    os.utime(small / "s7.hdf5", (1, 1))
    assert opened(small).fingerprint() != before


def test_the_fingerprint_reads_unchanged_files_once(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from iterate_core.storage import digests

    monkeypatch.setattr(digests, "SETTLED_SECONDS", -1.0)
    first = opened(small).fingerprint()

    def refuse(path: Path) -> str:
        raise AssertionError(f"{path} is read again")

    monkeypatch.setattr(digests, "_digest", refuse)
    assert opened(small).fingerprint() == first
    (small / "s3.hdf5").write_bytes(b"changed")
    with pytest.raises(AssertionError, match=r"s3\.hdf5 is read again"):
        opened(small).fingerprint()

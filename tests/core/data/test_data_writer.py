"""What the GeoBench v1 writer writes: read back value by value, whole or not at all."""

import json
import multiprocessing
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from iterate_core.data.bands import describe
from iterate_core.data.dataset import SPLITS, Band
from iterate_core.data.draws import draw_share
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.data.geobench_v1.writer import NewDataset, writing
from iterate_core.errors import DataError, RequestError

NAMES = st.text(
    st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in (".", "label"))


@st.composite
def datasets(draw: Any) -> tuple[NewDataset, list[tuple[str, Any, Any]]]:
    task = draw(st.sampled_from(["classification", "segmentation", "multilabel"]))
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    classes = tuple(draw(st.lists(st.text(max_size=8), min_size=1, max_size=4, unique=True)))
    bands = tuple(Band(name, "red", draw(st.none() | st.floats(0.1, 15)), "dn") for name in names)
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    kind = draw(st.sampled_from(["uint8", "int16", "uint16", "float32", "float64", "<i4", ">f4"]))
    finite = {} if "f" not in kind else {"min_value": -(2.0**90), "max_value": 2.0**90}
    pixels = arrays.arrays(
        kind, (len(names), *shape), elements=arrays.from_dtype(np.dtype(kind), **finite)
    )
    label = st.integers(0, len(classes) - 1)
    targets: Any = {
        "classification": label,
        "segmentation": arrays.arrays("int16", shape, elements=label | st.just(255)),
        "multilabel": arrays.arrays("uint8", len(classes), elements=st.integers(0, 1)),
    }[task]
    samples = [(f"s{index}", draw(pixels), draw(targets)) for index in range(3)]
    return NewDataset("drawn", task, classes, bands, licence="MIT"), samples


@settings(max_examples=60, deadline=None)
@given(drawn=datasets())
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[NewDataset, list[tuple[str, Any, Any]]]
) -> None:
    dataset, samples = drawn
    root = tmp_path_factory.mktemp("written") / "set"
    with writing(root, dataset) as writer:
        for split, (name, image, target) in zip(SPLITS, samples, strict=True):
            writer.add(split, name, image, target)
    reader = GeoBenchV1(GeoBenchV1Data(root=root))
    info = reader.info
    assert (info.name, info.task, info.classes) == ("drawn", dataset.task, dataset.classes)
    assert (info.bands, info.licence, info.ignore_index) == (dataset.bands, "MIT", 255)
    backwards = [band.name for band in reversed(dataset.bands)]
    for name, image, target in samples:
        found = reader.read(name, backwards)
        np.testing.assert_array_equal(found.image, image[::-1])
        assert found.image.dtype == image.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found.target, target)


def classification(root: Path, counts: tuple[int, ...], seed: int = 0) -> dict[str, int]:
    """A dataset with so many training samples of each class; returns their labels."""
    dataset = NewDataset("c", "classification", tuple("abcdefgh"[: len(counts)]), describe(["B02"]))
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    with writing(root, dataset, seed) as writer:
        for index, label in enumerate(labels):
            writer.add("train", f"t{index}", np.full((1, 2, 2), index, np.int16), label)
        writer.add("val", "v", np.zeros((1, 2, 2), np.int16), 0)
        writer.add("test", "x", np.zeros((1, 2, 2), np.int16), 0)
    return {f"t{index}": label for index, label in enumerate(labels)}


def test_partitions_are_stratified_and_fixed_by_the_seed(tmp_path: Path) -> None:
    labels = classification(tmp_path / "a", (60, 30, 10))
    classification(tmp_path / "b", (60, 30, 10))
    classification(tmp_path / "c", (60, 30, 10), seed=1)
    for fraction, counts in {
        "0.01x": {0: 0, 1: 0, 2: 1},
        "0.05x": {0: 3, 1: 1, 2: 1},
        "0.10x": {0: 6, 1: 3, 2: 1},
        "0.50x": {0: 30, 1: 15, 2: 5},
        "1.00x": {0: 60, 1: 30, 2: 10},
    }.items():
        name = f"{fraction}_train_partition.json"
        first, same, other = (
            json.loads((tmp_path / folder / name).read_text()) for folder in "abc"
        )
        found = Counter(labels[sample] for sample in first["train"])
        assert all(abs(found[label] - count) <= 1 for label, count in counts.items()), fraction
        assert sum(found.values()) == sum(counts.values())
        assert first == same
        assert (first == other) == (fraction == "1.00x")
        assert (first["valid"], first["test"]) == (["v"], ["x"])


@given(
    present=arrays.arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(1, 5))),
    data=st.data(),
)
def test_a_draw_covers_every_class_it_can(present: Any, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(present)))
    chosen = draw_share(present, count, np.random.default_rng(0))
    assert len(chosen) == len(set(chosen)) == count
    if count >= present.shape[1]:
        assert (present[chosen].any(axis=0) == present.any(axis=0)).all()


def test_statistics_are_those_of_the_training_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    train = rng.normal(900, 300, (12, 2, 30, 30)).astype(np.float32)  # 900 pixels: all are drawn
    masks = rng.integers(0, 3, (12, 30, 30), dtype=np.uint8)
    dataset = NewDataset("s", "segmentation", ("a", "b", "c"), describe(["B02", "B8A"]))
    with writing(tmp_path / "s", dataset) as writer:
        for index, (image, mask) in enumerate(zip(train, masks, strict=True)):
            writer.add("train", f"t{index}", image, mask)
        writer.add("val", "v", 9 * train[0], masks[0])
        writer.add("test", "x", 9 * train[0], masks[0])
    found = json.loads((tmp_path / "s/band_stats.json").read_text())
    assert list(found) == ["B02", "B8A", "label"]
    for values, name in ((train[:, 1], "B8A"), (masks, "label")):
        pixels = values.astype(np.float64)
        expected = {
            "min": pixels.min(),
            "max": pixels.max(),
            "mean": pixels.mean(),
            "std": pixels.std(),
            "median": np.median(pixels),
            "percentile_0_1": np.percentile(pixels, 0.1),
            "percentile_99": np.percentile(pixels, 99),
        }
        for key, value in expected.items():
            assert found[name][key] == pytest.approx(value, rel=1e-12), (name, key)
    shares = json.loads((tmp_path / "s/label_stats.json").read_text())["t3"]
    np.testing.assert_allclose(shares, np.bincount(masks[3].ravel(), minlength=3) / 900)


def test_one_seed_gives_one_set_of_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        classification(tmp_path / folder, (5, 4))
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_the_pickled_attribute_is_plain_for_anyone(tmp_path: Path) -> None:
    import ast
    import pickle

    classification(tmp_path / "c", (2,))
    with h5py.File(tmp_path / "c/t1.hdf5") as file:
        details = pickle.loads(ast.literal_eval(file.attrs["pickle"]))
    assert details["label"] == 0
    assert details["bands_order"] == ["B02"]
    assert details["B02"]["band_info"] == {
        "name": "B02", "common": "blue", "wavelength": 0.49, "unit": "unknown",
        "sensor": "sentinel-2",
    }  # fmt: skip


IMAGE = np.zeros((1, 2, 2), np.float32)


@pytest.mark.parametrize(
    ("name", "image", "target", "message"),
    [
        ("t0", IMAGE, 0, "sample t0: is written already"),
        ("../out", IMAGE, 0, "is no file name"),
        ("s", np.zeros((2, 2, 2)), 0, r"must be \(1 bands, height, width\)"),
        ("s", np.zeros((1, 3, 2), np.float32), 0, r"float32 \(1, 3, 2\), but 't0' is"),
        ("s", np.zeros((1, 2, 2), np.int16), 0, "int16"),
        ("s", np.full((1, 2, 2), np.nan, np.float32), 0, "4 pixel values that are not finite"),
        ("s", np.full((1, 2, 2), -3.4e38, np.float32), 0, r"4 pixel values such as -3\.4e\+38"),
        ("s", IMAGE, 2, r"has the labels \[2\], but there are 2 classes"),
        ("s", IMAGE, -1, r"has the labels \[-1\]"),
        ("s", IMAGE, 0.5, "a whole number"),
        ("s", IMAGE, np.zeros((2, 2), int), r"shape \(2, 2\)"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused_and_nothing_is_left(
    tmp_path: Path, name: str, image: Any, target: Any, message: str
) -> None:
    dataset = NewDataset("c", "classification", ("a", "b"), describe(["B02"]))

    def write() -> None:
        with writing(tmp_path / "set", dataset) as writer:
            writer.add("train", "t0", IMAGE, 1)
            writer.add("val", name, image, target)

    with pytest.raises(DataError, match=message):
        write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bands": (Band("a/b"),)}, "'a/b' cannot name a band"),
        ({"bands": (Band("label"),)}, "'label' cannot name a band"),
        ({"bands": (Band("a"), Band("a"))}, "must be distinct"),
        ({"bands": ()}, "at least one"),
        ({"classes": ("a", "a")}, "classes: must be distinct"),
        ({"task": "segmentation", "ignore_index": 1}, "1 is the index of 'b'"),
        ({"task": "detection"}, "'detection' cannot be written"),
    ],
)
def test_a_declaration_that_cannot_be_written_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    fields = {"task": "classification", "classes": ("a", "b"), "bands": describe(["B02"])}
    with (
        pytest.raises(RequestError, match=message),
        writing(tmp_path / "set", NewDataset("c", **(fields | change))),
    ):
        pass


def test_a_folder_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/mine").write_text("mine")
    with pytest.raises(RequestError, match="exists already"):
        classification(tmp_path / "set", (1,))
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["mine"]


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    dataset = NewDataset("c", "classification", ("a",), describe(["B02"]))
    with (
        pytest.raises(DataError, match="the val split has no samples"),
        writing(tmp_path / "set", dataset) as writer,
    ):
        writer.add("train", "t0", IMAGE, 0)


def _write_and_die(root: Path) -> None:
    dataset = NewDataset("c", "classification", ("a",), describe(["B02"]))
    with writing(root, dataset) as writer:
        writer.add("train", "t0", IMAGE, 0)
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_write_leaves_no_dataset(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_write_and_die, args=(tmp_path / "set",)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "set").exists()
    classification(tmp_path / "set", (1,))
    assert GeoBenchV1(GeoBenchV1Data(root=tmp_path / "set")).info.sizes["train"] == 1

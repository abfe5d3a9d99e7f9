"""Conversion of arrays and folders: value by value, and nothing dropped quietly."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from convert_support import image, opened

from iterate_core.data.convert.convert import convert
from iterate_core.data.dataset import SPLITS
from iterate_core.errors import DataError, RequestError

Find = Callable[[str], Path]


def arrays(path: Path, **content: Any) -> Path:
    np.savez(path, **content)
    return path


PIXELS = np.random.default_rng(0).integers(0, 4000, (9, 2, 5, 6), dtype=np.uint16)
THREE = {"split": np.repeat([0, 1, 2], 3), "band_names": ["B02", "B8A"]}


def test_eurosat_value_by_value(shared_data: Find, tmp_path: Path) -> None:
    source = shared_data("eurosat_rgb/eurosat_rgb_3000.npz")
    with np.load(source) as file:
        every = {name: file[name] for name in file.files}
    keep = np.concatenate([np.flatnonzero(every["split"] == split)[:40] for split in range(3)])
    part = {name: values[keep] if len(values) == 3000 else values for name, values in every.items()}
    info = convert(arrays(tmp_path / "part.npz", **part), tmp_path / "out", licence="MIT")
    assert info.sizes == {"train": 40, "val": 40, "test": 40}
    assert info.classes == tuple(every["class_names"])
    assert [(band.common, band.unit) for band in info.bands] == [
        ("red", "uint8"), ("green", "uint8"), ("blue", "uint8"),
    ]  # fmt: skip
    reader = opened(tmp_path / "out")
    for position, index in enumerate(keep):
        name = Path(every["files"][index]).stem
        sample = reader.read(name, ["blue", "red", "green"])
        assert name in reader.names(SPLITS[every["split"][index]])
        np.testing.assert_array_equal(
            sample.image, np.moveaxis(every["images"][index], -1, 0)[[2, 0, 1]]
        )
        assert sample.target == every["labels"][index] == part["labels"][position]


def test_cloudshadow_value_by_value(shared_data: Find, tmp_path: Path) -> None:
    source = shared_data("segmentation/cloudshadow_64.npz")
    info = convert(source, tmp_path / "out")
    assert info.sizes == {"train": 120, "val": 36, "test": 36}
    assert [band.common for band in info.bands] == [
        "blue",
        "green",
        "red",
        "nir",
        "swir_1",
        "swir_2",
    ]
    assert {band.unit for band in info.bands} == {"dn"}
    assert info.notes == ("arrays not taken over: source, chip_rc",)
    reader = opened(tmp_path / "out")
    with np.load(source) as file:
        images, masks, splits = file["images"], file["masks"], file["split"]
    for index in range(len(images)):
        sample = reader.read(f"sample_{index:06d}", ["swir16", "blue"])
        np.testing.assert_array_equal(sample.image, images[index][[4, 0]])
        np.testing.assert_array_equal(sample.target, masks[index])
        assert sample.name in reader.names(SPLITS[splits[index]])


def test_another_split_of_the_same_arrays(shared_data: Find, tmp_path: Path) -> None:
    source = shared_data("segmentation/flair2_128.npz")
    info = convert(source, tmp_path / "out", split="split_by_area")
    with np.load(source) as file:
        counts = np.bincount(file["split_by_area"])
    assert [info.sizes[split] for split in SPLITS] == counts.tolist()
    assert info.notes[-1] == "split as in 'split_by_area'"


def test_real_geotiffs_in_class_folders(shared_data: Find, tmp_path: Path) -> None:
    names = [
        "B01",
        "B02",
        "B03",
        "B04",
        "B05",
        "B06",
        "B07",
        "B08",
        "B09",
        "B10",
        "B11",
        "B12",
        "B8A",
    ]
    paths = sorted(shared_data("eurosat_ms").glob("*.tif"))
    for path in paths:
        folder = tmp_path / "in" / path.stem.split("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=r"does not name its 13 bands\. List them with --bands"):
        convert(tmp_path / "in", tmp_path / "out")
    with pytest.raises(DataError, match=r"1 band is named \(B02\), but .* has 13"):
        convert(tmp_path / "in", tmp_path / "out", bands=["B02"])
    info = convert(tmp_path / "in", tmp_path / "out", bands=names, split="0.4,0.3,0.3")
    assert (info.classes, info.sizes) == (("AnnualCrop", "Forest"), dict.fromkeys(SPLITS, 2))
    assert info.bands[12].common == "nir_narrow"
    reader = opened(tmp_path / "out")
    for path in paths:
        sample = reader.read(path.stem, ["B8A", "B01"])
        with rasterio.open(path) as file:
            np.testing.assert_array_equal(sample.image, file.read([13, 1]))
        assert info.classes[int(np.asarray(sample.target))] == path.stem.split("_")[0]


@pytest.mark.parametrize("layout", ["channels-first", "channels-last"])
def test_the_band_axis_is_found(tmp_path: Path, layout: str) -> None:
    images = PIXELS if layout == "channels-first" else np.moveaxis(PIXELS, 1, -1)
    masks = np.zeros((9, 5, 6), np.uint8)
    for number, content in enumerate(
        (
            {"masks": masks, **THREE},
            {"labels": np.zeros(9, int), **THREE},
            {"labels": np.zeros(9, int), "split": THREE["split"]},
        )
    ):
        source = arrays(tmp_path / f"{number}.npz", images=images, **content)
        convert(source, tmp_path / f"{number}", bands=["B02", "B8A"])
        sample = opened(tmp_path / f"{number}").read("sample_000004", ["B02", "B8A"])
        np.testing.assert_array_equal(sample.image, PIXELS[4])


def test_an_ambiguous_band_axis_must_be_said(tmp_path: Path) -> None:
    images = np.arange(3 * 8 * 8 * 8, dtype=np.int16).reshape(3, 8, 8, 8)
    names = [f"b{index}" for index in range(8)]
    source = arrays(tmp_path / "x.npz", images=images, labels=np.zeros(3, int), split=[0, 1, 2])
    with pytest.raises(DataError, match="does not show which axis holds the bands"):
        convert(source, tmp_path / "out", bands=names)
    convert(source, tmp_path / "out", bands=names, layout="channels-last")
    sample = opened(tmp_path / "out").read("sample_000001", ["b3"])
    np.testing.assert_array_equal(sample.image[0], images[1, :, :, 3])


def test_text_labels_and_multi_hot_labels(tmp_path: Path) -> None:
    words = np.array(["sea", "land", "sea"] * 3)
    info = convert(arrays(tmp_path / "a.npz", images=PIXELS, labels=words, **THREE), tmp_path / "a")
    assert info.classes == ("land", "sea")
    assert opened(tmp_path / "a").read("sample_000000", ["B02"]).target == 1
    table = np.eye(3, dtype=bool)[[0, 1, 2] * 3]
    info = convert(arrays(tmp_path / "b.npz", images=PIXELS, labels=table, **THREE), tmp_path / "b")
    assert (info.task, info.classes) == ("multilabel", ("class 0", "class 1", "class 2"))


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ({"labels": np.zeros(9, int)}, {}, "has no array 'images'"),
        ({"images": PIXELS}, {}, "has no array 'labels', 'masks' or 'targets'"),
        ({"images": PIXELS, "labels": np.zeros(8, int)}, {}, "9 images, but 8 targets"),
        ({"images": PIXELS, "labels": np.zeros(9)}, {}, "'labels' must hold whole numbers"),
        (
            {"images": PIXELS, "labels": np.zeros(9, int), "masks": np.zeros((9, 5, 6), int)},
            {},
            "holds labels and masks",
        ),
        (
            {"images": PIXELS, "labels": np.full(9, 2), "class_names": ["a", "b"]},
            {},
            "has the label 2, but 2 classes are named: a, b",
        ),
        ({"images": PIXELS, "labels": np.full(9, -1)}, {}, "has the label -1"),
        ({"images": PIXELS, "labels": np.zeros(9, int), "split": [0] * 8}, {}, "shape \\(8,\\)"),
        ({"images": PIXELS, "labels": np.zeros(9, int), "split": [7] * 9}, {}, "'split' holds 7"),
        (
            {"images": PIXELS, "masks": np.full((9, 5, 6), 3)},
            {"classes": ["a"], "ignore_index": 9},
            "has the label 3",
        ),
        ({"images": PIXELS, "labels": np.zeros(9, int)}, {"split": "0.5,0.5"}, "three positive"),
        (
            {"images": PIXELS, "labels": np.zeros(9, int)},
            {"split": "areas"},
            "no array of the source",
        ),
        (
            {"images": PIXELS, "labels": np.zeros(9, int)},
            {"unit": "metres"},
            "Did you mean 'metre'",
        ),
        (
            {"images": PIXELS, "labels": np.zeros(9, int)},
            {"task": "segmentation"},
            "is for classification, not for segmentation",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, content: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    source = arrays(tmp_path / "x.npz", **content)
    with pytest.raises(RequestError, match=message):
        convert(source, tmp_path / "out", **({"bands": ["B02", "B8A"]} | options))
    assert not (tmp_path / "out").exists()


def test_a_pickle_inside_an_npz_is_not_read(tmp_path: Path) -> None:
    source = arrays(tmp_path / "x.npz", images=PIXELS, labels=np.array([{}] * 9, dtype=object))
    with pytest.raises(DataError, match=r"x\.npz: is not a readable \.npz file of plain arrays"):
        convert(source, tmp_path / "out")
    source.write_bytes(source.read_bytes()[:100])
    with pytest.raises(DataError, match=r"x\.npz: is not a readable"):
        convert(source, tmp_path / "out")


def test_a_drawn_split_is_stratified_and_fixed_by_its_seed(tmp_path: Path) -> None:
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    images = np.zeros((100, 2, 3, 4), np.uint16)
    source = arrays(tmp_path / "x.npz", images=images, labels=labels, band_names=["B02", "B8A"])
    found = {}
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        info = convert(source, tmp_path / folder, split="0.5,0.3,0.2", seed=seed)
        assert info.sizes == {"train": 50, "val": 30, "test": 20}
        assert "split drawn in proportion 0.5/0.3/0.2" in info.notes[-1]
        names = opened(tmp_path / folder).names
        found[folder] = {split: set(names(split)) for split in SPLITS}
        for split, share in zip(SPLITS, (0.5, 0.3, 0.2), strict=True):
            counts = Counter(labels[int(name[-6:])] for name in names(split))
            assert all(
                abs(counts[label] - share * total) <= 1
                for label, total in ((0, 60), (1, 30), (2, 10))
            )
    assert found["a"] == found["b"] != found["c"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.csv", "file,split\na.png,train\nb.png,validation\nc.png,test\n"),
        ("s.json", json.dumps({"train": ["a"], "val": ["b"], "test": ["c"]})),
        ("s.json", json.dumps({"images/a.png": "train", "b": "valid", "c": "test"})),
    ],
)
def test_images_beside_masks_with_a_split_file(tmp_path: Path, name: str, text: str) -> None:
    rng = np.random.default_rng(1)
    root = tmp_path / "in"
    pixels = {stem: rng.integers(0, 255, (3, 8, 9), dtype=np.uint8) for stem in "abc"}
    masks = {stem: rng.choice([0, 1, 9], (1, 8, 9)).astype(np.uint8) for stem in "abc"}
    for stem in "abc":
        image(root / f"images/{stem}.png", pixels[stem])
        image(root / f"masks/{stem}.tif", masks[stem], nodata=9)
    (root / name).write_text(text)
    (root / "README.md").write_text("about")
    info = convert(root, tmp_path / "out", split=str(root / name), classes=["sea", "land"])
    assert (info.classes, info.ignore_index) == (("sea", "land"), 9)
    assert [band.common for band in info.bands] == ["red", "green", "blue"]
    reader = opened(tmp_path / "out")
    assert [list(reader.names(split)) for split in SPLITS] == [["a"], ["b"], ["c"]]
    for stem in "abc":
        sample = reader.read(stem, ["red", "green", "blue"])
        np.testing.assert_array_equal(sample.image, pixels[stem])
        np.testing.assert_array_equal(sample.target, masks[stem][0])


def test_split_folders_and_band_descriptions(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        for label in ("a", "b"):
            pixels = np.full((2, 4, 4), 100 * ord(label), np.uint16)
            path = tmp_path / "in" / split / label / "1.tif"
            image(path, pixels, ("B03", "B8A"), nodata=0)
    info = convert(tmp_path / "in", tmp_path / "out", name="mine", origin="here")
    assert (info.name, info.source) == ("mine", "here")
    assert info.notes == ()  # no pixel has the files' nodata value
    assert [band.common for band in info.bands] == ["green", "nir_narrow"]
    reader = opened(tmp_path / "out")
    assert sorted(reader.names("val")) == ["valid-a-1", "valid-b-1"]
    assert reader.read("valid-b-1", ["B8A"]).image[0, 0, 0] == 9800


def classes(root: Path) -> None:
    for label in ("a", "b"):
        for index in range(3):
            image(root / label / f"{label}{index}.tif", np.zeros((1, 4, 4), np.uint16), ("B03",))


def masks(root: Path) -> None:
    for index in range(3):
        image(root / f"images/{index}.tif", np.zeros((1, 4, 4), np.uint16), ("B03",))
        image(root / f"masks/{index}.png", np.zeros((1, 4, 4), np.uint8))


@pytest.mark.parametrize(
    ("make", "harm", "message"),
    [
        (
            classes,
            lambda root: (root / "a/notes.doc").write_text(""),
            r"a: 1 entries .*: notes\.doc",
        ),
        (classes, lambda root: (root / "stray.tif").write_text(""), r"in: 1 entries .*stray\.tif"),
        (classes, lambda root: (root / "empty").mkdir(), r"empty: holds no images"),
        (classes, lambda root: (root / "a/deep").mkdir(), r"1 entries .*deep"),
        (
            classes,
            lambda root: (root / "a/a1.tif").write_bytes((root / "a/a1.tif").read_bytes()[:300]),
            r"a1\.tif: is not a readable GTiff image",
        ),
        (classes, lambda root: (root / "a/a1.tif").write_text("no"), r"a1\.tif: is not a readable"),
        (
            classes,
            lambda root: image(root / "a/a1.tif", np.zeros((1, 4, 4), np.uint16), ("B04",)),
            r"a1\.tif: names its bands \('B04',\), but a0\.tif names them \('B03',\)",
        ),
        (
            classes,
            lambda root: image(root / "a/a1.tif", np.zeros((1, 5, 4), np.uint16), ("B03",)),
            r"sample a1: is uint16 \(1, 5, 4\)",
        ),
        (
            masks,
            lambda root: (root / "masks/1.png").unlink(),
            r"no mask of the same stem: images/1",
        ),
        (
            masks,
            lambda root: (root / "images/1.tif").unlink(),
            r"no image of the same stem: masks/1",
        ),
        (masks, lambda root: (root / "other").mkdir(), r"images/ and masks/ and nothing else"),
        (
            masks,
            lambda root: image(root / "masks/1.png", np.zeros((1, 5, 4), np.uint8)),
            r"1\.png: is \(5, 4\) pixels, but 1\.tif is \(4, 4\)",
        ),
        (
            masks,
            lambda root: image(root / "masks/1.png", np.zeros((3, 4, 4), np.uint8)),
            r"1\.png: must have one band of whole numbers, but has 3",
        ),
        (
            masks,
            lambda root: (
                (root / "masks/1.png").unlink()
                or image(root / "masks/1.jpg", np.zeros((1, 4, 4), np.uint8))
            ),
            r"1\.jpg: is a JPEG, whose compression changes the labels",
        ),
        (classes, lambda root: [path.unlink() for path in root.glob("*/*")], "holds no images"),
    ],
)
def test_folders_that_do_not_fit_are_refused_with_the_file_s_name(
    tmp_path: Path, make: Callable[[Path], None], harm: Callable[[Path], Any], message: str
) -> None:
    make(tmp_path / "in")
    harm(tmp_path / "in")
    with pytest.raises(DataError, match=message):
        convert(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,split\n1,train\n2,val\n", r"s\.csv: does not list 1: 0"),
        ("name,split\n0,train\n1,val\n2,test\n9,test\n", r"lists 1 sample that is not in .*: 9"),
        ("name,split\n0,train\n1,val\n2,test\n2,val\n", r"puts '2' into two splits"),
        ("name,split\n0,train\n1,vla\n2,test\n", r"s\.csv:3: 'vla' is no split"),
        ("image,part\n", r"must have the columns"),
    ],
)
def test_a_split_file_must_list_each_sample_once(tmp_path: Path, text: str, message: str) -> None:
    masks(tmp_path / "in")
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        convert(tmp_path / "in", tmp_path / "out", split=str(tmp_path / "s.csv"))


def test_a_truncated_jpeg_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        for index in range(3):
            pixels = rng.integers(0, 255, (3, 32, 32), dtype=np.uint8)
            image(tmp_path / f"in/{label}/{label}{index}.jpg", pixels)
    convert(tmp_path / "in", tmp_path / "whole", split="0.4,0.3,0.3")
    path = tmp_path / "in/b/b2.jpg"
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match=r"b2\.jpg: is not a readable JPEG image"):
        convert(tmp_path / "in", tmp_path / "out", split="0.4,0.3,0.3")


def test_a_source_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        convert(tmp_path / "absent.npz", tmp_path / "out")
    (tmp_path / "x.zip").write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot convert '\.zip' files"):
        convert(tmp_path / "x.zip", tmp_path / "out")


def test_other_splits_in_the_file_are_offered(shared_data: Find, tmp_path: Path) -> None:
    split = np.repeat([0, 1, 2], 3)
    labels = np.array([0, 1, 0] * 3)
    content = {**THREE, "labels": labels, "split_by_area": split[::-1], "split_seed": [3]}
    source = arrays(tmp_path / "x.npz", images=PIXELS, **content)
    notes = convert(source, tmp_path / "a").notes
    assert notes[0] == "the file holds other splits: --split split_by_area"
    assert notes[1] == "arrays not taken over: split_seed"
    notes = convert(source, tmp_path / "b", split="split_by_area").notes
    assert not any("other splits" in note for note in notes)
    real = convert(shared_data("segmentation/flair2_128.npz"), tmp_path / "c")
    assert "the file holds other splits: --split split_by_area" in real.notes


def test_one_thing_is_not_told_in_the_plural(tmp_path: Path) -> None:
    single = {"images": PIXELS[:, :1], "split": THREE["split"]}
    source = arrays(tmp_path / "x.npz", **single, labels=np.zeros(9, int))
    with pytest.raises(DataError, match=r"does not name its 1 band\."):
        convert(source, tmp_path / "out")
    source = arrays(tmp_path / "y.npz", **single, labels=np.ones(9, int), class_names=["a"])
    with pytest.raises(DataError, match=r"but 1 class is named: a\."):
        convert(source, tmp_path / "out")


def test_files_of_which_one_names_no_bands_are_told_without_none(tmp_path: Path) -> None:
    image(tmp_path / "in/a/0.tif", PIXELS[0], ("B03", "B8A"))
    image(tmp_path / "in/a/1.tif", PIXELS[0])
    with pytest.raises(DataError, match=r"1\.tif: does not name its bands, but 0\.tif names th"):
        convert(tmp_path / "in", tmp_path / "out")

"""`NonGeoDataset`s of TorchGeo by their class, on files laid out as they expect them."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from door_support import commands
from folders_support import noise, reader, searched
from torchgeo_support import EUROSAT as IMAGES
from torchgeo_support import OWN_SPLITS, eurosat, levir, marine_debris, tiles

from iterate_core.data.convert.images import read_numbers
from iterate_core.data.dataset import SPLITS, Boxes, Reader
from iterate_core.errors import DataError, RequestError

EUROSAT: dict[str, Any] = {
    "dataset": "torchgeo.datasets.EuroSAT",
    "task": "classification",
    "split": OWN_SPLITS,
}


def opened(root: Path, **options: Any) -> Reader:
    return reader(root, "torchgeo_nongeo", **options)


def test_a_search_runs_on_eurosat_with_its_own_splits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"name": "torchgeo_nongeo", "root": str(eurosat(tmp_path / "eurosat")), **EUROSAT}
    planned, metrics = searched(commands(monkeypatch, capsys), tmp_path, data)
    assert planned["samples"] == {"train": 6, "val": 6, "test": 6}
    assert planned["classes"] == ["Forest", "River"]
    assert planned["bands"][12] == {"name": "B8A", "unit": "dn"}
    assert planned["notes"] == ["split by EuroSAT's argument split: train, val, test"]
    assert 0 <= metrics["val/accuracy"] <= 1


def test_real_images_come_band_by_band(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    paths = sorted(shared_data("eurosat_ms").glob("*.tif"))
    for path in paths:
        folder = tmp_path / IMAGES / path.stem.split("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    for number, split in enumerate(SPLITS, 1):
        names = [f"{path.stem}.jpg" for path in paths if path.stem.endswith(f"_{number}")]
        (tmp_path / f"eurosat-{split}.txt").write_text("\n".join(names))
    found = opened(tmp_path, **EUROSAT)
    sample = found.read("val-1", ["B8A", "B02"])
    forest = next(path for path in paths if path.stem == "Forest_2")
    assert np.array_equal(sample.image, read_numbers(forest)[[12, 1]])
    assert found.info.classes[int(sample.target)] == "Forest"  # type: ignore[arg-type]


def test_validation_is_drawn_from_training_where_the_class_has_none(tmp_path: Path) -> None:
    split = {"train": "train", "test": "val", "shares": [0.5, 0.25, 0.25]}
    found = opened(eurosat(tmp_path), **EUROSAT | {"split": split})
    assert found.info.sizes == {"train": 4, "val": 2, "test": 6}
    # Each class in proportion: the dataset lists the classes of its samples.
    labels = [found.read(name, ["B02"]).target for name in found.names("val")]
    assert sorted(labels) == [0, 1]  # type: ignore[type-var]
    assert found.info.notes[1] == "train/val drawn in proportion 0.667/0.333 with seed 0"


def test_a_class_with_splits_is_not_cut_short_without_a_word(tmp_path: Path) -> None:
    root = eurosat(tmp_path)
    with pytest.raises(RequestError, match=r"data\.split: must say .*EuroSAT's argument 'split'"):
        opened(root, **EUROSAT | {"split": {}})
    drawn = opened(root, **EUROSAT | {"split": {}, "arguments": {"split": "train"}})
    assert sum(drawn.info.sizes.values()) == 6


def test_two_dates_show_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data: dict[str, Any] = {
        "dataset": "torchgeo.datasets.LEVIRCD", "task": "change_detection", "split": OWN_SPLITS,
        "classes": ["same", "changed"], "band_names": ["red", "green", "blue"],
    }  # fmt: skip
    root = levir(tmp_path / "levir")
    sample = opened(root, **data).read("train-2", ["blue", "red"])
    for date, seed in enumerate((2, 52)):
        assert np.array_equal(sample.image[:, date], noise(3, 16, seed).astype(np.uint8)[[2, 0]])
    assert np.array_equal(sample.target, noise(1, 16, 2)[0] % 2)
    named = {"name": "torchgeo_nongeo", "root": str(root)}
    planned, _ = searched(commands(monkeypatch, capsys), tmp_path, {**named, **data}, "fcn")
    assert planned["frames"] == 2
    assert planned["bands"][0] == {"name": "red", "unit": "uint8"}


def test_boxes_of_one_class_need_no_labels(tmp_path: Path) -> None:
    found = opened(
        marine_debris(tmp_path), dataset="torchgeo.datasets.NASAMarineDebris", task="detection",
        classes=["debris"], band_names=["red", "green", "blue"],
    )  # fmt: skip
    boxes = found.read("3", ["red"]).target
    assert isinstance(boxes, Boxes)
    assert boxes.corners.tolist() == [[1, 2, 7, 9], [4, 4, 12, 10]]
    assert boxes.labels.tolist() == [0, 0]
    assert found.info.sizes == {"train": 6, "val": 2, "test": 2}


def stacks(root: Path) -> dict[str, Any]:
    """A class of one's own, whose samples have two images and targets of several kinds."""
    tiles(
        root,
        s2=lambda n: noise(2, 8, n, "float32"),
        s1=lambda n: -noise(1, 8, n, "float32") / 100,
        cover=lambda n: noise(1, 8, n)[0] % 3 * 10,
        yields=lambda n: np.float32(n / 2),
        kinds=lambda n: np.array([n % 2, 1]),
        boxes=lambda _: np.array([[0, 0, 4, 4], [2, 2, 8, 8]]),
        names=lambda n: np.array([1, 2]),
        outlines=lambda _: np.ones((2, 8, 8)),
    )
    bands = [{"name": "a", "meaning": "nir", "unit": "dn"}, "red", {"name": "hh", "unit": "db"}]
    return {
        "dataset": f"{root / 'mine.py'}:Tiles", "image_keys": ["s2", "s1"], "band_names": bands,
        "sensor": "sentinel-2",
    }  # fmt: skip


def test_bands_of_several_images_are_what_is_declared(tmp_path: Path) -> None:
    found = opened(tmp_path, **stacks(tmp_path), task="scalar_regression", target_key="yields")
    assert [(band.common, band.unit) for band in found.info.bands] == [
        ("nir", "dn"), ("red", "dn"), (None, "db"),
    ]  # fmt: skip
    sample = found.read("4", ["hh", "a"])
    assert np.array_equal(sample.image[0], -noise(1, 8, 4, "float32")[0] / 100)
    assert np.array_equal(sample.image[1], noise(2, 8, 4, "float32")[0])
    assert sample.target.tolist() == [2.0]  # type: ignore[union-attr]
    # Another process makes the dataset anew.
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again.read("4", ["red"]).image, found.read("4", ["red"]).image)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"task": "segmentation", "target_key": "cover", "classes": {20: "wood", 0: "field"},
             "ignore_index": 10},
            lambda n: np.array([1, 255, 0])[noise(1, 8, n)[0] % 3],
        ),
        ({"task": "regression", "target_key": "cover"}, lambda n: noise(1, 8, n)[0] % 3 * 10),
        (
            {"task": "multilabel", "target_key": "kinds", "classes": ["road", "house"]},
            lambda n: [n % 2, 1],
        ),
    ],
)  # fmt: skip
def test_targets_are_those_of_the_task(
    tmp_path: Path, options: dict[str, Any], expected: Callable[[int], Any]
) -> None:
    found = opened(tmp_path, **stacks(tmp_path), **options)
    for number in (0, 5):
        assert np.array_equal(found.read(f"{number}", ["red"]).target, expected(number))  # type: ignore[arg-type]


def test_objects_have_classes_and_masks(tmp_path: Path) -> None:
    keys = {"target_key": "boxes", "label_key": "names", "mask_key": "outlines"}
    classes = {1: "ship", 2: "plane"}
    found = opened(tmp_path, **stacks(tmp_path), task="instance", classes=classes, **keys)
    boxes = found.read("0", ["red"]).target
    assert isinstance(boxes, Boxes)
    assert boxes.labels.tolist() == [0, 1]
    assert boxes.masks is not None
    assert boxes.masks.shape == (2, 8, 8)


def test_what_a_class_raises_is_told_with_its_line(tmp_path: Path) -> None:
    options = stacks(tmp_path)
    for number in range(10, 15):
        shutil.copy(tmp_path / "00.npz", tmp_path / f"{number}.npz")
    with pytest.raises(DataError, match=r"mine\.py, line 22: OSError: the disk is sad, while"):
        opened(tmp_path, **options, task="scalar_regression", target_key="yields").read(
            "13", ["red"]
        )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"dataset": "torchgeo.datasets.EuroSatt"}, "no 'EuroSatt'. Did you mean"),
        ({"dataset": "torchgeo.datasets.RasterDataset"}, "is no NonGeoDataset"),
        ({"dataset": "EuroSAT"}, "data.dataset: 'EuroSAT' is no NonGeoDataset"),
        ({"arguments": {"slpit": "train"}}, "no argument 'slpit'. Did you mean 'split'"),
        ({"arguments": {"root": "x"}}, "data.arguments.root: is the folder, which data.root says"),
        ({"attributes": {"all_band_name": []}}, "Did you mean 'all_band_names'"),
        ({"split": {**OWN_SPLITS, "argument": "part"}}, "takes no argument 'part'"),
        ({"split": {"train": "train"}}, "name the values of train and test"),
        ({"split": {**OWN_SPLITS, "val": "dev"}}, "AssertionError"),
        ({"band_names": ["red"]}, "names 1 band, but a sample has 13"),
        ({"image_keys": ["pixels"]}, "has no 'pixels'; it has 'image', 'label'"),
        ({"target_key": "mask"}, "has no 'mask'"),
        ({"task": "downscaling"}, "none that such a dataset has"),
        ({"classes": ["only"]}, "holds the value 1, which no class"),
        ({"root": "nowhere"}, "is no folder"),
        ({"dataset": "torchgeo.datasets.LEVIRCD"}, "holds no dataset of torchgeo.datasets.LEVIRCD"),
    ],
)  # fmt: skip
def test_mistakes_are_told(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    options = {"root": str(eurosat(tmp_path)), **EUROSAT, **options}
    root = Path(options.pop("root"))
    with pytest.raises(RequestError) as caught:
        opened(root, **options).read("train-3", ["B02"])
    assert told in str(caught.value)

"""Tables with images as Hugging Face's datasets lie on disk."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convert_support import image
from door_support import commands
from folders_support import noise, reader, searched
from huggingface_support import CLASSES, arrow, encoded, parquet, pictures

from iterate_core.data.dataset import Boxes, Reader
from iterate_core.errors import RequestError


def opened(root: Path, task: str = "classification", **options: Any) -> Reader:
    return reader(root, "huggingface", task=task, **options)


def picture(number: int) -> Any:
    return noise(3, 8, number).astype(np.uint8)


def labelled(root: Path) -> Path:
    """Three splits as on the Hub, training in two files."""
    for name, count in (("train-00000-of-00002", 4), ("train-00001-of-00002", 3),
                        ("validation-00000-of-00001", 3), ("test-00000-of-00001", 2)):  # fmt: skip
        rows = pictures(root, count, lambda n: {"label": n % 2})
        parquet(root / f"data/{name}.parquet", rows, CLASSES)
    return root


def test_a_search_runs_on_files_as_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = labelled(tmp_path / "pictures")
    data = {"name": "huggingface", "root": str(root), "image_size": 16}
    planned, metrics = searched(commands(monkeypatch, capsys), tmp_path, data)
    assert planned["samples"] == {"train": 7, "val": 3, "test": 2}
    assert planned["classes"] == ["field", "wood"]
    assert planned["bands"] == [{"name": n, "unit": "uint8"} for n in ("red", "green", "blue")]
    assert 0 <= metrics["val/accuracy"] <= 1


def test_rows_come_in_their_order_across_files_and_groups(tmp_path: Path) -> None:
    found = opened(labelled(tmp_path))
    numbers = [0, 1, 2, 3, 0, 1, 2]  # the last three are of the second file
    for name, number in zip(found.names("train"), numbers, strict=True):
        sample = found.read(name, ["blue", "red"])
        assert np.array_equal(sample.image, picture(number)[[2, 0]])
        assert sample.target == number % 2
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again.read("train-3", ["red"]).image[0], picture(3)[0])


def test_what_save_to_disk_wrote_is_read_alike(tmp_path: Path) -> None:
    for split, count in (("train", 10), ("test", 2)):
        rows = pictures(tmp_path, count, lambda n: {"label": "wood" if n % 2 else "field"})
        arrow(tmp_path / split / "data-00000-of-00001.arrow", rows)
        (tmp_path / split / "state.json").write_text("{}")
    arrow(tmp_path / "train/cache-1234.arrow", rows)  # of the library's own
    found = opened(tmp_path)
    # Names of classes instead of numbers; validation is drawn, each class in proportion.
    assert found.info.classes == ("field", "wood")
    assert found.info.sizes == {"train": 7, "val": 3, "test": 2}
    assert found.info.notes == ("train/val drawn in proportion 0.75/0.25 with seed 0",)
    for name in (*found.names("train"), *found.names("val")):
        assert found.read(name, ["red"]).target == int(name.partition("-")[2]) % 2


def test_bands_and_masks_of_geotiffs(tmp_path: Path) -> None:
    rows = [
        {"image": encoded(tmp_path, noise(4, 8, n)),
         "annotation": encoded(tmp_path, (noise(1, 8, n) % 2 * 10).astype(np.uint8), ".png")}
        for n in range(10)
    ]  # fmt: skip
    parquet(tmp_path / "all.parquet", rows)
    bands = ["B02", "B03", "B04", "B08"]
    options = {"band_names": bands, "sensor": "sentinel-2"}
    found = opened(tmp_path, "segmentation", classes={0: "land", 10: "water"}, **options)
    assert (found.info.bands[3].common, found.info.bands[3].unit) == ("nir", "dn")
    assert sum(found.info.sizes.values()) == 10
    sample = found.read("train-4", ["B08"])
    assert np.array_equal(sample.image[0], noise(4, 8, 4)[3])
    assert np.array_equal(sample.target, noise(1, 8, 4)[0] % 2)


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_objects_of_either_layout(tmp_path: Path, layout: str) -> None:
    """Lists of objects, and as older versions write them, an object of lists."""
    boxes, kinds = [[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 8.0, 8.0]], [1, 0]
    several = [{"bbox": box, "category": kind} for box, kind in zip(boxes, kinds, strict=True)]
    objects: Any = several if layout == "rows" else {"bbox": boxes, "category": kinds}
    names = {"names": ["ship", "plane"], "_type": "ClassLabel"}
    inner = {"bbox": {"_type": "Sequence"}, "category": names}
    told: Any = {"feature": inner, "_type": "List"}
    if layout == "columns":
        told = {"bbox": {}, "category": {"feature": names, "_type": "Sequence"}}
    rows = pictures(tmp_path, 10, lambda _: {"objects": objects})
    parquet(tmp_path / "all.parquet", rows, {"objects": told})
    target = opened(tmp_path, "detection").read("train-1", ["red"]).target
    assert isinstance(target, Boxes)
    assert target.corners.tolist() == [[1, 2, 4, 6], [0, 0, 8, 8]]
    assert target.labels.tolist() == [1, 0]


def test_several_labels_and_numbers_of_an_image(tmp_path: Path) -> None:
    told = {"label": {"feature": CLASSES["label"], "_type": "Sequence"}}
    rows = pictures(tmp_path, 10, lambda n: {"label": [1] if n % 2 else [0, 1], "cover": n / 2})
    parquet(tmp_path / "all.parquet", rows, told)
    several = opened(tmp_path, "multilabel")
    assert several.read("train-2", ["red"]).target.tolist() == [1, 1]  # type: ignore[union-attr]
    assert several.read("train-3", ["red"]).target.tolist() == [0, 1]  # type: ignore[union-attr]
    numbers = opened(tmp_path, "scalar_regression", target_key="cover", classes=["cover"])
    assert numbers.read("train-3", ["red"]).target.tolist() == [1.5]  # type: ignore[union-attr]


def test_images_may_lie_beside_their_table(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": None, "path": f"{n}.png"}, "label": n % 2} for n in range(10)]
    for n in range(10):
        image(tmp_path / f"{n}.png", picture(n))
    parquet(tmp_path / "all.parquet", rows, CLASSES)
    found = opened(tmp_path)
    assert np.array_equal(found.read("train-7", ["red"]).image[0], picture(7)[0])
    before = found.fingerprint()
    image(tmp_path / "7.png", picture(8))
    assert opened(tmp_path).fingerprint() != before


@pytest.mark.parametrize(
    ("rows", "options", "told"),
    [
        ([{"image": b"GIF89a", "label": 0}] * 5, {}, "is none of GTiff, JPEG, PNG"),
        ([{"image": b"\x89PNG\r\n", "label": 0}] * 5, {}, "is not a readable PNG image"),
        ([{"image": {"bytes": None, "path": "../x"}, "label": 0}] * 5, {}, "no file '../x'"),
        ([{"picture": b"", "label": 0}] * 5, {}, "has no column 'image'; it has picture, label"),
        ([{"image": b"", "kind": 0}] * 5, {}, "has no column 'label' or 'labels'"),
        ([{"image": b"", "label": 0}] * 2, {}, "has no sample for"),
        ([{"image": b"", "objects": {"box": 1}}] * 5, {"task": "detection"}, "'objects.bbox'"),
    ],
)  # fmt: skip
def test_mistakes_are_told(
    tmp_path: Path, rows: list[dict[str, Any]], options: dict[str, Any], told: str
) -> None:
    parquet(tmp_path / "all.parquet", rows, CLASSES)
    with pytest.raises(RequestError) as caught:
        opened(tmp_path, **options)
    assert told in str(caught.value)


def test_damaged_and_mixed_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"holds no \.parquet or \.arrow file"):
        opened(tmp_path)
    labelled(tmp_path)
    parquet(tmp_path / "data/more.parquet", pictures(tmp_path, 2, lambda n: {"label": n}), CLASSES)
    with pytest.raises(RequestError, match=r"more\.parquet: says no split in its name"):
        opened(tmp_path)
    (tmp_path / "data/more.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(RequestError, match=r"more\.parquet: is no readable table"):
        opened(tmp_path)
    parquet(tmp_path / "data/more.parquet", [{"other": 1}])
    with pytest.raises(RequestError, match=r"train-00000.*has the columns|has others"):
        opened(tmp_path)


def test_a_jpeg_is_no_mask(tmp_path: Path) -> None:
    mask = encoded(tmp_path, np.zeros((1, 8, 8), np.uint8), ".jpg")
    parquet(tmp_path / "all.parquet", pictures(tmp_path, 10, lambda _: {"mask": mask}))
    with pytest.raises(RequestError, match="compression changes the labels"):
        opened(tmp_path, "segmentation", classes=["land"])

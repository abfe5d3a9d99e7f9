"""Image folders as torchvision and Hugging Face lay them out, read as they are."""

import json
from pathlib import Path

import numpy as np
import pytest
from convert_support import image
from door_support import commands
from folders_support import noise, on_ground, reader, searched

from iterate_core.errors import RequestError

BANDS = ("B02", "B03", "B04", "B08")


def classes(root: Path, each: int = 5) -> Path:
    """A folder a class, of four bands of Sentinel-2."""
    for label, name in enumerate(("crop", "forest", "water")):
        for index in range(each):
            pixels = noise(4, 16, 10 * label + index)
            image(root / name / f"{name}_{index}.tif", pixels, BANDS, **on_ground(index, label))
    return root


def table(root: Path, rows: list[dict[str, object]], name: str = "metadata.jsonl") -> Path:
    """Images 0.png, 1.png, … and a table of them."""
    root.mkdir(parents=True, exist_ok=True)
    for index, _ in enumerate(rows):
        image(root / f"{index}.png", noise(3, 16, index, "uint8"))
    lines = [{"file_name": f"{index}.png", **row} for index, row in enumerate(rows)]
    if name.endswith(".jsonl"):
        (root / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    else:
        text = [",".join(lines[0]), *(",".join(map(str, line.values())) for line in lines)]
        (root / name).write_text("\n".join(text))
    return root


def test_a_search_runs_on_a_folder_of_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = classes(tmp_path / "scenes")
    data = {"name": "image_folder", "root": str(root), "sensor": "sentinel-2-l2a"}
    planned, metrics = searched(commands(monkeypatch, capsys), tmp_path, data)
    assert planned == {
        "name": "scenes", "task": "classification", "classes": ["crop", "forest", "water"],
        "samples": {"train": 9, "val": 3, "test": 3},
        "bands": [{"name": name, "unit": "dn"} for name in BANDS],
        "pixels": [16, 16], "frames": 1, "metres": 10.0, "finer": 1, "crs": "EPSG:32632",
        "notes": ["split drawn in proportion 0.6/0.2/0.2 with seed 0"],
    }  # fmt: skip
    assert 0 <= metrics["val/accuracy"] <= 1


def test_a_plan_tells_people_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = classes(tmp_path / "scenes")
    command = commands(monkeypatch, capsys)
    words = ("data=image_folder", f"data.root={root}", "model.backbone.weights=none")
    said = command("plan", "search_spaces/classification.yaml", *words)
    assert said.code == 0, said.err
    told = "scenes: classification (crop, forest, water); 9 train / 3 val / 3 test;"
    assert f"{told} 16×16 pixels of 10 m; EPSG:32632" in said.line


def test_pixels_labels_and_places_are_the_files_own(tmp_path: Path) -> None:
    found = reader(classes(tmp_path), "image_folder")
    name = next(name for split in ("train", "val", "test") for name in found.names(split)  # type: ignore[arg-type]
                if name == "forest_2")  # fmt: skip
    sample = found.read(name, ["B08", "B02"])
    assert np.array_equal(sample.image, noise(4, 16, 12)[[3, 0]])
    assert sample.target == 1
    # 500 km of UTM zone 32 is its meridian, 9° east; 5000 km are 45.15° from the equator.
    assert sample.place == pytest.approx((45.15, 9.005), abs=0.005)


def test_folders_of_splits_say_the_split(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        classes(tmp_path / split, each=1)
    info = reader(tmp_path, "image_folder").info
    assert info.sizes == {"train": 3, "val": 3, "test": 3}
    assert len(info.notes) == 0


def test_classes_are_renamed_and_joined(tmp_path: Path) -> None:
    given = {"water": "wet", "crop": "green", "forest": "green"}
    found = reader(classes(tmp_path), "image_folder", classes=given)
    assert found.info.classes == ("wet", "green")
    labels = {name: found.read(name, ["B02"]).target for name in found.names("train")}
    assert all(label == (not name.startswith("water")) for name, label in labels.items())


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_a_table_of_hugging_face_labels_images(tmp_path: Path, name: str) -> None:
    for split, count in (("train", 4), ("val", 2), ("test", 2)):
        table(tmp_path / split, [{"label": "ab"[i % 2], "text": "x"} for i in range(count)], name)
    found = reader(tmp_path, "image_folder")
    assert found.info.task == "classification"
    assert found.info.classes == ("a", "b")
    assert found.info.sizes == {"train": 4, "val": 2, "test": 2}
    assert [found.read(n, ["red"]).target for n in found.names("train")] == [0, 1, 0, 1]


def test_numbered_classes_count_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    table(tmp_path, [{"label": label % 12} for label in range(36)])
    assert reader(tmp_path, "image_folder").info.classes == tuple(map(str, range(12)))


def test_lists_of_classes_are_several(tmp_path: Path) -> None:
    rows = [{"label": words} for words in (["a"], ["a", "b"], [], ["b"], ["b", "c"], ["a"])]
    found = reader(table(tmp_path, rows), "image_folder")
    assert (found.info.task, found.info.classes) == ("multilabel", ("a", "b", "c"))
    sample = next(found.read(n, ["red"]) for n in found.names("train"))
    assert np.array_equal(sample.target, [int(c in rows[int(sample.name)]["label"]) for c in "abc"])


def test_columns_of_numbers_are_predicted(tmp_path: Path) -> None:
    rows = [{"canopy": i / 2, "height": "" if i == 1 else i} for i in range(10)]
    found = reader(table(tmp_path, rows, "metadata.csv"), "image_folder")
    assert (found.info.task, found.info.classes) == ("scalar_regression", ("canopy", "height"))
    every = {n: found.read(n, ["red"]).target for s in ("train", "val", "test")
             for n in found.names(s)}  # type: ignore[arg-type] # fmt: skip
    assert np.isnan(every["1"][1])  # type: ignore[index]
    assert np.array_equal(every["7"], [3.5, 7])
    one = reader(tmp_path, "image_folder", quantities=["height"])
    assert one.info.classes == ("height",)


def test_masks_beside_images_are_a_segmentation(tmp_path: Path) -> None:
    for index in range(6):
        image(tmp_path / f"images/{index}.png", noise(3, 16, index, "uint8"))
        image(tmp_path / f"masks/{index}.png", (noise(1, 16, index, "uint8") % 2))
    found = reader(tmp_path, "image_folder", classes=["land", "water"])
    assert found.info.task == "segmentation"
    sample = found.read("3", ["red"])
    assert np.array_equal(sample.target, noise(1, 16, 3, "uint8")[0] % 2)


def test_images_of_many_sizes_are_brought_to_one(tmp_path: Path) -> None:
    for index, size in enumerate((16, 20, 24, 16, 16, 30)):
        image(tmp_path / f"ab/{index}.png", noise(3, size, index, "uint8"))
    with pytest.raises(RequestError, match=r"1\.png: is \(20, 20\) pixels.*data\.size"):
        reader(tmp_path, "image_folder").read("1", ["red"])
    found = reader(tmp_path, "image_folder", size=8)
    assert (found.info.height, found.info.width) == (8, 8)
    assert found.read("5", ["red"]).image.shape == (1, 8, 8)


def test_a_changed_byte_is_another_dataset(tmp_path: Path) -> None:
    root = classes(tmp_path)
    before = reader(root, "image_folder").fingerprint()
    assert reader(root, "image_folder").fingerprint() == before
    assert reader(root, "image_folder", split={"seed": 1}).fingerprint() != before
    image(root / "crop/crop_0.tif", noise(4, 16, 99), BANDS)
    assert reader(root, "image_folder").fingerprint() != before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"classes": ["crop", "water"]}, r"forest_0\.tif: holds the value forest.*data\.classes"),
        ({"task": "segmentation"}, "data.task: is 'segmentation', but .* for classification"),
        ({"band_names": ["B02"]}, r"data\.band_names: names 1 band, but .*crop_0\.tif has 4"),
        ({"unit": "dm"}, "data.unit: there is no unit 'dm'"),
        ({"nodata": "none", "fill": 0}, "data: nodata: none says that nothing is missing"),
        ({"split": {"shares": [0.5, 0.2, 0.2]}}, "data.split.shares: must sum to 1"),
        ({"split": {"train": "a.txt"}}, "data.split: train, val and test need a file each"),
        ({"split": {"file": "none.csv"}}, r"none\.csv: cannot be read"),
        ({"label": "a", "quantities": ["b"]}, "label and quantities: say one"),
    ],
)
def test_a_mistake_names_the_file_or_the_key(
    tmp_path: Path, options: dict[str, object], told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        reader(classes(tmp_path), "image_folder", **options)


def test_pixels_without_data_are_refused_until_yaml_says_what_stands_there(tmp_path: Path) -> None:
    for index in range(5):
        pixels = noise(4, 16, index, "float32")
        pixels[1, :2] = -9999
        image(tmp_path / f"a/{index}.tif", pixels, BANDS, nodata=-9999)
    refused = r"0\.tif: has 32 pixel values that are -9999.*data\.fill.*data\.nodata none"
    with pytest.raises(RequestError, match=refused):
        reader(tmp_path, "image_folder").read("0", ["B02"])
    filled = reader(tmp_path, "image_folder", fill=7).read("0", ["B03"]).image[0]
    assert (filled[:2] == 7).all()
    assert np.array_equal(filled[2:], noise(4, 16, 0, "float32")[1, 2:])
    mean = reader(tmp_path, "image_folder", fill="mean").read("0", ["B03"]).image[0]
    assert mean[0, 0] == pytest.approx(noise(4, 16, 0, "float32")[1, 2:].mean(), rel=1e-6)


def test_files_that_name_their_bands_otherwise_are_refused(tmp_path: Path) -> None:
    root = classes(tmp_path)
    image(root / "water/water_9.tif", noise(4, 16, 0), tuple(reversed(BANDS)))
    with pytest.raises(RequestError, match=r"water_9\.tif: names its bands.*data\.band_names"):
        reader(root, "image_folder").read("water_9", ["B02"])
    named = reader(root, "image_folder", band_names=BANDS, sensor="sentinel-2-l2a", unit="dn")
    assert named.info.bands[0].common == "blue"
    assert np.array_equal(named.read("water_9", ["B02"]).image, noise(4, 16, 0)[:1])


@pytest.mark.parametrize("way", ["csv", "lists"])
def test_files_say_the_split(tmp_path: Path, way: str) -> None:
    root = classes(tmp_path)
    names = [f"{c}_{i}" for i in range(5) for c in ("crop", "forest", "water")]
    of = {name: "train" if i < 6 else "val" if i < 9 else "test" for i, name in enumerate(names)}
    if way == "csv":
        rows = [f"{name},{split}" for name, split in of.items()]
        (root / "s.csv").write_text("\n".join(["name,split", *rows]))
        split: dict[str, str] = {"file": "s.csv"}
    else:
        split = {s: f"{s}.txt" for s in ("train", "val", "test")}
        del of["crop_4"]
        for s, file in split.items():
            (root / file).write_text("\n".join(name for name in of if of[name] == s))
    found = reader(root, "image_folder", split=split)
    assert {n: s for s in ("train", "val", "test") for n in found.names(s)} == of  # type: ignore[arg-type]
    assert ("1 sample not used" in found.info.notes) == (way == "lists")

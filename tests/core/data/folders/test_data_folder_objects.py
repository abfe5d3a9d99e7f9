"""Objects in the tables of image folders, as Hugging Face's guide writes them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convert_support import image
from door_support import commands
from folders_support import noise, reader, searched

from iterate_core.data.dataset import Boxes, Reader
from iterate_core.errors import RequestError

BOXES = {"bbox": [[1, 2, 3, 4], [0, 0, 16, 16]], "categories": [1, 0]}
NAMED = [{"bbox": [1, 2, 3, 4], "category": "ship"}, {"bbox": [0, 0, 16, 16], "category": "dock"}]
OPTIONS: dict[str, Any] = {"task": "detection", "classes": ["dock", "ship"]}


def listed(root: Path, objects: Any, column: str = "objects", count: int = 10) -> Path:
    rows = []
    for number in range(count):
        image(root / f"{number}.png", noise(3, 16, number).astype(np.uint8))
        rows.append({"file_name": f"{number}.png", column: objects})
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root


def boxes_of(found: Reader) -> Boxes:
    target = found.read("3", ["red"]).target
    assert isinstance(target, Boxes)
    return target


@pytest.mark.parametrize("objects", [BOXES, NAMED])
def test_boxes_are_read_with_their_classes(tmp_path: Path, objects: Any) -> None:
    boxes = boxes_of(reader(listed(tmp_path, objects), "image_folder", **OPTIONS))
    assert boxes.corners.tolist() == [[1, 2, 4, 6], [0, 0, 16, 16]]
    assert boxes.labels.tolist() == [1, 0]


def test_the_recipe_names_the_column_and_images_may_be_empty(tmp_path: Path) -> None:
    root = listed(tmp_path, {"bbox": [], "categories": []}, "things")
    boxes = boxes_of(reader(root, "image_folder", **OPTIONS, label="things"))
    assert boxes.corners.shape == (0, 4)


def test_a_search_detects_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = listed(tmp_path / "ships", BOXES)
    data = {"name": "image_folder", "root": str(root), "image_size": 32, **OPTIONS}
    planned, metrics = searched(commands(monkeypatch, capsys), tmp_path, data, "fcos")
    assert planned["task"] == "detection"
    assert planned["classes"] == ["dock", "ship"]
    assert 0 <= metrics["val/map"] <= 1


@pytest.mark.parametrize(
    ("objects", "options", "told"),
    [
        ({"boxes": []}, {}, "objects must list boxes under 'bbox' and classes under 'categories'"),
        ("none", {}, "objects must list boxes under 'bbox'"),
        ({"bbox": [[1, 2, 3]], "categories": [0]}, {}, "boxes that are not four numbers"),
        ({"bbox": [[1, 2, 3, 4]], "categories": [0, 1]}, {}, "has 1 boxes and 2 classes"),
        ({"bbox": [[1, 2, 3, 4]], "categories": [5]}, {}, "holds the value 5, which no class"),
        (BOXES, {"size": 8}, "data.size: cannot resize the boxes of metadata.jsonl"),
        (BOXES, {"label": "others"}, "has no column 'others', which data.label names"),
    ],
)
def test_mistakes_are_told(
    tmp_path: Path, objects: Any, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(RequestError) as caught:
        reader(listed(tmp_path, objects), "image_folder", **OPTIONS, **options)
    assert told in str(caught.value)

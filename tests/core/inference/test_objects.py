"""Objects of scenes: each once, whole where a window holds it whole, where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyogrio
import pyogrio.errors
import pytest
import torch
from predicting_support import ArrayScene, run
from scipy import ndimage

from iterate_core.data.dataset import Band, DatasetInfo
from iterate_core.errors import MachineError, RequestError
from iterate_core.inference.members import Ensemble
from iterate_core.inference.objects.detection import Detection
from iterate_core.inference.objects.merging import merged
from iterate_core.tasks.detection.targets import MasksTarget


@dataclass
class Blobs:
    """A detector in the place of a trained one: finds what is bright, of two classes by how much.

    Its score is the share of the window that is no object.
    """

    masks: bool = False
    size: tuple[int, int] = (32, 32)
    seen: tuple[int, int] = (32, 32)

    def __post_init__(self) -> None:
        sizes: Any = {"train": 1, "val": 1, "test": 1}
        bands = (Band("red"),)
        info = DatasetInfo("blobs", "instances", ("dim", "bright"), bands, sizes, 32, 32)
        self.target = MasksTarget(info)
        self.description = SimpleNamespace(bands=bands, info=info, identity="blobs", version="1")
        self.model, self.device = SimpleNamespace(multiple=1), torch.device("cpu")
        self.precision = "32-true"

    def predict(self, images: torch.Tensor, context: Any = None) -> list[dict[str, torch.Tensor]]:
        return [self._found(image[0].numpy()) for image in images]

    def _found(self, image: Any) -> dict[str, torch.Tensor]:
        named, count = ndimage.label(image > 0)
        masks = np.array([named == one + 1 for one in range(count)]).reshape(count, *image.shape)
        places = ndimage.find_objects(named)
        boxes = [[x.start, y.start, x.stop, y.stop] for y, x in places]
        labels = [1 if image[mask].max() < 2 else 2 for mask in masks]
        found = {
            "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor(labels, dtype=torch.int64),
            "scores": torch.tensor([1 - mask.mean() for mask in masks], dtype=torch.float32),
        }
        if self.masks:
            found["masks"] = torch.from_numpy(masks.astype(np.uint8))
        return found


def detector(**options: Any) -> Ensemble:
    return Ensemble([Blobs(**options)])  # type: ignore[list-item]


def scene() -> tuple[ArrayScene, list[tuple[int, int, int, int]]]:
    """120 × 150 pixels, and the boxes in them: no longer than 8 pixels, which windows share."""
    pixels = np.zeros((1, 120, 150), dtype=np.float32)
    boxes = []
    for row in range(3, 110, 13):
        for column in range(2, 140, 12):
            bottom, right = row + 3 + row % 5, column + 2 + column % 6
            pixels[0, row:bottom, column:right] = 1 if (row + column) % 2 else 3
            boxes.append((column, row, right, bottom))
    return ArrayScene(pixels), sorted(boxes)


@pytest.mark.parametrize("masks", [False, True])
def test_every_object_is_found_once_and_whole(tmp_path: Path, masks: bool) -> None:
    image, boxes = scene()
    (result,), _ = run(image, detector(masks=masks), tmp_path)
    frame = pyogrio.read_dataframe(tmp_path / "scene_objects.gpkg")
    assert frame.crs.to_epsg() == 32632
    found = [
        tuple(round(value) for value in (
            (west - 500_000) / 10, (5_000_000 - north) / 10,
            (east - 500_000) / 10, (5_000_000 - south) / 10,
        ))
        for west, south, east, north in (shape.bounds for shape in frame.geometry)
    ]  # fmt: skip
    assert sorted(found) == boxes
    assert result.found == len(boxes)
    for place, name in zip(found, frame["class"], strict=True):
        assert name == ("dim" if (place[0] + place[1]) % 2 else "bright")
    assert frame["score"].is_monotonic_decreasing


def test_masks_are_outlines_with_holes(tmp_path: Path) -> None:
    pixels = np.zeros((1, 40, 40), dtype=np.float32)
    pixels[0, 10:20, 10:20] = 1
    pixels[0, 13:16, 13:16] = 0
    run(ArrayScene(pixels, crs=None, transform=None), detector(masks=True), tmp_path)
    (shape,) = pyogrio.read_dataframe(tmp_path / "scene_objects.gpkg").geometry
    assert shape.bounds == (10, 10, 20, 20)
    assert shape.area == 100 - 9
    assert len(shape.interiors) == 1


def test_scores_below_the_threshold_and_places_without_data_are_left_out(tmp_path: Path) -> None:
    image, boxes = scene()
    (result,), _ = run(image, detector(), tmp_path, threshold=1.0)
    assert result.found == 0
    assert pyogrio.read_info(tmp_path / "scene_objects.gpkg")["features"] == 0
    image.valid[:, 75:] = False
    (result,), _ = run(image, detector(), tmp_path / "half", format="geojson")
    assert result.found == sum(box[0] < 75 for box in boxes)
    assert pyogrio.read_info(tmp_path / "half/scene_objects.geojson")["features"] == result.found


def test_objects_in_two_formats_lie_beside_each_other(tmp_path: Path) -> None:
    image, _ = scene()
    for ending in ("gpkg", "geojson", "gpkg"):
        (result,), _ = run(image, detector(), tmp_path, format=ending)
        assert result.outputs == (tmp_path / f"scene_objects.{ending}",)
    assert result.kept
    with pytest.raises(RequestError, match="with other options"):
        run(image, detector(), tmp_path, threshold=0.9)


def test_a_full_disk_is_told_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise pyogrio.errors.DataSourceError("sqlite3_exec(…) failed: database or disk is full")

    monkeypatch.setattr("geopandas.GeoDataFrame.to_file", full)
    with pytest.raises(MachineError, match=rf"cannot be written to {tmp_path}: no space left"):
        run(scene()[0], detector(), tmp_path)


def test_a_stopped_scene_goes_on(tmp_path: Path) -> None:
    image, boxes = scene()
    image.broken = 60
    (result,), _ = run(image, detector(), tmp_path)
    assert result.failure is not None
    image.broken = None
    (result,), _ = run(image, detector(), tmp_path)
    assert result.found == len(boxes)


def test_what_an_edge_cuts_yields_to_what_is_whole() -> None:
    whole = Detection((0, 0, 20, 10), 1, 0.6, cut=False)
    piece = Detection((0, 0, 6, 10), 1, 0.9, cut=True)  # shares little with it, and scores more
    most = Detection((0, 0, 18, 10), 1, 0.95, cut=True)
    other = Detection((0, 0, 6, 10), 2, 0.9, cut=True)  # of another class
    again = Detection((1, 0, 20, 10), 1, 0.5, cut=False)
    alone = Detection((40, 0, 46, 10), 1, 0.7, cut=True)
    assert merged([whole, piece, most, other, again, alone]) == [whole, other, alone]
    assert merged([]) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"outputs": ("classes",)}, "--outputs"),
        ({"format": "csv"}, "gpkg or geojson"),
        ({"by_window": True}, "--by-window"),
        ({"flips": True}, "--flips"),
        ({"threshold": 1.5}, "not from 0 to 1"),
    ],
)
def test_what_does_not_suit_objects_is_refused(
    tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        run(scene()[0], detector(), tmp_path, **options)
    with pytest.raises(RequestError, match="--flips"):
        Ensemble([Blobs()], flips=True)  # type: ignore[list-item]

"""Datasets of objects in memory, drawn or cut from real images, and small recipes on them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from engine_support import RGB, merged

from iterate_core.data.dataset import Boxes, DatasetInfo, Sample, Split
from iterate_core.data.geobench_v2.options import GeoBenchV2Data
from iterate_core.data.geobench_v2.reader import GeoBenchV2
from iterate_core.data.options import DataSection
from iterate_core.fingerprint import fingerprint
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.registry import Entry

SIDE = 64
SHAPES = ("background", "square", "disc")
SMALL: dict[str, dict[str, Any]] = {
    "faster_rcnn": {"channels": 32, "hidden": 64, "proposals": 100, "anchor_scale": 4.0},
    "mask_rcnn": {
        "channels": 32, "hidden": 64, "proposals": 100, "anchor_scale": 4.0, "mask_channels": 16,
    },
    "retinanet": {"channels": 64, "anchor_scale": 2.0},
    "fcos": {"channels": 64, "finest": 4},
}  # fmt: skip


class ObjectsData(DataSection):
    """Objects that were given to `give_objects`.

    Attributes:
        number: Which of them.
    """

    name: Literal["objects"] = "objects"
    number: int


@dataclass
class Objects:
    """Images with objects; all splits hold the same but for the `bare`. See `Reader`."""

    images: Sequence[npt.NDArray[Any]]
    targets: Sequence[Boxes]
    info: DatasetInfo
    bare: Split | None

    def names(self, split: Split) -> Sequence[str]:
        return [f"{split}-{index}" for index in range(len(self.images))]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        split, _, number = name.partition("-")
        index = int(number)
        order = [[band.name for band in self.info.bands].index(band) for band in bands]
        target = self.targets[index] if split != self.bare else nothing(self.images[index])
        return Sample(name, self.images[index][order], target)

    def fingerprint(self) -> str:
        held = [array for one in self.targets for array in (one.corners, one.labels, one.masks)]
        arrays = [array for array in (*self.images, *held) if array is not None]
        content = [array.tobytes().hex() for array in arrays]
        return fingerprint([*content, str(self.info), self.bare])


_given: list[Objects] = []


def open_objects(section: ObjectsData) -> Objects:
    return _given[section.number]


if "objects" not in registries.datasets.names():
    registries.datasets.register(Entry("objects", ObjectsData, open_objects))


def give_objects(
    images: Sequence[npt.NDArray[Any]],
    targets: Sequence[Boxes],
    classes: Sequence[str] = SHAPES,
    task: str = "detection",
    bare: Split | None = None,
) -> dict[str, Any]:
    """Make images of red, green and blue the dataset that the section returned opens.

    Args:
        images: Of every split.
        targets: Of every split.
        classes: Their names.
        task: What they are for.
        bare: A split without any object.
    """
    count, (height, width) = len(images), images[0].shape[1:]
    info = DatasetInfo(
        name="objects",
        task=task,
        classes=tuple(classes),
        bands=RGB,
        sizes={"train": count, "val": count, "test": count},
        height=height,
        width=width,
    )
    _given.append(Objects(images, targets, info, bare))
    return {"name": "objects", "number": len(_given) - 1}


def drawn(
    count: int = 8, size: tuple[int, int] = (SIDE, SIDE), seed: int = 0
) -> tuple[list[npt.NDArray[np.uint8]], list[Boxes]]:
    """Red squares and blue discs on noise, one to three an image; every fourth image has none."""
    rng = np.random.default_rng(seed)
    height, width = size
    rows, columns = np.mgrid[:height, :width] + 0.5
    images, targets = [], []
    for index in range(count):
        image = rng.integers(60, 120, (3, height, width), dtype=np.uint8)
        taken = np.zeros(size, dtype=bool)
        masks, labels = [], []
        while index % 4 != 3 and len(masks) < 1 + index % 3:
            side, label = int(rng.integers(12, 22)), int(rng.integers(1, 3))
            top, left = (int(rng.integers(0, limit - side)) for limit in size)
            mask = np.zeros(size, dtype=bool)
            mask[top : top + side, left : left + side] = True
            if label == 2:
                y, x = rows - top - side / 2, columns - left - side / 2
                mask &= y**2 + x**2 <= (side / 2) ** 2
            if not (taken & mask).any():
                taken |= mask
                image[:, mask] = np.array(
                    [[230], [20], [20]] if label == 1 else [[20], [20], [230]]
                )
                masks.append(mask)
                labels.append(label)
        images.append(image)
        targets.append(boxed(np.array(masks, dtype=np.uint8).reshape(-1, *size), labels))
    return images, targets


def nothing(image: npt.NDArray[Any]) -> Boxes:
    """The objects of an image that has none."""
    return boxed(np.zeros((0, *image.shape[1:]), np.uint8), [])


def boxed(masks: npt.NDArray[np.uint8], labels: Sequence[int]) -> Boxes:
    """The objects of masks, with the boxes that hold these exactly."""
    corners = []
    for mask in masks:
        y, x = np.nonzero(mask)
        corners.append((x.min(), y.min(), x.max() + 1, y.max() + 1))
    boxes = np.array(corners, dtype=np.float32).reshape(-1, 4)
    return Boxes(boxes, np.array(labels, dtype=np.int64), masks)


def detecting(decoder: str = "fcos", data: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    """A few epochs of a small detector on drawn objects."""
    task = "instance" if decoder == "mask_rcnn" else "detection"
    base: dict[str, Any] = {
        "data": {"batch_size": 4} | (data or give_objects(*drawn(), task=task)),
        "model": {
            "backbone": {"name": "test_resnet", "weights": "none"},
            "decoder": {"name": decoder, **SMALL[decoder]},
        },
        "optimiser": {"name": "adamw", "lr": 2e-3},
        "scheduler": {"name": "cosine"},
        "trainer": {"epochs": 2},
    }
    return Recipe.parse(merged(base, changes))


def real(dataset: str) -> GeoBenchV2:
    """A real dataset; the variable is set where the test runs."""
    root = Path(os.environ["ITERATE_TEST_DATA"]) / "geobench_v2"
    return GeoBenchV2(GeoBenchV2Data(root=root, dataset=dataset))

"""Labels of generated samples, and the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.geobench_v2.datasets.schema import (
    ClassLabel,
    ClassLabels,
    Declaration,
    JsonBoxes,
    Mask,
    Parcels,
    Quantity,
    TableBoxes,
)
from iterate_core.data.geobench_v2.resample import bilinear
from iterate_core.data.geobench_v2.synthetic.writer import (
    NewFile,
    annotation_file,
    geotiff_file,
    hdf5_file,
    table_file,
)

OBJECTS = 3
LARGEST_QUANTITY = 300.0
LEVELS = 8
"""Levels of a quantity that pixels show."""


@dataclass(frozen=True)
class Drawn:
    """What a generated sample shows.

    Attributes:
        classes: (height, width) of what decides each pixel's values.
        fields: Columns of the table that hold the label.
        boxes: Left, top, right, bottom of each object.
        labels: Class index of each object.
        quantity: (height, width), or None.
    """

    classes: npt.NDArray[np.int64]
    fields: Mapping[str, Any] = field(default_factory=dict)
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    labels: tuple[int, ...] = ()
    quantity: npt.NDArray[np.float32] | None = None


def draw_label(
    declaration: Declaration, pixels: int, number: int, rng: np.random.Generator
) -> Drawn:
    """A label of the dataset's kind; classes of images take turns by the sample's number."""
    target, count = declaration.target, len(declaration.classes)
    if isinstance(target, ClassLabel):
        label = number % count
        return Drawn(np.full((pixels, pixels), label), {target.column: label})
    if isinstance(target, ClassLabels):
        chosen = sorted({number % count, int(rng.integers(count))})
        halves = np.full((pixels, pixels), chosen[0])
        halves[:, pixels // 2 :] = chosen[-1]
        fields = {target.column: [declaration.classes[index] for index in chosen]}
        shares = {target.shares: [1 / len(chosen)] * len(chosen)} if target.shares else {}
        return Drawn(halves, {**fields, **shares})
    if isinstance(target, Mask):
        return Drawn(_patches(pixels, count, rng))
    if isinstance(target, Quantity):
        levels = _smooth(pixels, rng)
        classes = np.minimum((levels * LEVELS).astype(np.int64), LEVELS - 1)
        return Drawn(classes, quantity=(levels * LARGEST_QUANTITY).astype(np.float32))
    return _objects(pixels, count, number, rng)


def label_files(declaration: Declaration, label: Drawn) -> list[tuple[int, list[NewFile]]]:
    """The files that hold a label, with their positions in the sample."""
    target = declaration.target
    if isinstance(target, Mask):
        stored = _stored(label.classes, target)
        name, position = target.files.names[0][0], target.files.positions[0]
        if target.format == "HDF5":
            layers = np.stack([stored, stored, stored]).astype(np.uint8)
            return [(position, [hdf5_file(name, layers, {"dates": []})])]
        return [(position, [geotiff_file(name, stored[None])])]
    if isinstance(target, Quantity) and label.quantity is not None:
        fields = {"modality": "AGBM"}
        file = geotiff_file("chip_AGBM", label.quantity[None], fields)
        return [(target.files.positions[0], [file])]
    if isinstance(target, Parcels):
        numbers = _numbered(label)
        semantic = np.stack([label.classes] * 3).astype(np.uint8)
        return [
            (target.classes.positions[0], [hdf5_file(target.classes.names[0][0], semantic)]),
            (target.numbers.positions[0], [hdf5_file(target.numbers.names[0][0], numbers)]),
        ]
    if isinstance(target, TableBoxes | JsonBoxes):
        return [(target.files.positions[0], [_annotations(label, target)])]
    return []


def _annotations(label: Drawn, target: TableBoxes | JsonBoxes) -> NewFile:
    name = target.files.names[0][0]
    if isinstance(target, TableBoxes):
        words = {index: word for word, index in target.names.items()}
        sides = ("xmin", "ymin", "xmax", "ymax")
        columns: dict[str, list[Any]] = {
            side: [box[number] for box in label.boxes] for number, side in enumerate(sides)
        }
        columns["label"] = [words[index] for index in label.labels]
        return table_file(name, columns)
    objects = []
    for (left, top, right, bottom), category in zip(label.boxes, label.labels, strict=True):
        entry: dict[str, Any] = {
            "category_id": category,
            "bbox": [left, top, right - left, bottom - top],
            "bbox_mode": "xywh",
        }
        if target.outlined:
            entry["mask"] = [[left, top, right, top, right, bottom, left, bottom]]
        objects.append(entry)
    return annotation_file(name, {target.key: objects})


def _objects(pixels: int, count: int, number: int, rng: np.random.Generator) -> Drawn:
    """Rectangles; every fifth sample has none."""
    classes = np.zeros((pixels, pixels), dtype=np.int64)
    boxes, labels = [], []
    for _ in range(OBJECTS if number % 5 != 4 else 0):
        side = int(rng.integers(3, max(pixels // 3, 4)))
        left, top = (int(start) for start in rng.integers(0, pixels - side, 2))
        label = int(rng.integers(1, count))
        classes[top : top + side, left : left + side] = label
        boxes.append((left, top, left + side, top + side))
        labels.append(label)
    return Drawn(classes, boxes=tuple(boxes), labels=tuple(labels))


def _numbered(label: Drawn) -> npt.NDArray[np.int64]:
    """(height, width) object numbers; a later object lies over an earlier one."""
    numbers = np.zeros(label.classes.shape, dtype=np.int64)
    for number, (left, top, right, bottom) in enumerate(label.boxes, start=1):
        numbers[top:bottom, left:right] = number
    return numbers


def _patches(pixels: int, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """(height, width) of blobs, every class as frequent as any other."""
    levels = _smooth(pixels, rng)
    return np.minimum((levels * count).astype(np.int64), count - 1)


def _smooth(pixels: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(height, width) of smooth numbers spread evenly over [0, 1)."""
    field_ = bilinear(rng.normal(size=(5, 5)), (pixels, pixels))
    ranks = np.empty(field_.size)
    ranks[np.argsort(field_, axis=None)] = np.arange(field_.size)
    return ranks.reshape(field_.shape) / field_.size


def _stored(classes: npt.NDArray[np.int64], target: Mask) -> npt.NDArray[np.int16]:
    """Class indices as the file writes them."""
    written: dict[int, int] = {}
    for value, index in target.values.items():
        written.setdefault(index, value)
    table = np.array([written[index] for index in range(int(classes.max()) + 1)], dtype=np.int16)
    return table[classes]

"""Eight images with objects, learned by heart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from objects_support import boxed, detecting, drawn, give_objects

from iterate_core.data.dataset import SPLITS, Boxes, Sample
from iterate_core.data.geobench_v2.options import GeoBenchV2Data
from iterate_core.data.geobench_v2.reader import GeoBenchV2
from iterate_core.engine import fit
from iterate_core.engine.resolved import prepare
from iterate_core.recipe import Recipe

Find = Callable[[str], Path]
WINDOW = 128
SWIN = "swin_tiny_patch4_window7_224"


def opened(root: Path, dataset: str) -> GeoBenchV2:
    return GeoBenchV2(GeoBenchV2Data(root=root, dataset=dataset))


def samples(reader: GeoBenchV2, bands: tuple[str, ...]) -> list[Sample]:
    """Of all splits."""
    return [reader.read(name, bands) for split in SPLITS for name in reader.names(split)]


def aerial(root: Path) -> dict[str, Any]:
    """Birds of four images of everwatch and turbines of four of wind_turbine, as a `data` section.

    Of each image the window with the most objects that cuts none.
    """
    birds = opened(root, "everwatch")
    classes = (*birds.info.classes, "wind turbine")
    images, targets = [], []
    for reader, shift in ((birds, 0), (opened(root, "wind_turbine"), len(classes) - 2)):
        for sample in samples(reader, ("red", "green", "blue")):
            image, boxes = fullest_window(sample.image, sample.target)
            images.append(image)
            targets.append(Boxes(boxes.corners, boxes.labels + shift))
    return give_objects(images, targets, classes)


def fullest_window(image: npt.NDArray[Any], boxes: Boxes) -> tuple[npt.NDArray[Any], Boxes]:
    """The part of an image that holds the most objects whole, and of no other a part."""
    most, best = 0, (0, 0)
    for top in range(0, image.shape[1] - WINDOW + 1, 8):
        for left in range(0, image.shape[2] - WINDOW + 1, 8):
            whole, touched = within(boxes, top, left)
            if most < whole.sum() == touched.sum():
                most, best = int(whole.sum()), (top, left)
    top, left = best
    whole, _ = within(boxes, top, left)
    corners = boxes.corners[whole] - np.array([left, top] * 2, dtype=np.float32)
    return image[:, top : top + WINDOW, left : left + WINDOW], Boxes(corners, boxes.labels[whole])


def within(boxes: Boxes, top: int, left: int) -> tuple[npt.NDArray[np.bool], npt.NDArray[np.bool]]:
    """Which objects a window holds whole, and of which it holds anything."""
    start, end = np.array([left, top]), np.array([left, top]) + WINDOW
    near, far = boxes.corners[:, :2], boxes.corners[:, 2:]
    whole = (near >= start).all(axis=1) & (far <= end).all(axis=1)
    return whole, (far > start).all(axis=1) & (near < end).all(axis=1)


STEPS: dict[tuple[str, str], tuple[int, float]] = {
    ("retinanet", "test_resnet"): (40, 1e-3),
    ("retinanet", "test_vit"): (60, 1e-3),
    ("retinanet", SWIN): (80, 5e-4),
    ("fcos", "test_resnet"): (60, 1e-3),
    ("fcos", "test_vit"): (60, 1e-3),
    ("faster_rcnn", "test_resnet"): (60, 2e-3),
    ("faster_rcnn", "test_vit"): (150, 1e-3),
    ("fcos", SWIN): (120, 5e-4),
    ("faster_rcnn", SWIN): (220, 5e-4),
}
"""Epochs and learning rate at which a detector learns with a backbone."""


def learned(recipe: Recipe, folder: Path) -> dict[str, float]:
    """The scores of a recipe's best weights, on the images that it was trained on."""
    fit.fit(prepare(recipe), folder)
    return fit.evaluate(prepare(recipe), folder).metrics


def by_heart(
    decoder: str, data: dict[str, Any], backbone: str, epochs: int, lr: float, **options: Any
) -> Recipe:
    return detecting(
        decoder,
        data,
        model={
            "backbone": {"name": backbone, "weights": "none"},
            "decoder": {"name": decoder, **options},
        },
        optimiser={"lr": lr},
        trainer={"epochs": epochs},
        augmentation={"flip": False, "rotate": False},
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("decoder", "backbone"), STEPS)
def test_detectors_learn_eight_real_images_by_heart(
    decoder: str, backbone: str, shared_data: Find, tmp_path: Path
) -> None:
    data = aerial(shared_data("geobench_v2"))
    found = learned(by_heart(decoder, data, backbone, *STEPS[decoder, backbone]), tmp_path)
    assert found["test/map_50"] > 0.9


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("backbone", "batch", "epochs", "lr"),
    # Batch normalisation learns little of two images at a time.
    [("test_vit", 2, 300, 1e-3), ("test_resnet", 8, 200, 2e-3), (SWIN, 2, 250, 3e-4)],
)
def test_masks_of_real_fields_are_learned_by_heart(
    backbone: str, batch: int, epochs: int, lr: float, shared_data: Find, tmp_path: Path
) -> None:
    reader, images, targets = opened(shared_data("geobench_v2"), "pastis_r"), [], []
    for sample in samples(reader, ("B08", "B04", "B03"))[:8]:
        assert isinstance(sample.target, Boxes)
        fields = boxed(sample.target.masks, sample.target.labels)
        seen = (fields.corners[:, 2:] - fields.corners[:, :2]).min(axis=1) >= 6
        assert fields.masks is not None
        images.append(sample.image[:, 0])
        targets.append(boxed(fields.masks[seen], fields.labels[seen]))
    data = give_objects(images, targets, reader.info.classes, "instance")
    data |= {"image_size": 128, "batch_size": batch}
    wide = {"channels": 96, "mask_channels": 96}
    found = learned(by_heart("mask_rcnn", data, backbone, epochs, lr, **wide), tmp_path)
    assert found["test/segm_map_50"] > 0.9


@pytest.mark.slow
def test_masks_of_eight_drawn_images_are_learned_by_heart(tmp_path: Path) -> None:
    data = give_objects(*drawn(), task="instance") | {"batch_size": 2}
    found = learned(by_heart("mask_rcnn", data, "test_resnet", 30, 2e-3), tmp_path)
    assert found["test/segm_map_50"] > 0.9

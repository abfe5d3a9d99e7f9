"""Detectors on every kind of backbone: shapes, gradients, and where boxes lie."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from objects_support import SMALL, detecting, drawn, give_objects
from torch import Tensor

from iterate_core.engine.build import build_model
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.models.decoders.detectors.anchors import CellAnchors, listed
from iterate_core.models.decoders.detectors.base import _as_seen, _taught
from iterate_core.models.decoders.detectors.options import FasterRcnnOptions
from iterate_core.models.decoders.detectors.pyramid import Pyramid, Scene
from iterate_core.models.decoders.detectors.two_stage import TwoStage, build_faster_rcnn
from iterate_core.models.shapes import Maps

BACKBONES: dict[str, dict[str, Any]] = {
    "test_resnet": {},
    "test_vit": {},
    "test_convnext": {},
    "swin_tiny_patch4_window7_224": {},
}


def target(kind: str, count: int, size: tuple[int, int]) -> list[dict[str, Tensor]]:
    box = {"boxes": torch.tensor([[4.0, 6.0, 20.0, 24.0]]), "labels": torch.tensor([2])}
    if kind == "mask_rcnn":
        masks = torch.zeros(1, *size, dtype=torch.uint8)
        masks[:, 6:24, 4:20] = 1
        box["masks"] = masks
    none = {name: each[:0] for name, each in box.items()}
    return [box, none][:count]


@pytest.mark.parametrize("size", [(64, 64), (37, 50)])
@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("decoder", SMALL)
def test_every_detector_works_with_every_kind_of_backbone(
    decoder: str, backbone: str, size: tuple[int, int]
) -> None:
    task = "instance" if decoder == "mask_rcnn" else "detection"
    data = give_objects(*drawn(2, size), task=task)
    chosen = {"backbone": {"name": backbone, "weights": "none"}}
    torch.manual_seed(0)
    model = build_model(prepare(detecting(decoder, data, model=chosen)))
    scene = model(torch.randn(2, 3, *size))
    assert scene.size == size
    losses = model.decoder.losses(scene, target(decoder, 2, size))
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    parts = [value.grad for value in model.decoder.parameters() if value.grad is not None]
    assert parts
    assert all(grad.isfinite().all() for grad in parts)
    assert any(value.grad is not None for value in model.backbone.parameters())
    model.eval()
    for found in model.decoder.detections(model(torch.randn(2, 3, *size))):
        limits = torch.tensor([size[1], size[0]] * 2)
        assert ((found["boxes"] >= 0) & (found["boxes"] <= limits + 1e-3)).all()
        assert (found["labels"] > 0).all()
        assert (found["scores"].diff() <= 0).all()
        if decoder == "mask_rcnn":
            assert found["masks"].shape == (len(found["boxes"]), *size)


def test_anchors_are_centred_on_the_cells_of_their_level() -> None:
    scene = Scene([torch.zeros(1, 1, 4, 3), torch.zeros(1, 1, 2, 2)], (16, 12), (1.0, 1.0))
    (anchors,) = CellAnchors((4, 8), (2.0,), (1.0,))(listed(scene), scene.maps)
    assert anchors[0].tolist() == [-2.0, -2.0, 6.0, 6.0]  # 8 pixels around the middle of 4
    assert anchors[4].tolist() == [2.0, 2.0, 10.0, 10.0]
    assert anchors[12].tolist() == [-4.0, -4.0, 12.0, 12.0]
    assert len(anchors) == 4 * 3 + 2 * 2


@pytest.mark.parametrize("size", [(28, 42), (70, 56)])
def test_a_plain_transformers_pyramid_lies_exactly_on_its_image(size: tuple[int, int]) -> None:
    """Patches of 14 pixels: what is bright in the image is bright where boxes are looked for."""
    cells = [side // 14 for side in size]
    maps = torch.zeros(1, 2, *cells)
    maps[0, :, 1, 1] = 1.0
    pyramid = Pyramid(Maps((2,) * 4, (14,) * 4), 32, 4, pooled=True)
    assert pyramid.strides == (4, 8, 16, 32, 64)
    scene = pyramid([maps] * 4, size)
    levels = pyramid.hierarchy.neck
    assert levels is not None
    box = torch.tensor([[14.0, 14.0, 28.0, 28.0]])
    taught = _taught({"boxes": box, "labels": torch.tensor([1])}, scene)["boxes"]
    grid = [side * scale for side, scale in zip(size, scene.scale, strict=True)]
    for level, stride in zip(scene.maps, pyramid.read, strict=False):
        assert list(level.shape[-2:]) == [round(side / stride) for side in grid]
    share = taught / torch.tensor([grid[1], grid[0]] * 2)
    assert torch.allclose(share, box / torch.tensor([size[1], size[0]] * 2))
    again = _as_seen({"boxes": taught, "labels": torch.tensor([1])}, scene)["boxes"]
    assert torch.allclose(again, box)


def test_what_has_no_area_or_is_background_teaches_nothing() -> None:
    scene = Scene([torch.zeros(1, 1, 8, 8)], (32, 32), (1.0, 1.0))
    boxes = torch.tensor([[1.0, 1.0, 9.0, 9.0], [4.0, 4.0, 4.0, 9.0], [2.0, 2.0, 8.0, 8.0]])
    kept = _taught({"boxes": boxes, "labels": torch.tensor([1, 1, 0])}, scene)
    assert kept["boxes"].tolist() == [[1.0, 1.0, 9.0, 9.0]]


@pytest.mark.parametrize(
    ("strides", "finest", "read"),
    [
        ((2, 4, 8, 16, 32), 4, (4, 8, 16, 32)),
        ((2, 4, 8, 16, 32), 8, (8, 16, 32)),
        ((8, 16), 4, (8, 16)),
        ((16,) * 12, 8, (8, 16, 32)),
    ],
)
def test_the_pyramid_reads_what_the_backbone_has(
    strides: tuple[int, ...], finest: int, read: tuple[int, ...]
) -> None:
    assert Pyramid(Maps((8,) * len(strides), strides), 32, finest, pooled=False).read == read


def test_maps_that_are_too_far_apart_are_refused() -> None:
    with pytest.raises(RequestError, match="the backbone has 4, 32"):
        Pyramid(Maps((8, 8), (4, 32)), 32, 4, pooled=True)


def test_boxes_keep_their_digits_in_half_precision() -> None:
    torch.manual_seed(0)
    shape = Maps((8,) * 4, (4, 8, 16, 32))
    options = FasterRcnnOptions(name="faster_rcnn", channels=32, hidden=16, score_threshold=0.0)
    made: TwoStage = build_faster_rcnn(options, shape, 3)
    maps = [torch.randn(1, 8, 256 // stride, 256 // stride) for stride in shape.strides]
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        found = made.eval().detections(made(maps, (256, 256)))[0]["boxes"]
    assert found.dtype == torch.float32
    coarse = found[(found > 128) & (found < 256)]
    assert (coarse != coarse.bfloat16().float()).any()


@pytest.mark.parametrize("decoder", ["retinanet", "fcos"])
def test_normalising_in_groups_serves_one_image_whose_coarsest_map_is_a_cell(decoder: str) -> None:
    data = give_objects(*drawn(1))
    model = build_model(prepare(detecting(decoder, data))).train()
    scene = model(torch.randn(1, 3, 64, 64))
    assert scene.maps[-1].shape[-2:] == (1, 1)
    losses = model.decoder.losses(scene, target(decoder, 1, (64, 64)))
    assert all(loss.isfinite() for loss in losses.values())
    with pytest.raises(RequestError, match=r"decoder\.channels: .*multiple of 64, but got 32"):
        detecting(decoder, data, model={"decoder": {"channels": 32}})


def test_a_threshold_that_no_score_exceeds_is_refused() -> None:
    with pytest.raises(RequestError, match=r"score_threshold: .*less than 1, but got 1\.0"):
        detecting(data={}, model={"decoder": {"score_threshold": 1.0}})

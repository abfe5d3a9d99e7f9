"""Detection and instance segmentation, from files to scores."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from objects_support import (
    SHAPES,
    SIDE,
    SMALL,
    ObjectsData,
    boxed,
    detecting,
    drawn,
    give_objects,
    nothing,
    open_objects,
)
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from iterate_core.data.augmentation.elements import elements
from iterate_core.data.convert.images import read_image
from iterate_core.data.dataset import Boxes
from iterate_core.data.inspect.show import draw
from iterate_core.data.target import target_of
from iterate_core.engine import fit
from iterate_core.engine.features import keeping, supply
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.engine.setup import Setup
from iterate_core.errors import RequestError
from iterate_core.lightning import datamodule_of, module_of
from iterate_core.recipe import Recipe
from iterate_core.tasks.detection.scores import ObjectScores

DETECTORS = tuple(SMALL)
STILL = {"flip": False, "rotate": False}


def evaluated(recipe: Recipe, folder: Path) -> list[Any]:
    """What the best checkpoint detects in each test image."""
    setup = Setup(prepare(recipe))
    setup.take(fit.load_best(folder, setup.prepared.identity)[0])
    setup.module.eval()
    found = []
    with torch.no_grad():
        for batch in setup.supplies.evaluated("test"):
            found += setup.module.predictions(setup.module(batch))
    return found


def by_pycocotools(targets: list[Boxes], found: list[Any], kind: str, folder: Path) -> Any:
    """The evaluation that pycocotools makes of predictions written to a file."""
    objects: list[dict[str, Any]] = []
    predictions: list[dict[str, Any]] = []
    for image, (boxes, told) in enumerate(zip(targets, found, strict=True), start=1):
        for corners, label, mask in zip(boxes.corners, boxes.labels, boxes.masks, strict=True):
            sides = [*corners[:2], *(corners[2:] - corners[:2])]
            area = float(mask.sum() if kind == "segm" else sides[2] * sides[3])
            entry = {
                "image_id": image,
                "category_id": int(label),
                "bbox": [float(s) for s in sides],
            }
            entry |= {"id": len(objects) + 1, "iscrowd": 0, "area": area}
            objects.append(entry | {"segmentation": runs(mask)})
        for index, (corners, label, score) in enumerate(
            zip(
                told["boxes"].tolist(),
                told["labels"].tolist(),
                told["scores"].tolist(),
                strict=True,
            )
        ):
            left, top, right, bottom = corners
            entry = {"image_id": image, "category_id": label, "score": score}
            entry |= {"bbox": [left, top, right - left, bottom - top]}
            if kind == "segm":
                entry |= {"segmentation": runs(told["masks"][index].numpy())}
                del entry["bbox"]
            predictions.append(entry)
    labels = {entry["category_id"] for entry in (*objects, *predictions)}
    content = {
        "images": [
            {"id": number, "height": SIDE, "width": SIDE} for number in range(1, len(targets) + 1)
        ],
        "categories": [{"id": label} for label in sorted(labels)],
        "annotations": objects,
    }
    (folder / "objects.json").write_text(json.dumps(content))
    (folder / "predictions.json").write_text(json.dumps(predictions))
    truth = COCO(str(folder / "objects.json"))
    evaluation = COCOeval(truth, truth.loadRes(str(folder / "predictions.json")), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


def runs(mask: Any) -> dict[str, Any]:
    """A mask as COCO's files hold it."""
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {**encoded, "counts": encoded["counts"].decode()}


def few(decoder: str, **changes: Any) -> Recipe:
    """A recipe on four images."""
    task = "instance" if decoder == "mask_rcnn" else "detection"
    return detecting(decoder, give_objects(*drawn(4), task=task), **changes)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path, fit.FitResult]:
    """Eight images learned by heart."""
    folder = tmp_path_factory.mktemp("learned")
    recipe = detecting("fcos", trainer={"epochs": 24}, augmentation=STILL)
    return recipe, folder, fit.fit(prepare(recipe), folder)


def test_a_small_resnet_learns_eight_images_by_heart(
    learned: tuple[Recipe, Path, fit.FitResult],
) -> None:
    recipe, folder, result = learned
    test = fit.evaluate(prepare(recipe), folder)
    assert result.reports[-1].metrics.keys() == {
        "train/loss", "lr", "val/map", "val/map_50", "val/loss",
    }  # fmt: skip
    assert test.metrics["test/map_50"] > 0.9
    assert test.metrics["test/map"] == result.value > 0.4  # where nothing is found it is 0
    rows = test.to_mapping()["classes"]
    assert [row["name"] for row in rows] == ["square", "disc"]
    assert np.mean([row["ap"] for row in rows]) == pytest.approx(result.value)
    assert sum(row["support"] for row in rows) == sum(len(one.labels) for one in drawn()[1])


def test_test_scores_are_those_of_pycocotools_of_the_written_predictions(
    learned: tuple[Recipe, Path, fit.FitResult], tmp_path: Path
) -> None:
    recipe, folder, _ = learned
    coco = by_pycocotools(drawn()[1], evaluated(recipe, folder), "bbox", tmp_path)
    told = fit.evaluate(prepare(recipe), folder).to_mapping()
    assert told["test/map"] == pytest.approx(coco.stats[0], abs=1e-6)
    assert told["test/map_50"] == pytest.approx(coco.stats[1], abs=1e-6)
    agree(told["classes"], coco)


def agree(rows: list[dict[str, Any]], coco: COCOeval) -> None:
    """The scores of each class are those that pycocotools accumulates."""
    every = np.moveaxis(coco.eval["precision"][..., 0, -1], -1, 0)
    for row, precision in zip(rows, every, strict=True):
        assert row["ap"] == pytest.approx(precision.mean(), abs=1e-6)
        assert row["ap_50"] == pytest.approx(precision[0].mean(), abs=1e-6)


def test_scores_of_masks_and_their_boxes_are_those_of_pycocotools(tmp_path: Path) -> None:
    rng, targets, found = np.random.default_rng(0), drawn(12)[1], []
    for boxes in targets:  # each moved a little, some under the other's name, and some of nothing
        moved = [np.roll(mask, rng.integers(-3, 4, 2), (0, 1)) for mask in boxes.masks]
        masks = np.array([*moved, np.eye(SIDE)], np.uint8)
        labels = np.where(rng.random(len(masks)) < 0.2, 1, np.append(boxes.labels, 2))
        told = boxed(masks, labels.tolist())
        scores = torch.from_numpy(rng.random(len(masks)).astype(np.float32))
        found.append({**as_tensors(told), "scores": scores})
    taken = ObjectScores((), {"segm": "segm_", "bbox": ""})
    for start in range(0, 12, 4):
        part = slice(start, start + 4)
        taken.take(found[part], [as_tensors(boxes) for boxes in targets[part]])
    values = taken.others()
    for kind, prefix in taken.kinds.items():
        coco = by_pycocotools(targets, found, kind, tmp_path)
        assert 0.1 < coco.stats[0] < 0.9
        assert values[f"{prefix}map"] == pytest.approx(coco.stats[0], abs=1e-6)
        assert values[f"{prefix}map_50"] == pytest.approx(coco.stats[1], abs=1e-6)
        if kind == "segm":
            agree(taken.by_class(SHAPES).to_mapping()["classes"], coco)


def as_tensors(boxes: Boxes) -> dict[str, torch.Tensor]:
    assert boxes.masks is not None
    arrays = {"boxes": boxes.corners, "labels": boxes.labels, "masks": boxes.masks}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def test_nothing_found_scores_nothing_and_a_split_without_objects_has_no_score() -> None:
    none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    box = {"boxes": torch.tensor([[2.0, 2.0, 9.0, 9.0]]), "labels": torch.tensor([1])}
    for target, expected in ((box, 0.0), (none, float("nan"))):
        scores = ObjectScores((), {"bbox": ""})
        scores.take([none | {"scores": torch.zeros(0)}] * 2, [target, none])
        found = scores.others()
        assert found == pytest.approx({"map": expected, "map_50": expected}, nan_ok=True)
        rows = scores.by_class(["background", "square"]).scores
        assert [row.support for row in rows] == [len(target["labels"])]


@pytest.mark.parametrize("decoder", DETECTORS)
def test_images_without_objects_are_trained_on(decoder: str, tmp_path: Path) -> None:
    images, targets = drawn(4)
    task = "instance" if decoder == "mask_rcnn" else "detection"
    few, none = [nothing(images[0])] * 3 + targets[:1], None if decoder != "fcos" else "train"
    data = give_objects(images, few, task=task, bare=none)
    prepared = prepare(detecting(decoder, data, trainer={"epochs": 1}))
    preflight(prepared)
    assert np.isfinite(fit.fit(prepared, tmp_path).reports[0].metrics["train/loss"])


@pytest.mark.parametrize("decoder", ["fcos", "mask_rcnn"])
def test_a_validation_split_without_objects_is_refused_before_training(
    decoder: str, tmp_path: Path
) -> None:
    task = "instance" if decoder == "mask_rcnn" else "detection"
    prepared = prepare(detecting(decoder, give_objects(*drawn(2), task=task, bare="val")))
    for attempt in (preflight, lambda found: fit.epochs(found, tmp_path)):
        with pytest.raises(RequestError, match="the validation split holds no object"):
            attempt(prepared)


def test_a_test_split_without_objects_is_trained_for_and_never_scored(tmp_path: Path) -> None:
    data = give_objects(*drawn(2), bare="test")
    prepared = prepare(detecting("fcos", data, trainer={"epochs": 1}))
    fit.fit(prepared, tmp_path)
    for attempt in (preflight, lambda found: fit.test(found, tmp_path)):
        with pytest.raises(RequestError, match="the test split holds no object"):
            attempt(prepared)
    assert np.isfinite(fit.test(prepared, tmp_path, "val")["val/map"])


@pytest.mark.parametrize("decoder", ["mask_rcnn", "retinanet"])
def test_a_killed_training_goes_on_to_the_same_numbers(decoder: str, tmp_path: Path) -> None:
    recipe = few(decoder, trainer={"epochs": 2})
    whole = fit.fit(prepare(recipe), tmp_path / "whole")
    list(islice(fit.epochs(prepare(recipe), tmp_path / "killed"), 1))
    resumed = fit.fit(prepare(recipe), tmp_path / "killed")
    assert [one.metrics for one in whole.reports] == [one.metrics for one in resumed.reports]
    assert fit.test(prepare(recipe), tmp_path / "whole") == fit.test(
        prepare(recipe), tmp_path / "killed"
    )


@pytest.mark.parametrize("decoder", ["fcos", "mask_rcnn"])
def test_a_frozen_backbones_kept_features_meet_the_same_objects(
    decoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    # The last bits of a convolution may depend on how many samples it is given at once.
    monkeypatch.setattr(supply, "CHUNK", 4)
    recipe = few(decoder, tuning={"name": "frozen"}, augmentation={"flip": False, "rotate": False})
    kept = fit.fit(prepare(recipe), tmp_path / "kept")
    assert list((tmp_path / "cache/features").rglob("*.npy"))
    monkeypatch.setattr(keeping, "worthwhile", lambda *_: False)
    anew = fit.fit(prepare(recipe), tmp_path / "anew")
    assert [one.metrics for one in kept.reports] == [other.metrics for other in anew.reports]


@pytest.mark.parametrize("size", [(SIDE, SIDE), (24, 40)])
def test_boxes_and_masks_move_with_their_image(size: tuple[int, int]) -> None:
    images, targets = drawn(4, (SIDE, SIDE) if size == (SIDE, SIDE) else (44, 60))
    height, width = images[0].shape[1:]
    info = prepare(detecting("mask_rcnn", give_objects(images, targets, task="instance"))).info
    target = target_of(info)
    for element in elements(flip=True, rotate=True, square=height == width):
        stored = [
            {name: torch.from_numpy(each) for name, each in target.packed(one).items()}
            for one in targets
        ]
        chosen = np.zeros(len(stored), np.int64)
        moved = target.prepared(target.augmented(stored, chosen, (element,)), (2 * height, width))
        for one, boxes in zip(moved, targets, strict=True):
            masks = element.apply(torch.from_numpy(boxes.masks)).repeat_interleave(2, dim=-2)
            assert torch.equal(one["masks"], masks)
            again = boxed(masks.numpy(), boxes.labels)
            np.testing.assert_array_equal(one["boxes"], again.corners)
            np.testing.assert_array_equal(one["labels"], boxes.labels)


def test_the_loss_of_a_split_is_the_same_whenever_it_is_asked(tmp_path: Path) -> None:
    recipe = few("faster_rcnn")
    told = fit.fit(prepare(recipe), tmp_path).reports
    best = max(told, key=lambda report: report.value)
    assert fit.test(prepare(recipe), tmp_path, "val")["val/loss"] == best.metrics["val/loss"]


def test_classes_without_a_background_get_one() -> None:
    images, targets = drawn()
    shifted = [Boxes(one.corners, one.labels - 1) for one in targets]
    with_one = prepare(detecting(data=give_objects(images, targets)))
    without = prepare(detecting(data=give_objects(images, shifted, ("square", "disc"))))
    assert with_one.pack.target.channels == without.pack.target.channels == 3
    for one, other in zip(*(p.pack.targets("train")[np.arange(8)] for p in (with_one, without)),
                          strict=True):  # fmt: skip
        np.testing.assert_array_equal(one["labels"], other["labels"])


@pytest.mark.parametrize(
    ("corners", "label", "told"),
    [
        ([[5, 5, 3, 9]], 1, "corners are out of order"),
        ([[np.nan, 5, 8, 9]], 1, "not finite"),
        ([[1, 2, 3, 4]], 3, "has the label 3, but there are 3 classes"),
        ([[1, 2, 3]], 1, r"has a target of shape \(1, 3\)"),
    ],
)
def test_what_is_no_object_is_refused(corners: Any, label: int, told: str) -> None:
    images, targets = drawn()
    targets[5] = Boxes(np.array(corners, np.float32), np.array([label]))
    with pytest.raises(RequestError, match=f"sample train-5: .*{told}"):
        preflight(prepare(detecting(data=give_objects(images, targets))))


def test_boxes_do_not_serve_where_masks_are_wanted() -> None:
    images, targets = drawn()
    bare = [Boxes(one.corners, one.labels) for one in targets]
    data = give_objects(images, bare, task="instance")
    with pytest.raises(RequestError, match="objects without masks"):
        preflight(prepare(detecting("mask_rcnn", data)))
    with pytest.raises(RequestError, match=r"'fcos' does not serve instance\. These do: mask_rcnn"):
        preflight(prepare(detecting("fcos", data)))
    with pytest.raises(RequestError, match="These do: faster_rcnn, fcos, retinanet"):
        preflight(prepare(detecting("mask_rcnn", give_objects(images, targets))))


def test_a_metric_of_detections_is_not_measured_on_training_batches() -> None:
    with pytest.raises(RequestError, match="map is not measured on training batches"):
        preflight(prepare(detecting(objective={"split": "train"})))
    preflight(prepare(detecting(objective={"split": "train", "metric": "loss"})))


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")
@pytest.mark.filterwarnings("ignore::lightning.pytorch.utilities.warnings.PossibleUserWarning")
def test_a_lightning_trainer_trains_it_alike(tmp_path: Path) -> None:
    recipe = few("faster_rcnn", trainer={"epochs": 1})
    told = fit.fit(prepare(recipe), tmp_path).reports[0].metrics
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(module_of(recipe), datamodule_of(recipe))
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    for name in ("train/loss", "val/loss", "val/map"):
        assert logged[name] == pytest.approx(told[name], abs=1e-6)


def test_masks_tint_what_they_cover(tmp_path: Path) -> None:
    image = np.full((3, SIDE, SIDE), 100, np.uint8)
    image[:, :2] = 0
    mask = np.zeros((1, SIDE, SIDE), np.uint8)
    mask[:, 16:48, 16:48] = 1
    masked = boxed(mask, [1])
    pictures = []
    for name, boxes in (("with", masked), ("without", Boxes(masked.corners, masked.labels))):
        task = "instance" if boxes.masks is not None else "detection"
        reader = open_objects(ObjectsData(**give_objects([image], [boxes], task=task)))
        draw(reader, "train", tmp_path / f"{name}.png")
        pictures.append(read_image(tmp_path / f"{name}.png").astype(int))
    tinted = (pictures[0] != pictures[1]).any(axis=0)
    rows, columns = np.flatnonzero(tinted.any(axis=1)), np.flatnonzero(tinted.any(axis=0))
    height, width = (np.ptp(places) + 1 for places in (rows, columns))
    assert height == pytest.approx(width, abs=3)
    assert tinted.sum() > 0.9 * height * width > 100

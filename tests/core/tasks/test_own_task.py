"""A task of one's own: points, of which each image has some or none, from files to scores.

It uses what a package that adds a task has: the registry and its own code.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from engine_support import RGB, give, recipe
from torch import Tensor
from torch.nn import functional

from iterate.run.sample_intervals import over_samples
from iterate_core.data.augmentation.elements import elements
from iterate_core.data.loading.loader import PixelSupply
from iterate_core.data.store.targets import Ragged
from iterate_core.data.target import Target
from iterate_core.engine import fit
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.features import keeping, supply
from iterate_core.engine.normalisation import scaling_of
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.models.assembly import Model
from iterate_core.registry import registries
from iterate_core.registry.options import Section
from iterate_core.registry.registry import Entry
from iterate_core.tasks.declarations import REGRESSION, TaskDeclaration
from iterate_core.tasks.metrics import Metric
from iterate_core.tasks.regression import RegressionTask
from iterate_core.tasks.scores import SummedScores
from iterate_core.tasks.supervised import SupervisedTask
from iterate_core.tasks.targets import QuantityTarget

SIDE, SAMPLES = 16, 24
Array = npt.NDArray[Any]


class PointsTarget(Target):
    """(points, 2): x and y in pixels; the model tells of each pixel whether a point is in it."""

    takes = ("map",)
    ragged = True

    def check(self, target: Any, where: str) -> None:
        if target.ndim != 2 or not ((target >= 0) & (target <= SIDE)).all():
            raise DataError(Problem(where, "has a point outside."))

    def packed(self, target: Any) -> dict[str, Array]:
        return {"points": target.astype(np.float32), "weights": np.ones(len(target), np.float32)}

    def augmented(self, targets: Any, chosen: Any, group: Any) -> Any:
        size = (self.info.height, self.info.width)
        return [
            sample | {"points": group[which].move(sample["points"], size)}
            for sample, which in zip(targets, chosen, strict=True)
        ]

    def prepared(self, targets: Any, size: tuple[int, int]) -> Any:
        factor = size[0] / self.info.height
        return [sample | {"points": sample["points"] * factor} for sample in targets]


def pixels_f1(sums: Array) -> Array:
    found, missed, wrong = np.moveaxis(sums, -1, 0)
    return np.asarray(2 * found / np.maximum(2 * found + missed + wrong, 1))


POINTS = TaskDeclaration(
    "points",
    (
        Metric("f1", "max", "2 tp / (2 tp + fp + fn) of pixels", pixels_f1),
        Metric("loss", "min", "binary cross-entropy", highest=math.inf),
    ),
)


class PointScores(SummedScores):
    """Points found, points missed and pixels taken for points."""

    def __init__(self) -> None:
        super().__init__(POINTS.metrics, 3)

    def of_samples(self, outputs: Tensor, targets: Any) -> Tensor:
        told, there = outputs[:, 0] > 0, drawn(targets, outputs) > 0
        parts = (told & there, ~told & there, told & ~there)
        return torch.stack([part.flatten(1).sum(dim=1) for part in parts], dim=1)


class PointsTask(SupervisedTask):
    def __init__(self, model: Model, pack: Any) -> None:
        del pack
        super().__init__(model, PointScores)

    def losses(self, outputs: Tensor, targets: Any) -> tuple[Tensor, Tensor]:
        wanted = drawn(targets, outputs)
        weight = torch.where(wanted > 0, 20.0, 1.0)
        total = functional.binary_cross_entropy_with_logits(
            outputs[:, 0], wanted, weight, reduction="sum"
        )
        return total, torch.tensor(wanted.numel())


def drawn(targets: Any, outputs: Tensor) -> Tensor:
    """(n, height, width): 1 in the pixel of each point."""
    maps = torch.zeros_like(outputs[:, 0])
    for grid, sample in zip(maps, targets, strict=True):
        x, y = sample["points"].long().unbind(-1)
        grid[y, x] = sample["weights"]
    return maps


class FineTarget(QuantityTarget):
    """A map of twice the image's resolution."""

    finer = 2


class DepartureTarget(QuantityTarget):
    """A map, in batches less the red that the image shows there."""

    sees_images = True

    def seen(self, targets: Any, images: Tensor, bands: Any, means: Any) -> Any:
        assert means.shape == (1,)
        return targets - images[:, [band.name for band in bands].index("red")]


OWN = {
    "points": (PointsTask, {"declaration": POINTS, "target": PointsTarget}),
    "fine": (RegressionTask, {"declaration": REGRESSION, "target": FineTarget}),
    "departure": (RegressionTask, {"declaration": REGRESSION, "target": DepartureTarget}),
    "pointless": (PointsTask, {"declaration": POINTS}),
}


@pytest.fixture(autouse=True)
def _own_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are registered for the length of a test."""
    registries.tasks.names()  # those that ship are there
    monkeypatch.setattr(registries.tasks, "_entries", dict(registries.tasks._entries))
    for task, (build, facts) in OWN.items():
        registries.tasks.register(Entry(task, Section, build, facts=facts))


def points_and_images() -> tuple[Array, Array]:
    """Images that are bright where their points are: none in the first, up to three in others."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 30, (SAMPLES, 3, SIDE, SIDE), dtype=np.uint8)
    targets = np.empty(SAMPLES, dtype=object)
    for index in range(SAMPLES):
        cells = rng.choice(SIDE * SIDE, index % 4, replace=False)
        y, x = np.divmod(cells, SIDE)
        images[index][:, y, x] = 250
        targets[index] = np.stack((x, y), axis=1) + 0.5
    return images, targets


def points(task: str = "points", data: Any = None, **changes: Any) -> Any:
    images, targets = points_and_images()
    section = give(images, targets, RGB, classes=1, task=task) | (data or {})
    return recipe("segmentation", data=section, **changes)


def test_points_are_packed_as_they_are() -> None:
    packed = prepare(points()).pack
    stored, targets = packed.targets("train"), points_and_images()[1]
    assert isinstance(stored, Ragged)
    assert len(stored) == SAMPLES
    again = stored[np.array([5, 0, 3])]
    assert [len(sample["points"]) for sample in again] == [1, 0, 3]
    np.testing.assert_array_equal(again[2]["points"], targets[3])


def test_packed_points_that_lost_rows_are_packed_anew() -> None:
    chosen = points()
    packed = prepare(chosen).pack
    packed.targets("train")
    file = packed.folder / "train-targets-points.npy"
    np.save(file, np.load(file)[:-1])
    np.testing.assert_array_equal(
        prepare(chosen).pack.targets("train")[np.array([3])][0]["points"], points_and_images()[1][3]
    )


def test_points_move_with_the_pixels_they_are_in() -> None:
    image = torch.arange(12).reshape(3, 4)
    x, y = torch.tensor([3.5, 0.5]), torch.tensor([0.5, 2.5])
    for element in elements(flip=True, rotate=True, square=True):
        moved = element.move(torch.stack((x, y), dim=-1), (3, 4)).long()
        turned = element.apply(image)
        assert turned[moved[:, 1], moved[:, 0]].tolist() == [3, 8]


def supplied(chosen: Any, workers: int = 0) -> PixelSupply:
    prepared = prepare(chosen)
    scaling = scaling_of(prepared, shared_backbone(prepared, meta=True))
    group = elements(flip=True, rotate=True, square=True)
    return PixelSupply(prepared.pack, "train", scaling, group, torch.device("cpu"), workers)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("size", [SIDE, 2 * SIDE])
def test_batches_hold_each_samples_points_where_its_image_is_bright(
    workers: int, size: int
) -> None:
    supply = supplied(points(data={"image_size": size, "normalisation": "none"}), workers)
    order = np.arange(SAMPLES)
    (batch,) = supply.batches([order], [order % 8])
    assert [len(sample["points"]) for sample in batch.targets] == [n % 4 for n in range(SAMPLES)]
    for image, sample in zip(batch.inputs, batch.targets, strict=True):
        x, y = sample["points"].long().unbind(-1)
        assert (image[0, y, x] > image[0].median() + 0.3).all()


def test_points_are_learned_under_flips_and_rotations(tmp_path: Path) -> None:
    changes = {"trainer": {"epochs": 14}, "optimiser": {"name": "adamw", "lr": 0.02}}
    chosen = points(data={"image_size": 32}, **changes)
    preflight(prepare(chosen))
    result = fit.fit(prepare(chosen), tmp_path)
    scores = fit.test(prepare(chosen), tmp_path, keep=tmp_path / "samples.npz")
    assert scores.keys() == {"test/f1", "test/loss"}
    assert scores["test/f1"] == result.value > 0.7
    # What the leaderboard tells of the test samples.
    found = over_samples([tmp_path / "samples.npz"], "f1")
    assert found is not None
    assert found.value == scores["test/f1"]
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < found.value < found.high <= 1


def test_kept_features_meet_the_same_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    # The last bits of a convolution may depend on how many samples it is given at once.
    monkeypatch.setattr(supply, "CHUNK", 4)
    chosen = points(
        tuning={"name": "frozen"}, augmentation={"rotate": False}, trainer={"epochs": 4}
    )
    kept = fit.fit(prepare(chosen), tmp_path / "kept")
    assert list((tmp_path / "cache/features").rglob("*.npy"))
    monkeypatch.setattr(keeping, "worthwhile", lambda *_: False)
    anew = fit.fit(prepare(chosen), tmp_path / "anew")
    assert [one.metrics for one in kept.reports] == [other.metrics for other in anew.reports]


def test_what_is_no_point_is_refused() -> None:
    images, targets = points_and_images()
    targets[3][0, 0] = SIDE + 1
    section = give(images, targets, RGB, classes=1, task="points")
    with pytest.raises(RequestError, match="sample train-3: has a point outside"):
        preflight(prepare(recipe("segmentation", data=section)))


def test_a_task_without_a_target_is_told_so() -> None:
    with pytest.raises(RequestError, match="the task 'pointless' names no target"):
        preflight(prepare(points("pointless")))


def test_a_decoder_of_vectors_does_not_serve_it() -> None:
    expected = r"'attentive_pool' does not serve points\..*linear, .*unet"
    with pytest.raises(RequestError, match=expected):
        preflight(prepare(points(model={"decoder": {"name": "attentive_pool"}})))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_target_is_told_the_stored_images_turned_as_it_is(workers: int) -> None:
    images = points_and_images()[0]
    section = give(images, images[:, 0] + 5.0, RGB, classes=1, task="departure")
    supply = supplied(recipe("segmentation", data=section), workers)
    order = np.arange(SAMPLES)
    (batch,) = supply.batches([order], [order % 8])
    assert (batch.targets == 5).all()
    assert (supply.targets(order, order % 8) == 5).all()


def test_a_target_on_a_finer_grid_is_turned_resized_and_predicted_there(tmp_path: Path) -> None:
    images = points_and_images()[0]
    maps = images[:, 0].repeat(2, axis=1).repeat(2, axis=2).astype(np.float32)
    section = give(images, maps, RGB, classes=1, task="fine") | {"image_size": 24}
    chosen = recipe("segmentation", data=section | {"normalisation": "none"}, trainer={"epochs": 2})
    preflight(prepare(chosen))
    (batch,) = supplied(chosen).batches([np.arange(8)], [np.arange(8)])
    assert batch.targets.shape == (8, 48, 48)
    shrunk = functional.avg_pool2d(batch.targets[:, None], 3)[:, 0]  # back at 16 × 16
    seen = functional.interpolate(batch.inputs[:, :1], (SIDE, SIDE), mode="bilinear")[:, 0]
    for turned, image in zip(shrunk, seen, strict=True):
        both = torch.stack((turned.flatten(), image.flatten()))
        assert torch.corrcoef(both)[0, 1] > 0.9
    assert fit.fit(prepare(chosen), tmp_path).reports[-1].metrics.keys() >= {"val/rmse", "val/r2"}

"""Several dates as input, and when and where images were taken."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from engine_support import RGB, give, random_images, recipe
from torch import Tensor, nn
from torch.nn import functional
from tuning_support import FROZEN

from iterate_core.data.augmentation.elements import elements
from iterate_core.data.loading.loader import PixelSupply
from iterate_core.engine import fit
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.features import keeping, supply
from iterate_core.engine.normalisation import scaling_of
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import DataError, RequestError
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.framewise import Framewise
from iterate_core.models.backbones.options import BackboneOptions
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.registry import Entry

CPU = torch.device("cpu")
FRAMES = 3
DATES = [None if n == 2 else ((2020, 20 + n), (2020, 150 + n), (2021, 3)) for n in range(8)]
PLACES = [None if n == 5 else (47.5 + n, -3.25 * n) for n in range(8)]


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


class Told(Backbone):
    """Band means, then year, day and latitude, 0 where unknown: what it was told, as features."""

    def __init__(self, inputs: Inputs, frames: bool) -> None:
        super().__init__(Pooled(len(inputs.bands) + 3), 1)
        self.scale = nn.Parameter(torch.ones(()))
        self.takes_frames = frames
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor:
        self.seen.append(images)
        told = torch.zeros(len(images), 3, device=images.device)
        if context is not None and context.dates is not None and context.places is not None:
            told = torch.cat([context.dates[:, -1], context.places[:, :1]], dim=1)
        means = images.flatten(2).mean(dim=2)
        return self.scale * torch.cat([means, torch.where(told.isnan(), 0.0, told)], dim=1)


class ToldOptions(BackboneOptions):
    name: Literal["told", "told_frames"]
    weights: str = "none"


def build_told(options: ToldOptions, inputs: Inputs, meta: bool) -> Told:
    with torch.device("meta" if meta else "cpu"):
        return Told(inputs, options.name == "told_frames")


for _name in ("told", "told_frames"):
    if _name not in registries.backbones.names():
        registries.backbones.register(Entry(_name, ToldOptions, build_told))


def section(size: int = 16, **changes: Any) -> dict[str, Any]:
    images = random_images((8, 3, FRAMES, size, size))
    return give(images, np.arange(8) % 2, RGB, classes=2, dates=DATES, places=PLACES) | changes


def dated(backbone: str = "test_resnet", **changes: Any) -> Recipe:
    model = {"backbone": {"name": backbone, "weights": "none"}} | changes.pop("model", {})
    data = section(**changes.pop("data", {}))
    return recipe(data=data, model=model, **changes)


def supplied(prepared: Prepared, workers: int = 0) -> PixelSupply:
    scaling = scaling_of(prepared, shared_backbone(prepared, meta=True))
    group = elements(flip=True, rotate=True, square=True)
    return PixelSupply(prepared.pack, "train", scaling, group, CPU, workers)


# The store


def test_dates_and_places_are_packed_with_nan_where_unknown() -> None:
    pack = prepare(dated()).pack
    dates, places = pack.dates("train"), pack.places("val")
    assert dates is not None
    assert places is not None
    assert dates.shape == (8, FRAMES, 2)
    assert np.isnan(dates[2]).all()
    assert dates[3].tolist() == [[2020, 23], [2020, 153], [2021, 3]]
    assert np.isnan(places[5]).all()
    assert places[7].tolist() == [54.5, -22.75]
    assert not list(pack.folder.glob("test*"))


def test_a_dataset_that_knows_neither_has_no_context() -> None:
    data = give(random_images((4, 3, 8, 8)), np.arange(4) % 2, RGB, classes=2)
    prepared = prepare(recipe(data=data))
    assert prepared.pack.dates("train") is None
    assert prepared.pack.places("train") is None
    (batch,) = supplied(prepared).batches([np.arange(4)], None)
    assert batch.context is None


def test_statistics_are_of_each_band_over_all_dates() -> None:
    prepared = prepare(dated())
    pixels = np.asarray(prepared.pack.images("train"), np.float64)
    assert pixels.shape == (8, 3, FRAMES, 16, 16)
    np.testing.assert_allclose(prepared.pack.mean, pixels.mean(axis=(0, 2, 3, 4)), rtol=1e-12)
    np.testing.assert_allclose(prepared.pack.std, pixels.std(axis=(0, 2, 3, 4)), rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dates": [((2020, 5),)] * 8}, "sample train-0: declares 1 dates for 3 frames"),
        ({"dates": [((2020, 5), (2020, 0), (2021, 9))] * 8}, "on day 0 of 2020"),
        ({"places": [(47.0, 190.0)] * 8}, "lies at latitude 47.0 and longitude 190.0"),
        ({"places": [(float("nan"), 0.0)] * 8}, "lies at latitude nan"),
    ],
)
def test_impossible_dates_and_places_are_refused(changes: Any, message: str) -> None:
    images = random_images((8, 3, FRAMES, 8, 8))
    data = give(images, np.arange(8) % 2, RGB, classes=2, **changes)
    with pytest.raises(DataError, match=message):
        prepare(recipe(data=data)).pack.images("train")


def test_another_number_of_dates_is_refused() -> None:
    data = section()
    from engine_support import _given

    given = _given[data["number"]]
    given.info = replace(given.info, frames=4)
    with pytest.raises(DataError, match="sample train-0: has 3 dates, not 4"):
        prepare(recipe(data=data)).pack.images("train")


# Batches


def test_every_date_of_a_sample_is_flipped_and_resized_alike() -> None:
    prepared = prepare(dated(data={"image_size": 24, "normalisation": "none"}))
    images = torch.from_numpy(np.array(prepared.pack.images("train"))).float()
    chosen = np.arange(8)
    (batch,) = supplied(prepared).batches([chosen], [chosen])
    assert batch.inputs.shape == (8, 3, FRAMES, 24, 24)
    group = elements(flip=True, rotate=True, square=True)
    for index in range(8):
        for frame in range(FRAMES):
            turned = group[index].apply(images[index, :, frame])[None]
            expected = functional.interpolate(
                turned, size=(24, 24), mode="bilinear", align_corners=False
            )
            torch.testing.assert_close(batch.inputs[index, :, frame], expected[0])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork")
@pytest.mark.parametrize("workers", [0, 1])
def test_each_sample_comes_with_its_own_context_unflipped(workers: int) -> None:
    supply = supplied(prepare(dated()), workers)
    chunks = [np.array([7, 2]), np.array([5])]
    first, second = supply.batches(chunks, [np.array([3, 4]), np.array([1])])
    for batch in (first, second):
        assert batch.context is not None
        assert batch.context.dates is not None
        assert batch.context.places is not None
    assert first.context.dates[0].tolist() == [list(date) for date in DATES[7] or ()]
    assert first.context.dates[1].isnan().all()
    assert first.context.places.tolist() == [list(PLACES[7] or ()), list(PLACES[2] or ())]
    assert second.context.places.isnan().all()


# Backbones


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("merge", ["mean", "max", "concat", "difference"])
def test_dates_are_run_one_by_one_and_merged(merge: Any, dense: bool) -> None:
    changes: dict[str, Any] = {"model": {"frames": merge}}
    data = section()
    if dense:
        masks = np.zeros((8, 16, 16), np.uint8)
        data = give(random_images((8, 3, FRAMES, 16, 16)), masks, RGB, classes=2)
    prepared = prepare(recipe("segmentation" if dense else "classification", data=data, **changes))
    backbone = shared_backbone(prepared).eval()
    assert isinstance(backbone, Framewise)
    images = torch.randn(4, 3, FRAMES, 16, 16)
    with torch.no_grad():
        found = backbone(images)
        each = [backbone.inner(images[:, :, frame]) for frame in range(FRAMES)]
    if not dense:
        found, each = [found], [[one] for one in each]
    for level, parts in zip(found, zip(*each, strict=True), strict=True):
        stacked = torch.stack(parts)
        merged = {
            "mean": stacked.mean(0),
            "max": stacked.max(0).values,
            "concat": torch.cat(parts, dim=1),
            "difference": torch.cat([(b - a).abs() for a, b in pairwise(parts)], dim=1),
        }
        torch.testing.assert_close(level, merged[merge])
    shape = backbone.shape
    declared = shape.channels if isinstance(shape, Maps) else (shape.width,)
    assert tuple(level.shape[1] for level in found) == declared
    assert shared_backbone(prepared, meta=True).shape == shape


def test_a_backbone_for_one_date_is_told_the_date_of_each() -> None:
    prepared = prepare(dated("told", data={"normalisation": "none"}, model={"frames": "concat"}))
    backbone = shared_backbone(prepared)
    (batch,) = supplied(prepared).batches([np.array([3, 2])], None)
    found = backbone(batch.inputs, batch.context).reshape(2, FRAMES, 6)
    assert found[0, :, 3:].tolist() == [[2020, 23, 50.5], [2020, 153, 50.5], [2021, 3, 50.5]]
    assert found[1, :, 3:].tolist() == [[0, 0, 49.5]] * FRAMES
    pixels = prepared.pack.images("train")[[3, 2]].mean(axis=(3, 4))
    np.testing.assert_allclose(found[:, :, :3].detach(), pixels.transpose(0, 2, 1), rtol=1e-5)


def test_a_backbone_for_several_dates_gets_them_all() -> None:
    prepared = prepare(dated("told_frames"))
    backbone = shared_backbone(prepared)
    assert isinstance(backbone, Told)
    (batch,) = supplied(prepared).batches([np.array([3])], None)
    found = backbone(batch.inputs, batch.context)
    assert backbone.seen[-1].shape == (1, 3, FRAMES, 16, 16)
    assert found[0, 3:].tolist() == [2021, 3, 50.5]


def test_a_single_date_is_not_wrapped() -> None:
    data = give(random_images((4, 3, 16, 16)), np.arange(4) % 2, RGB, classes=2)
    assert not isinstance(shared_backbone(prepare(recipe(data=data))), Framewise)


def test_what_the_backbone_declares_holds_for_each_date() -> None:
    backbone = shared_backbone(prepare(dated("resnet18", data={"normalisation": "backbone"})))
    assert isinstance(backbone, Framewise)
    assert backbone.normalisation == backbone.inner.normalisation is not None
    assert backbone.multiple == backbone.inner.multiple


# Training


@pytest.mark.parametrize("backbone", ["test_resnet", "told", "told_frames"])
def test_features_kept_and_fresh_are_the_same(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supply, "CHUNK", 4)
    chosen = dated(backbone, tuning=FROZEN, trainer={"epochs": 8})
    preflight(prepare(chosen))
    kept = list(fit.epochs(prepare(chosen), tmp_path / "kept"))
    assert list((tmp_path / "cache/features").rglob("*.npy"))
    monkeypatch.setattr(keeping, "worthwhile", lambda *_: False)
    fresh = list(fit.epochs(prepare(chosen), tmp_path / "fresh"))
    for one, other in zip(kept, fresh, strict=True):
        assert one.metrics == pytest.approx(other.metrics, rel=1e-5)


def test_how_dates_are_merged_names_the_features() -> None:
    def folder(**model: Any) -> Path:
        return keeping.Place(prepare(dated(model=model, tuning=FROZEN)), CPU).folder

    assert folder() == folder(frames="mean")
    assert len({folder(), folder(frames="max"), folder(frames="concat")}) == 3


def test_every_date_takes_part_in_full_fine_tuning(tmp_path: Path) -> None:
    trainer = Trainer(prepare(dated("told", model={"frames": "max"})))
    trainer.epoch(1)
    assert trainer.setup.module.model.backbone.inner.scale.item() != 1


def test_a_refusal_tells_the_dates_too() -> None:
    chosen = dated("test_vit", data={"size": 16})
    preflight(prepare(chosen))
    data = chosen.data.model_copy(update={"batch_size": 1})
    with pytest.raises(RequestError, match=r"does not take 1 × 3 × 3 dates × 16 × 16 pixels"):
        preflight(prepare(chosen.model_copy(update={"data": data})))

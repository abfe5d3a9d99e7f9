"""Batches, augmentation, normalisation, and the cache of features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import engine_support
import numpy as np
import pytest
import torch
from engine_support import RGB, give, random_images, recipe
from torch.nn import functional
from tuning_support import FROZEN

from iterate_core.data.augmentation.elements import IDENTITY, Element, apply_each, elements
from iterate_core.data.dataset import Band
from iterate_core.data.loading.loader import PixelSupply, chunked
from iterate_core.data.loading.scaling import Scaling
from iterate_core.engine import fit
from iterate_core.engine import resolved as prepared_module
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.features import keeping, supply
from iterate_core.engine.normalisation import scaling_of
from iterate_core.engine.order import Supplies, training_course
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.errors import RequestError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


# Flips and rotations


def test_the_eight_elements_are_distinct_and_closed() -> None:
    group = elements(flip=True, rotate=True, square=True)
    image = torch.arange(16).view(4, 4)
    results = {tuple(element.apply(image).flatten().tolist()) for element in group}
    assert len(group) == len(results) == 8
    for first in group:
        for second in group:
            both = second.apply(first.apply(image))
            assert tuple(both.flatten().tolist()) in results


@pytest.mark.parametrize(
    ("flip", "rotate", "square", "count"),
    [(False, False, True, 1), (True, False, True, 4), (False, True, True, 4),
     (True, True, True, 8), (True, True, False, 4), (False, True, False, 2)],
)  # fmt: skip
def test_elements_are_what_is_asked_for(flip: bool, rotate: bool, square: bool, count: int) -> None:
    group = elements(flip=flip, rotate=rotate, square=square)
    image = torch.arange(20).view(4, 5)
    assert len(group) == count
    assert group[0] == IDENTITY
    if flip and not rotate:
        found = {tuple(element.apply(image).flatten().tolist()) for element in group}
        axes: list[list[int]] = [[], [0], [1], [0, 1]]
        assert found == {tuple(image.flip(axis).flatten().tolist()) for axis in axes}
    if not square:
        assert {element.apply(image).shape for element in group} == {(4, 5)}


def test_each_sample_and_its_mask_get_their_own_element() -> None:
    group = elements(flip=True, rotate=True, square=True)
    images, chosen = torch.randn(20, 3, 6, 6), np.arange(20) % 8
    masks = images[:, 0].clone()
    changed = apply_each(images, chosen, group)
    for index in range(20):
        assert torch.equal(changed[index], group[chosen[index]].apply(images[index]))
    assert torch.equal(apply_each(masks, chosen, group), changed[:, 0])


# Batches


def supplied(prepared: Prepared, group: tuple[Element, ...] = (IDENTITY,)) -> PixelSupply:
    scaling = scaling_of(prepared, shared_backbone(prepared, meta=True))
    return PixelSupply(prepared.pack, "train", scaling, group, CPU, 0)


def prepared_with(images: Any, targets: Any, bands: Any = RGB, **data: Any) -> Prepared:
    section = give(images, targets, bands, classes=3) | data
    kind = "segmentation" if targets.ndim > 1 else "classification"
    return prepare(recipe(kind, data=section))


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64, ">u2"]
)
def test_every_pixel_type_arrives_as_its_numbers(dtype: Any) -> None:
    kind = np.dtype(dtype)
    high = min(np.iinfo(kind).max, 2**24) if kind.kind in "iu" else 60000
    rng = np.random.default_rng(0)
    images = rng.integers(0, high, (5, 3, 8, 8), endpoint=True).astype(kind)
    images[0, 0, 0, 0] = high
    prepared = prepared_with(images, np.arange(5) % 3, normalisation="none")
    (batch,) = supplied(prepared).batches([np.array([4, 0, 2])], None)
    expected = images[[4, 0, 2]].astype(np.float32)
    assert np.array_equal(batch.inputs.numpy(), expected)
    assert batch.targets.tolist() == [1, 0, 2]


def test_dataset_normalisation_gives_mean_0_and_deviation_1() -> None:
    images = random_images((6, 3, 8, 8))
    images[:, 1] = images[:, 1] // 4 + 100
    prepared = prepared_with(images, np.zeros(6, np.int64))
    (batch,) = supplied(prepared).batches([np.arange(6)], None)
    assert batch.inputs.mean((0, 2, 3)).abs().max() < 1e-5
    assert (batch.inputs.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-5


def test_backbone_normalisation_is_by_band_not_by_position() -> None:
    bands = (RGB[2], RGB[0], RGB[1])
    images = random_images((2, 3, 8, 8))
    prepared = prepared_with(images, np.zeros(2, np.int64), bands, normalisation="backbone")
    declared = shared_backbone(prepared, meta=True).normalisation
    assert declared is not None
    (batch,) = supplied(prepared).batches([np.arange(2)], None)
    order = [2, 0, 1]
    mean = torch.tensor(declared.mean)[order].view(1, 3, 1, 1)
    std = torch.tensor(declared.std)[order].view(1, 3, 1, 1)
    torch.testing.assert_close(batch.inputs, (torch.from_numpy(images) / 255 - mean) / std)


def test_reflectance_becomes_8_bit_as_in_true_colour_images() -> None:
    """ESA's rule: a reflectance of 0.3558 is 255, and so is what is brighter."""
    bands = tuple(Band(name, name, unit="dn") for name in ("red", "green", "blue"))
    images = np.array([0, 1000, 3558, 9000], np.uint16).repeat(12).reshape(4, 3, 2, 2)
    prepared = prepared_with(images, np.zeros(4, np.int64), bands, normalisation="backbone")
    declared = shared_backbone(prepared, meta=True).normalisation
    assert declared is not None
    (batch,) = supplied(prepared).batches([np.arange(4)], None)
    grey = torch.tensor([0, 1000 / 3558, 1.0, 1.0]).view(4, 1, 1, 1)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (declared.mean, declared.std))
    expected = ((grey - mean) / std).expand(-1, -1, 2, 2)
    torch.testing.assert_close(batch.inputs, expected)


def test_a_unit_that_does_not_convert_is_refused_until_the_recipe_states_it() -> None:
    bands = tuple(Band(name, name, unit="unknown") for name in ("red", "green", "blue"))
    images = random_images((2, 3, 8, 8)).astype(np.uint16)
    prepared = prepared_with(images, np.zeros(2, np.int64), bands, normalisation="backbone")
    with pytest.raises(RequestError, match=r"data\.normalisation.*'red' is unknown and not uint8"):
        preflight(prepared)
    data = prepared.recipe.data.model_copy(
        update={"units": dict.fromkeys(prepared.recipe.data.bands or (), "dn")}
    )
    stated = prepared.recipe.model_copy(update={"data": data})
    assert scaling_of(prepare(stated), shared_backbone(prepare(stated), meta=True)).channels
    wrong = data.model_copy(update={"units": {"rde": "dn", "green": "dm"}})
    with pytest.raises(RequestError, match=r"(?s)data\.units.*'rde'.*'red'.*'dm'.*dn,"):
        prepare(prepared.recipe.model_copy(update={"data": wrong}))


def test_resizing_is_bilinear_for_images_and_nearest_for_masks() -> None:
    images, masks = random_images((3, 3, 8, 8)), random_images((3, 8, 8)) % 3
    masks[0, 0, 0] = 255
    prepared = prepared_with(images, masks, image_size=16, normalisation="none")
    (batch,) = supplied(prepared).batches([np.arange(3)], None)
    expected = functional.interpolate(
        torch.from_numpy(images).float(), size=(16, 16), mode="bilinear", align_corners=False
    )
    assert torch.equal(batch.inputs, expected)
    assert np.array_equal(batch.targets.numpy(), masks.repeat(2, 1).repeat(2, 2))


def test_augmented_masks_follow_their_images() -> None:
    images = random_images((16, 3, 8, 8))
    masks = images[:, 0] % 3
    prepared = prepared_with(images, masks, normalisation="none")
    group = elements(flip=True, rotate=True, square=True)
    chosen = np.arange(16) % 8
    (batch,) = supplied(prepared, group).batches([np.arange(16)], [chosen])
    assert torch.equal(batch.targets, batch.inputs[:, 0].long() % 3)


def test_a_last_batch_of_one_is_left_out_only_if_asked() -> None:
    order = np.arange(9)
    assert [len(c) for c in chunked(order, 4, drop_single=True)] == [4, 4]
    assert [len(c) for c in chunked(order, 4, drop_single=False)] == [4, 4, 1]
    assert [len(c) for c in chunked(order, 1, drop_single=True)] == [1] * 9
    assert [len(c) for c in chunked(order[:1], 4, drop_single=True)] == [1]
    assert [len(c) for c in chunked(order[:7], 4, drop_single=True)] == [4, 3]


def test_an_epochs_order_is_fixed_by_seed_and_epoch_and_holds_every_sample_once() -> None:
    prepared = prepare(recipe())

    def course(epoch: int) -> tuple[list[int], list[int]]:
        found = training_course(prepared, epoch, drop_single=True)
        assert found.chosen is not None
        return np.concatenate(found.chunks).tolist(), np.concatenate(found.chosen).tolist()

    assert course(1) == course(1)
    assert course(1) != course(2)
    assert sorted(course(2)[0]) == list(range(24))


# Features


def both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, **changes: Any
) -> tuple[list[Any], list[Any], dict[str, float], dict[str, float]]:
    chosen = recipe(kind, **changes)
    kept = list(fit.epochs(prepare(chosen), tmp_path / "kept"))
    assert list((tmp_path / "cache/features").rglob("*.npy"))
    tested = fit.test(prepare(chosen), tmp_path / "kept")
    monkeypatch.setattr(keeping, "worthwhile", lambda *_: False)
    fresh = list(fit.epochs(prepare(chosen), tmp_path / "fresh"))
    return kept, fresh, tested, fit.test(prepare(chosen), tmp_path / "fresh")


@pytest.mark.parametrize("augmented", [False, True])
@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("classification", {"decoder": {"name": "mlp", "hidden": 8}}),
        ("segmentation", {"decoder": {"name": "unet", "channels": 4}}),
        ("segmentation", {"decoder": {"name": "linear"}, "backbone": {"name": "test_vit"}}),
    ],
)
def test_kept_features_give_the_same_results(
    kind: str, model: Any, augmented: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Any] = {
        "model": dict(model),
        "tuning": FROZEN,
        "augmentation": {"flip": augmented, "rotate": augmented},
        "trainer": {"epochs": 8 if augmented else 2},
        "data": {"image_size": 40},
    }
    if "backbone" in model:
        changes["model"]["backbone"] = {"name": "test_vit", "weights": "none"}
    # The last bits of a convolution may depend on how many samples it is given at once.
    monkeypatch.setattr(supply, "CHUNK", 8)
    changes["data"] |= {"samples": [24, 16, 16]}
    kept, fresh, tested, tested_fresh = both_ways(tmp_path, monkeypatch, kind, **changes)
    assert [one.metrics for one in kept] == [other.metrics for other in fresh]
    assert tested == tested_fresh


def test_features_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = recipe(tuning=FROZEN, augmentation={"flip": False, "rotate": False})
    fit.fit(prepare(chosen), tmp_path / "first")

    def refuse(*_: Any) -> None:
        raise AssertionError("the backbone ran again")

    monkeypatch.setattr(Supplies, "encode", refuse)
    fit.fit(prepare(chosen.model_copy(update={"seed": 0})), tmp_path / "second")
    other = recipe(
        model={"decoder": {"name": "mlp"}},
        tuning=FROZEN,
        augmentation={"flip": False, "rotate": False},
        optimiser={"lr": 0.1},
    )
    fit.fit(prepare(other), tmp_path / "third")


def test_what_decides_the_features_names_their_folder() -> None:
    base: dict[str, Any] = {"tuning": FROZEN}

    def folder(**changes: Any) -> Path:
        return keeping.Place(prepare(recipe(**base | changes)), CPU).folder

    assert folder() == folder(optimiser={"lr": 0.3}, data={"batch_size": 4})
    others = [
        folder(seed=1),
        folder(data={"seed": 1}),
        folder(data={"bands": ["red", "green", "blue"]}),
        folder(data={"image_size": 48}),
        folder(data={"normalisation": "none"}),
        folder(trainer={"precision": "bf16-mixed"}),
        folder(model={"backbone": {"name": "test_vit", "weights": "none"}}),
    ]
    assert len({folder(), *others}) == len(others) + 1


def test_features_do_not_depend_on_a_decoder_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n\n\n"
        "def head(options, shape, classes):\n"
        "    return nn.Linear(shape.width, classes)\n"
    )
    name = f"{tmp_path}/mine.py:head"
    mine = prepare(recipe(tuning=FROZEN, model={"decoder": {"name": name}}))
    usual = prepare(recipe(tuning=FROZEN))
    assert keeping.Place(mine, CPU).folder == keeping.Place(usual, CPU).folder
    assert mine.identity != usual.identity


def test_damaged_features_are_computed_again(tmp_path: Path) -> None:
    chosen = recipe(tuning=FROZEN, augmentation={"flip": False, "rotate": False})
    first = fit.fit(prepare(chosen), tmp_path / "first")
    for path in (tmp_path / "cache/features").rglob("*.npy"):
        path.write_bytes(path.read_bytes()[:200])
    again = fit.fit(prepare(chosen), tmp_path / "second")
    assert [replace(r, seconds=0) for r in again.reports] == [
        replace(r, seconds=0) for r in first.reports
    ]


def test_features_are_not_kept_where_that_costs_more_than_it_saves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = elements(flip=True, rotate=True, square=True)

    def kept(**changes: Any) -> bool:
        return keeping.worthwhile(prepare(recipe(**changes)), group)

    assert kept(tuning=FROZEN, trainer={"epochs": 8})
    assert not kept(tuning=FROZEN, trainer={"epochs": 7})
    assert not kept(trainer={"epochs": 8})
    assert not kept(tuning=FROZEN, trainer={"epochs": 8, "features": "off"})
    assert kept(tuning=FROZEN, trainer={"epochs": 1, "features": "float32"})
    assert not kept(trainer={"epochs": 8, "features": "float32"})


def test_features_are_kept_in_half_the_bytes_where_they_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def place(**trainer: Any) -> keeping.Place:
        return keeping.Place(prepare(recipe(tuning=FROZEN, trainer=trainer)), CPU)

    # 24 training samples, each in eight flips and rotations; 12 of validation, 12 of test.
    floats = 96 * (24 * 8 + 12 + 12)
    monkeypatch.setattr(keeping, "LIMIT", 4 * floats)
    single = place()
    assert (single.precision, single.needs) == ("float32", 4 * floats)
    assert single.folder == place(features="float32").folder
    monkeypatch.setattr(keeping, "LIMIT", 4 * floats - 1)
    half = place()
    assert (half.precision, half.needs) == ("float16", 2 * floats)
    assert half.folder == place(features="float16").folder != place(features="float32").folder


def test_scaling_is_exact_for_large_numbers() -> None:
    scaling = Scaling.affine(np.array([10_000.0]), np.array([0.5]), (1, 1))
    result = scaling.apply(torch.tensor([[[[10_001]]]], dtype=torch.int32))
    assert result.item() == 2.0


def test_a_dataset_is_looked_at_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    section = give(random_images((2, 3, 8, 8)), np.zeros(2, np.int64), RGB, classes=2)
    before = prepare(recipe(data=section)).data
    engine_support._given[section["number"]].images[0] = 0
    assert prepare(recipe(data=section | {"batch_size": 1})).data == before
    monkeypatch.setattr(prepared_module, "REOPEN_SECONDS", 0.0)
    assert prepare(recipe(data=section)).data != before

"""What augmentations do to samples: of what it is a function, and what moves with the image."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from engine_support import RGB, give, random_images, recipe
from objects_support import boxed
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as torchvision
from typer.testing import CliRunner

import iterate
from iterate.cli.data.app import app
from iterate_core.data.augmentation.base import Move
from iterate_core.data.augmentation.draws import Draws
from iterate_core.data.augmentation.moves import Crop, Scale, Turn
from iterate_core.data.augmentation.options import (
    CropOptions,
    MoveOptions,
    ScaleOptions,
    TurnOptions,
)
from iterate_core.data.augmentation.pipeline import Augmentations
from iterate_core.data.augmentation.warp import Warp
from iterate_core.data.dataset import Boxes, DatasetInfo
from iterate_core.data.inspect import show
from iterate_core.data.inspect.augmented import Augmenting
from iterate_core.data.inspect.survey import survey
from iterate_core.data.loading.batch import Batch
from iterate_core.data.open import open_dataset
from iterate_core.data.target import Target, target_of
from iterate_core.engine import fit
from iterate_core.engine.order import pixel_supply, training_course
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.errors import RequestError
from iterate_core.lightning import datamodule_of
from iterate_core.recipe import AugmentationSection
from iterate_core.registry import registries

CPU = torch.device("cpu")
STILL = {"flip": False, "rotate": False}
STRONG: dict[str, Any] = {
    "turn": {"degrees": 180},
    "scale": True,
    "crop": {"smallest": 0.3},
    "brightness": True,
    "contrast": True,
    "noise": True,
    "band_dropout": {"share": 0.4},
}


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def drawn_images(frames: tuple[int, ...] = (), **changes: Any) -> Prepared:
    """Eight images of noise, each pixel a class of its own kind."""
    images = random_images((8, 3, *frames, 16, 16))
    masks = random_images((8, 16, 16), 1) % 3
    data = give(images, masks, RGB, 3)
    return prepare(recipe("segmentation", data=data, **changes))


def batch_of(prepared: Prepared, samples: list[int], epoch: int = 1, seed: int = 0) -> Batch:
    supply = pixel_supply(prepared, "train", CPU, 0)
    (batch,) = supply.batches([np.array(samples)], None, Draws(seed, epoch))
    return batch


def test_every_augmentation_that_ships_is_tried_here() -> None:
    own = {e.name for e in registries.augmentations if "iterate_core" in str(e.options)}
    assert own == STRONG.keys() | {"mixup", "cutmix"}  # these in test_mixing.py


@pytest.mark.parametrize("names", [[name] for name in STRONG] + [list(STRONG)], ids="+".join)
def test_it_is_a_function_of_sample_seed_and_epoch_alone(names: list[str]) -> None:
    chosen = STILL | {name: STRONG[name] for name in names}
    prepared = drawn_images(augmentation=chosen)
    whole = batch_of(prepared, list(range(8)))
    plain = batch_of(drawn_images(augmentation=STILL), list(range(8)))
    assert not torch.equal(whole.inputs, plain.inputs)
    for samples in ([5, 2], [2], [7, 6, 5]):
        part = batch_of(prepared, samples)
        assert torch.equal(part.inputs, whole.inputs[samples])
        assert torch.equal(part.targets, whole.targets[samples])
    for other in (batch_of(prepared, list(range(8)), epoch=2), batch_of(prepared, [0] * 8, seed=1)):
        assert not torch.equal(other.inputs, whole.inputs)
    moved = {"turn", "scale", "crop"} & set(names)
    assert torch.equal(whole.targets, plain.targets) == (not moved)


def test_an_epoch_draws_anew_and_evaluation_draws_nothing() -> None:
    prepared = drawn_images(augmentation=STRONG)
    draws = [training_course(prepared, epoch, drop_single=False).draws for epoch in (1, 2)]
    assert draws == [Draws(0, 1), Draws(0, 2)]
    (batch,) = pixel_supply(prepared, "val", CPU, 0).batches([np.arange(8)], None)
    plain = pixel_supply(drawn_images(augmentation=STILL), "val", CPU, 0)
    assert torch.equal(batch.inputs, next(plain.batches([np.arange(8)], None)).inputs)


def test_its_probability_is_the_share_of_samples_that_it_changes() -> None:
    images = random_images((400, 3, 4, 4))
    given = give(images, np.zeros(400, np.int64), RGB, 2)
    changed = {}
    for share in (0.0, 0.3, 1.0):
        chosen = STILL | {"noise": {"probability": share}, "turn": {"probability": share}}
        found = prepare(recipe(data=given, augmentation=chosen))
        before = pixel_supply(prepare(recipe(data=given, augmentation=STILL)), "train", CPU, 0)
        after = batch_of(found, list(range(400)))
        (plain,) = before.batches([np.arange(400)], None)
        changed[share] = (after.inputs != plain.inputs).flatten(1).any(dim=1).float().mean().item()
    assert changed[0.0] == 0
    assert changed[0.3] == pytest.approx(1 - 0.7**2, abs=0.08)  # either of two
    assert changed[1.0] == 1


# Moves


def warp_of(maps: Any, aspect: float = 1.0) -> Warp:
    wide = np.diag([aspect, 1, 1])
    return Warp(np.linalg.inv(wide) @ maps @ wide, np.ones(len(maps), bool))


@pytest.mark.parametrize("size", [(24, 24), (24, 40)])
def test_turns_and_scales_are_torchvisions(size: tuple[int, int]) -> None:
    images, aspect = torch.from_numpy(random_images((1, 3, *size))).float(), size[1] / size[0]
    maps = Turn(TurnOptions(degrees=30)).maps(np.array([[0.9]]), aspect) @ Scale(
        ScaleOptions(lowest=0.5, highest=2)
    ).maps(np.array([[0.3]]), aspect)
    factor = 2 ** (2 * 0.3 - 1)
    wanted = torchvision.affine(
        images, -24.0, [0, 0], factor, [0.0, 0.0], InterpolationMode.BILINEAR, fill=[7.0]
    )
    found = warp_of(maps, aspect).images(images, torch.full((3,), 7.0))
    # Where the image ends, torchvision blends the last pixel into what is around it.
    same = (found - wanted).abs().amax(dim=(0, 1)) < 0.01
    assert same.float().mean() > 0.85
    nearest = torchvision.affine(images, -24.0, [0, 0], factor, [0.0, 0.0], fill=[7.0])
    assert (warp_of(maps, aspect).grids(images, 7.0) == nearest).float().mean() > 0.99


def test_a_quarter_turn_is_exact_and_a_crop_is_a_part() -> None:
    images = torch.from_numpy(random_images((1, 3, 16, 16)))
    quarter = warp_of(Turn(TurnOptions(degrees=180)).maps(np.array([[0.75]]), 1.0))
    turned = torch.rot90(images, 1, (-2, -1))
    assert torch.equal(quarter.grids(images, 9.0), turned)
    torch.testing.assert_close(quarter.images(images, torch.zeros(3)), turned.float(), atol=1e-3,
                               rtol=0)  # fmt: skip
    # A quarter of the area, of the image's shape, in the upper right corner.
    crop = Crop(CropOptions(smallest=0.25)).maps(np.array([[0.0, 0.5, 1.0, 0.0]]), 1.0)
    part = images[..., :8, 8:].repeat_interleave(2, -1).repeat_interleave(2, -2)
    assert torch.equal(warp_of(crop).grids(images, 9.0), part)


def test_a_crop_lies_in_the_image_and_is_as_large_as_said() -> None:
    drawn = np.random.default_rng(0).random((2000, 4))
    for aspect in (1.0, 2.0):
        wide = np.diag([aspect, 1, 1])
        maps = np.linalg.inv(wide) @ Crop(CropOptions(smallest=0.4, ratio=1.5)).maps(drawn, aspect)
        maps = maps @ wide
        sides = maps[:, [0, 1], [0, 1]]
        assert (np.abs(maps[:, :2, 2]) + sides <= 1 + 1e-9).all()
        area, ratio = sides.prod(axis=1), sides[:, 0] / sides[:, 1]
        assert area.max() <= 1
        assert np.isclose(area, 0.4 + 0.6 * drawn[:, 0]).mean() > 0.6  # but where a side is all
        assert ratio.max() <= 1.5 + 1e-9
        assert ratio.min() >= 1 / 1.5 - 1e-9


def squares(size: tuple[int, int]) -> tuple[Tensor, list[Boxes], Tensor]:
    """Six images with a bright square each, its mask, and the middles of the squares."""
    rng = np.random.default_rng(3)
    images = torch.zeros(6, 1, *size)
    boxes, middles = [], []
    for image in images[:, 0]:
        top, left = (int(rng.integers(8, side - 20)) for side in size)
        image[top : top + 12, left : left + 12] = 1
        boxes.append(boxed(image[None].numpy() > 0, np.array([1])))
        middles.append([left + 6.0, top + 6.0])
    return images, boxes, torch.tensor(middles)


def info_of(task: str, size: tuple[int, int], **facts: Any) -> DatasetInfo:
    info = prepare(recipe()).info
    info = replace(info, task=task, classes=("none", "square"), height=size[0], width=size[1])
    return replace(info, bands=info.bands[:1], **facts)


def middle(weights: Tensor) -> Tensor:
    """(x, y) of the middle of what is bright, in pixels from the upper left corner."""
    rows, columns = (torch.arange(side) + 0.5 for side in weights.shape)
    whole = weights.sum()
    return torch.stack(((weights.sum(0) * columns).sum(), (weights.sum(1) * rows).sum())) / whole


@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
def test_masks_boxes_points_and_finer_maps_move_with_their_image(size: tuple[int, int]) -> None:
    images, boxes, middles = squares(size)
    section = AugmentationSection(turn=TurnOptions(degrees=90), scale=ScaleOptions(highest=1.1))
    warp = Augmentations(section, np.zeros(1), np.ones(1), size).warp(np.arange(6), Draws(0, 1))
    assert warp is not None
    moved = warp.images(images, torch.zeros(1))[:, 0]
    masks = target_of(info_of("segmentation", size)).warped(images[:, 0].to(torch.uint8), warp)
    finer = images.repeat_interleave(3, -1).repeat_interleave(3, -2)
    finer = target_of(info_of("downscaling", size, finer=3)).warped(finer, warp)[:, 0]
    objects = {task: moved_objects(task, boxes, warp, size) for task in ("detection", "instance")}
    places = torch.stack([warp.points(row, middles[row], size) for row in range(6)])
    whole = ((places > 14) & (places < torch.tensor(size[::-1]) - 14)).all(dim=1)
    assert whole.sum() > 1
    for row, there in zip(whole.nonzero()[:, 0].tolist(), places[whole], strict=True):
        assert masks[row].unique().tolist() == ([0, 1, 255] if 255 in masks[row] else [0, 1])
        assert finer[row].isnan().any() == (255 in masks[row])
        for where in (moved[row], masks[row] == 1, finer[row].nan_to_num() > 0):
            scale = where.shape[0] / size[0]
            torch.testing.assert_close(middle(where.float()) / scale, there, atol=0.4, rtol=0)
        for found in objects.values():
            (box,) = found[row]["boxes"]
            torch.testing.assert_close((box[:2] + box[2:]) / 2, there, atol=1.0, rtol=0)
        drawn = objects["instance"][row]
        assert torch.equal(drawn["masks"][0], masks[row] == 1)
        tight = boxed(drawn["masks"].numpy(), np.array([1]))
        np.testing.assert_array_equal(drawn["boxes"], tight.corners)
        around = objects["detection"][row]["boxes"][0]
        assert (around[:2] <= drawn["boxes"][0, :2] + 1).all()
        assert (around[2:] >= drawn["boxes"][0, 2:] - 1).all()


def moved_objects(task: str, boxes: list[Boxes], warp: Warp, size: tuple[int, int]) -> Any:
    target = target_of(info_of(task, size))
    stored = [{k: torch.from_numpy(v) for k, v in target.packed(one).items()} for one in boxes]
    return target.prepared(target.warped(stored, warp), size)


def test_objects_that_leave_their_image_are_left_out_and_others_are_cut() -> None:
    size = (64, 64)
    masks = np.zeros((3, 64, 64), bool)
    masks[0, :8, :8] = masks[1, 28:36, 28:36] = masks[2, 28:36, :40] = True
    objects = boxed(masks, np.array([1, 1, 1]))
    # The middle half of each side, twice as large.
    warp = warp_of(Scale(ScaleOptions(lowest=2, highest=2)).maps(np.array([[0.0]]), 1.0))
    for task in ("detection", "instance"):
        (found,) = moved_objects(task, [objects], warp, size)
        (none,) = moved_objects(task, [boxed(masks[:0], np.zeros(0, int))], warp, size)
        assert none["boxes"].shape == (0, 4)
        wanted = torch.tensor([[24.0, 24, 40, 40], [0, 24, 48, 40]])
        torch.testing.assert_close(found["boxes"], wanted, atol=1e-3, rtol=0)
        assert len(found["labels"]) == 2


def test_what_is_uncovered_is_as_bright_as_its_band_and_does_not_count() -> None:
    images = random_images((4, 3, 2, 16, 16))
    masks = random_images((4, 16, 16), 1) % 3
    shrunk = STILL | {"scale": {"lowest": 0.5, "highest": 0.5}}
    found = prepare(recipe("segmentation", data=give(images, masks, RGB, 3), augmentation=shrunk))
    batch = batch_of(found, [0, 1, 2, 3])
    rim = torch.ones(16, 16, dtype=torch.bool)
    rim[4:12, 4:12] = False
    assert batch.inputs.shape == (4, 3, 2, 16, 16)
    assert batch.inputs[..., rim].abs().max() < 1e-5  # 0 is the mean of what is normalised
    assert (batch.targets[:, rim] == 255).all()
    assert (batch.targets[:, ~rim] != 255).all()


# Touches


def touched(**chosen: Any) -> tuple[Tensor, Tensor]:
    """Eight normalised images before and after."""
    found = drawn_images((2,), augmentation=STILL | chosen)
    plain = drawn_images((2,), augmentation=STILL)
    both = (batch_of(each, list(range(8))).inputs.double() for each in (plain, found))
    before, after = both
    return before, after


@pytest.mark.parametrize("per_band", [True, False])
def test_brightness_and_contrast_are_affine_in_each_band(per_band: bool) -> None:
    options = {"most": 0.5, "per_band": per_band}
    before, after = touched(brightness=options)
    shift = after - before
    torch.testing.assert_close(shift, shift[:, :, :1, :1, :1].expand_as(shift), atol=1e-5, rtol=0)
    shift = shift[:, :, 0, 0, 0]
    assert 0.25 < shift.abs().max() <= 0.5
    assert (shift.std(dim=1) < 1e-5).all() != per_band
    before, after = touched(contrast=options)
    across = (2, 3, 4)
    torch.testing.assert_close(after.mean(across), before.mean(across), atol=1e-5, rtol=0)
    ratio = after.std(across) / before.std(across)
    assert (ratio.log().abs() <= math.log(1.5) + 1e-6).all()
    assert ratio.max() > 1.1
    assert (ratio.std(dim=1) < 1e-5).all() != per_band


def test_noise_is_gaussian_and_independent() -> None:
    before, after = touched(noise={"std": 0.3})
    noise = (after - before) / 0.3
    assert noise.mean().abs() < 0.03
    assert noise.std() == pytest.approx(1, abs=0.03)
    assert (noise**4).mean() == pytest.approx(3, abs=0.3)
    assert torch.corrcoef(noise.flatten(2).flatten(0, 1)).fill_diagonal_(0).abs().max() < 0.2


def test_bands_are_dropped_on_all_dates_and_one_stays() -> None:
    before, after = touched(band_dropout={"share": 0.8})
    dropped = (after.abs() < 1e-5).flatten(2).all(dim=2)
    assert 0.5 < dropped.double().mean() < 0.8
    assert not dropped.all(dim=1).any()
    torch.testing.assert_close(after[~dropped], before[~dropped], atol=1e-5, rtol=0)


# Training


def test_training_goes_on_to_the_same_numbers_and_a_lightning_trainer_sees_the_same(
    tmp_path: Path,
) -> None:
    prepared = prepare(recipe("segmentation", augmentation=STRONG, trainer={"epochs": 2}))
    whole = [one.metrics for one in fit.epochs(prepared, tmp_path / "whole")]
    cut = [one.metrics for one in islice(fit.epochs(prepared, tmp_path / "cut"), 1)]
    cut += [one.metrics for one in fit.epochs(prepared, tmp_path / "cut")]
    assert cut == whole
    theirs = next(iter(datamodule_of(prepared.recipe).train_dataloader()))
    course = training_course(prepared, 1, drop_single=True)
    supply = pixel_supply(prepared, "train", CPU, 0)
    ours = next(supply.batches(course.chunks, course.chosen, course.draws))
    assert torch.equal(theirs.inputs, ours.inputs)
    assert torch.equal(theirs.targets, ours.targets)


def test_a_frozen_backbone_runs_anew_where_no_sample_stays_the_same(tmp_path: Path) -> None:
    chosen = recipe(tuning={"name": "frozen"}, augmentation=STILL | {"noise": True})
    fit.fit(prepare(chosen), tmp_path / "run")
    assert not list((tmp_path / "cache").rglob("features/*"))


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"crop": {"smallest": 2}}, r"augmentation\.crop\.smallest: .* less than or equal to 1"),
        ({"crop": 3}, r"augmentation\.crop: must be true, false or a mapping of options"),
        ({"crpo": True}, r"augmentation\.crpo: unknown key\. Did you mean 'crop'"),
        ({"scale": {"lowest": 2}}, r"augmentation\.scale\.lowest: is above highest, 1\.25"),
        ({"noise": {"sdt": 1}}, r"augmentation\.noise\.sdt: unknown key\. Did you mean 'std'"),
    ],
)
def test_a_mistake_is_told_under_its_path(chosen: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        recipe(augmentation=chosen)


def test_what_does_not_fit_the_data_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"data": {"bands": ["red"]}, "augmentation": {"band_dropout": True}}
    with pytest.raises(RequestError, match=r"augmentation\.band_dropout: would leave nothing"):
        prepare(recipe(**one))
    pixels = give(random_images((4, 3, 1, 1)), np.zeros(4, np.int64), RGB, 2)
    with pytest.raises(RequestError, match=r"augmentation\.turn: moves nothing in images of one"):
        prepare(recipe(data=pixels, augmentation={"turn": True}))
    prepare(recipe(data=pixels, augmentation={"noise": True}))
    # A target of somebody else's that lies on its image, and knows nothing of warps.
    kind = type(target_of(prepare(recipe("segmentation")).info))
    for base in kind.__mro__:
        if base is not Target and "warps" in vars(base):
            monkeypatch.setattr(base, "warps", Target.warps)
    with pytest.raises(RequestError, match=r"augmentation\.crop: is for targets that move with"):
        prepare(recipe("segmentation", augmentation={"crop": True}))


def test_what_is_left_out_is_left_out_of_the_identity() -> None:
    said = [{}, {"crop": None}, {"crop": False}]
    assert len({prepare(recipe(augmentation=each)).identity for each in said}) == 1
    both = [{"crop": True}, {"crop": {"smallest": 0.5}}]
    assert len({prepare(recipe(augmentation=each)).identity for each in both}) == 1
    written = recipe(augmentation=STRONG)
    assert type(written).parse(yaml.safe_load(yaml.safe_dump(written.to_mapping()))) == written


class ShiftOptions(MoveOptions):
    """To the right."""

    share: float = 0.5


class Shift(Move):
    """A user's own: by a share of the width."""

    options = ShiftOptions

    def __init__(self, options: ShiftOptions) -> None:
        self._share = options.share

    def numbers(self, bands: int) -> int:
        return 0 * bands

    def maps(self, drawn: Any, aspect: float) -> Any:
        maps = np.tile(np.eye(3), (len(drawn), 1, 1))
        maps[:, 0, 2] = -2 * aspect * self._share
        return maps


@pytest.mark.usefixtures("own_components")
def test_one_of_ones_own_moves_targets_too_and_its_code_is_part_of_the_identity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    iterate.register_augmentation("shift")(Shift)
    prepared = drawn_images(augmentation=STILL | {"shift": True})
    plain = batch_of(drawn_images(augmentation=STILL), [0, 1])
    batch = batch_of(prepared, [0, 1])
    assert torch.equal(batch.targets[..., 8:], plain.targets[..., :8])
    assert (batch.targets[..., :8] == 255).all()
    torch.testing.assert_close(batch.inputs[..., 9:], plain.inputs[..., 1:8], atol=1e-4, rtol=0)
    before = prepared.identity
    monkeypatch.setitem(registries.augmentations.get("shift").facts, "code", "another")
    assert prepare(prepared.recipe).identity != before
    with pytest.raises(RequestError, match=r"augmentation\.shift\.shar: unknown key"):
        recipe(augmentation={"shift": {"shar": 1}})


def test_a_picture_shows_samples_beside_what_becomes_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    words = ["generate", "scenes", "--kind", "segmentation", "--train", "4", "--val", "1"]
    words += ["--test", "1"]
    assert run(app, [*words, "--size", "32"], catch_exceptions=False).exit_code == 0
    words = ["show", "scenes", "--count", "2", "--out"]
    plain = run(app, [*words, "plain.png"], catch_exceptions=False)
    shown = run(app, [*words, "both.png", "--augmented", "{turn: true}"], catch_exceptions=False)
    recipe(augmentation={"turn": True}).write(tmp_path / "recipe.yaml")
    same = run(app, [*words, "same.png", "--augmented", "recipe.yaml"], catch_exceptions=False)
    assert plain.exit_code == shown.exit_code == same.exit_code == 0
    pictures = [(tmp_path / f"{name}.png").read_bytes() for name in ("plain", "both", "same")]
    assert pictures[0] != pictures[1] == pictures[2]
    with pytest.raises(RequestError, match=r"--augmented\.trun: unknown key"):
        run(app, [*words, "x.png", "--augmented", "{trun: true}"], catch_exceptions=False)


@pytest.mark.parametrize("count", [3, 8])
def test_a_picture_shows_what_is_trained_on(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    drawn = show._figure
    monkeypatch.setattr(show, "_figure", lambda *given: (seen.append(given[2]), drawn(*given))[-1])
    chosen = {"crop": True, "noise": {"std": 0.2}}
    prepared = drawn_images(augmentation=chosen, seed=5)
    course = training_course(prepared, 2, drop_single=False)
    supply = pixel_supply(prepared, "train", CPU, 0)
    batches = list(supply.batches(course.chunks, course.chosen, course.draws))
    order = np.argsort(np.concatenate(course.chunks))
    inputs, targets = (
        torch.cat(each)[order]
        for each in ([batch.inputs for batch in batches], [batch.targets for batch in batches])
    )
    reader = open_dataset(prepared.recipe.data)
    asked = Augmenting(prepared.recipe.augmentation, 5, survey(reader).bands)
    show.draw(reader, "train", tmp_path / "drawn.png", count, 0, asked)
    rows = {name: row for row, name in enumerate(reader.names("train"))}
    (samples,) = seen
    assert len(samples) == 3 * count
    for sample in samples[2::3]:
        row = rows[sample.name]
        assert np.array_equal(sample.target, targets[row])
        scaled = supply._scaling.apply(torch.from_numpy(sample.image[None]))
        torch.testing.assert_close(scaled[0], inputs[row], rtol=1e-4, atol=1e-4)

"""Mixup and CutMix: how batches are mixed, what they train on, and across an interruption."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_support import RGB, give, random_images, recipe
from torch.nn import functional
from torchvision.transforms import v2

from iterate_core.data.augmentation.draws import Draws
from iterate_core.data.augmentation.mixes import Cutmix
from iterate_core.data.augmentation.mixing import Mixed, Mixing
from iterate_core.data.augmentation.options import CutmixOptions
from iterate_core.data.loading.batch import Batch
from iterate_core.engine import fit
from iterate_core.engine.order import pixel_supply
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.engine.setup import Setup
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import RequestError
from iterate_core.lightning import datamodule_of

STILL = {"flip": False, "rotate": False}
ROWS = list(range(8))


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def labelled(kind: str = "classification", **chosen: Any) -> Prepared:
    """Eight images of noise, of as many classes."""
    targets = {
        "classification": np.arange(8),
        "multilabel": np.eye(8, dtype=np.int64),
        "segmentation": random_images((8, 16, 12), 1) % 8,
    }
    data = give(random_images((8, 3, 16, 12)), targets[kind], RGB, 8, task=kind)
    base = "segmentation" if kind == "segmentation" else "classification"
    return prepare(recipe(base, data=data, augmentation=STILL | chosen))


def batch_of(prepared: Prepared, rows: list[int] = ROWS, draws: Draws | None = None) -> Batch:
    supply = pixel_supply(prepared, "train", torch.device("cpu"), 0)
    (batch,) = supply.batches([np.array(rows)], None, draws)
    return batch


@pytest.mark.parametrize("kind", ["classification", "multilabel"])
@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_each_image_is_mixed_with_the_one_before_it_and_has_the_targets_of_both(
    kind: str, name: str
) -> None:
    plain = batch_of(labelled(kind))
    found = batch_of(labelled(kind, **{name: {"alpha": 1.0}}), draws=Draws(0, 1))
    mixed = found.targets
    assert isinstance(mixed, Mixed)
    assert torch.equal(mixed.one, plain.targets)
    assert torch.equal(mixed.other, plain.targets[[7, *range(7)]])
    other = plain.inputs[[7, *range(7)]]
    if name == "mixup":
        wanted = mixed.share * plain.inputs + (1 - mixed.share) * other
        torch.testing.assert_close(found.inputs, wanted)
        return
    taken = (found.inputs == other).all(dim=1)
    assert torch.equal(found.inputs, torch.where(taken[:, None], other, plain.inputs))
    assert (taken == taken[:1]).all()  # one box for all
    assert taken[0].float().mean() == pytest.approx(1 - mixed.share)


def test_shares_and_boxes_are_drawn_as_by_torchvision() -> None:
    images, labels = torch.rand(2, 1, 40, 24), torch.tensor([0, 1])
    theirs = v2.CutMix(alpha=0.7, num_classes=2)
    torch.manual_seed(0)
    wanted = torch.stack([theirs(images, labels)[1][0, 0] for _ in range(1500)])
    rng, made = np.random.default_rng(0), Cutmix(CutmixOptions(alpha=0.7))
    found = torch.tensor([made.mixing(rng, (40, 24)).share for _ in range(1500)])
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert found.quantile(share) == pytest.approx(float(wanted.quantile(share)), abs=0.06)


def test_masks_are_pasted_with_their_images_at_the_size_of_the_model() -> None:
    prepared = labelled("segmentation", cutmix=True)
    data = prepared.recipe.data.model_copy(update={"image_size": 24})
    prepared = prepare(prepared.recipe.model_copy(update={"data": data}))
    still = prepare(prepared.recipe.model_copy(update={"augmentation": recipe().augmentation}))
    plain = batch_of(still)
    found = batch_of(prepared, draws=Draws(0, 3))
    taken = (found.inputs == plain.inputs.roll(1, 0)).all(dim=1)
    assert 0 < taken.float().mean() < 1
    assert torch.equal(found.targets, torch.where(taken, plain.targets.roll(1, 0), plain.targets))


def test_the_loss_is_that_of_the_mixture_and_scores_go_by_the_larger_share() -> None:
    setup = Setup(labelled(mixup={"alpha": 1.0}))
    batch = batch_of(setup.prepared, draws=Draws(0, 1))
    one, other, share = batch.targets
    setup.module.eval()
    found = setup.module.training_step(batch, 0)["loss"]
    soft = share * functional.one_hot(one, 8) + (1 - share) * functional.one_hot(other, 8)
    outputs = setup.module(batch)
    torch.testing.assert_close(found, functional.cross_entropy(outputs, soft))
    right = outputs.argmax(dim=1) == (one if share >= 0.5 else other)
    scores = setup.module.reported(setup.module.train_scores)
    assert scores["accuracy"] == pytest.approx(right.float().mean().item())
    several = Setup(labelled("multilabel", mixup={"alpha": 1.0}))
    batch = batch_of(several.prepared, draws=Draws(0, 1))
    one, other, share = batch.targets
    several.module.eval()
    found = several.module.training_step(batch, 0)["loss"]
    wanted = functional.binary_cross_entropy_with_logits(
        several.module(batch), share * one + (1 - share) * other
    )
    torch.testing.assert_close(found, wanted)


def test_a_batch_is_mixed_by_one_of_several_and_their_probabilities_hold() -> None:
    prepared = labelled(cutmix={"probability": 0.3}, mixup={"probability": 0.5})
    supply = pixel_supply(prepared, "train", torch.device("cpu"), 0)
    kinds = []
    for epoch in range(1, 401):
        mixing = supply._further.mixing(np.array([3, 1]), Draws(0, epoch), (16, 12))
        kinds.append("none" if mixing is None else "mixup" if mixing.box is None else "cutmix")
    shares = [kinds.count(kind) / 400 for kind in ("cutmix", "mixup", "none")]
    assert shares == pytest.approx([0.3, 0.35, 0.35], abs=0.07)


def test_it_is_a_function_of_seed_epoch_and_batch_alone() -> None:
    prepared = labelled(cutmix=True)
    supply = pixel_supply(prepared, "train", torch.device("cpu"), 0)
    chunks = [np.array([3, 1, 4]), np.array([0, 2])]
    both = list(supply.batches(chunks, None, Draws(0, 1)))
    (last,) = supply.batches(chunks[1:], None, Draws(0, 1))
    assert torch.equal(last.inputs, both[1].inputs)
    assert last.targets.share == both[1].targets.share != both[0].targets.share
    (other,) = supply.batches(chunks[1:], None, Draws(0, 2))
    assert not torch.equal(last.inputs, other.inputs)


@pytest.mark.parametrize("kind", ["classification", "segmentation"])
def test_training_goes_on_to_the_same_numbers_and_a_lightning_trainer_sees_the_same(
    kind: str, tmp_path: Path
) -> None:
    chosen = {"cutmix": {"probability": 0.6}}
    if kind == "classification":
        chosen |= {"mixup": {"probability": 0.6}}
    prepared = prepare(recipe(kind, augmentation=chosen, trainer={"epochs": 2}))
    whole = [one.metrics for one in fit.epochs(prepared, tmp_path / "whole")]
    cut = [one.metrics for one in islice(fit.epochs(prepared, tmp_path / "cut"), 1)]
    cut += [one.metrics for one in fit.epochs(prepared, tmp_path / "cut")]
    assert cut == whole
    data = datamodule_of(prepared.recipe)
    first = [batch.inputs for batch in data.train_dataloader()]
    supplies = Setup(prepared).supplies
    course = Trainer(prepared).learner.course(1)
    assert all(
        torch.equal(one, other.inputs)
        for one, other in zip(first, supplies.batches("train", course), strict=True)
    )


@pytest.mark.parametrize(
    ("kind", "chosen", "told"),
    [
        ("segmentation", {"mixup": True}, r"mixup: is not for segmentation.*Choose cutmix"),
        ("scalar_regression", {"mixup": True}, r"mixup: is not for scalar_regression"),
        ("scalar_regression", {"cutmix": True}, r"cutmix: is not for scalar_regression"),
        ("downscaling", {"cutmix": True}, r"cutmix: is not for downscaling"),
        (
            "classification",
            {"mixup": True, "cutmix": True},
            r"cutmix\.probability: leaves no batch to another that mixes",
        ),
    ],
)
def test_elsewhere_it_is_refused(kind: str, chosen: dict[str, Any], told: str) -> None:
    model = {"decoder": {"name": "linear"}}
    with pytest.raises(RequestError, match=rf"(?s)augmentation\.{told}"):
        prepare(recipe(kind, model=model, augmentation=chosen))


def test_a_batch_of_one_is_its_own_partner() -> None:
    image = torch.rand(1, 3, 4, 4)
    assert torch.allclose(Mixing(0.3).images(image), image)
    assert torch.equal(Mixing(0.75, (0, 2, 0, 2)).images(image), image)

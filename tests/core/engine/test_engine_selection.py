"""Training on a share of the samples, or on some of each class: which, and of nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from engine_support import recipe
from hypothesis import given
from hypothesis import strategies as st
from objects_support import detecting, drawn, give_objects
from safetensors.torch import load_file

from iterate_core.data.draws import draw_shots
from iterate_core.device import fabric_for
from iterate_core.engine.cost import epoch_flops
from iterate_core.engine.fit import epochs, fit
from iterate_core.engine.order import Supplies, evaluation_course, training_course
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.errors import RequestError

KINDS = ("classification", "multilabel", "segmentation")


def prepared(kind: str = "classification", seed: int = 0, **data: Any) -> Prepared:
    given = {"samples": [60, 12, 12], **data}
    decoder = {"name": "unet" if kind in ("segmentation", "regression") else "linear"}
    return prepare(recipe(kind, data=given, model={"decoder": decoder}, seed=seed))


def held(found: Prepared) -> npt.NDArray[np.bool_]:
    """(training samples, classes) by plain loops: which classes each holds."""
    targets, count = found.pack.targets("train"), len(found.info.classes)
    if found.info.task == "multilabel":
        return np.array([targets[i] for i in range(len(targets))]) > 0
    return np.array(
        [[bool((targets[i] == label).any()) for label in range(count)] for i in range(len(targets))]
    )


@given(st.integers(1, 6), st.integers(1, 40), st.integers(1, 8), st.integers(0, 99))
def test_shots_of_classes_that_exclude_each_other(
    classes: int, samples: int, shots: int, seed: int
) -> None:
    labels = np.random.default_rng(seed).integers(0, classes, samples)
    present = labels[:, None] == np.arange(classes)
    drawn = draw_shots(present, shots, np.random.default_rng(seed + 1))
    assert len(set(drawn)) == len(drawn)
    counted = np.bincount(labels[drawn], minlength=classes)
    assert counted.tolist() == np.minimum(np.bincount(labels, minlength=classes), shots).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_each_class_is_held_by_so_many_samples(kind: str) -> None:
    found = prepared(kind, shots=3)
    there, chosen = held(found), found.training
    assert (there[chosen].sum(axis=0) >= np.minimum(there.sum(axis=0), 3)).all()
    assert len(chosen) < 60
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    if kind == "classification":
        assert (there[chosen].sum(axis=0) <= 3).all()


def test_shots_are_drawn_anew_for_each_seed_and_a_share_is_not() -> None:
    first, again, other = (prepared(seed=seed, shots=3).training.tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other
    share = prepared(seed=1, share=0.25)
    assert share.training.tolist() == prepared(seed=2, share=0.25).training.tolist()
    assert len(share.training) == 15
    there = held(share)
    # Every class stays, and as often as the share says, to a sample.
    assert (np.abs(there[share.training].sum(axis=0) - there.sum(axis=0) / 4) <= 1).all()


def test_a_share_of_a_quantity_is_drawn_without_classes() -> None:
    assert len(prepared("regression", share=0.1).training) == 6


def test_only_the_chosen_samples_are_trained_on_and_the_others_stay_whole() -> None:
    found = prepared(shots=2)
    course = training_course(found, 1, drop_single=False)
    assert sorted(np.concatenate(course.chunks)) == found.training.tolist()
    supplies = Supplies(found, fabric_for("cpu", "32-true"))
    targets = torch.cat([batch.targets for batch in supplies.evaluated("train")])
    expected = np.array(found.pack.targets("train"))[found.training]
    assert targets.tolist() == expected.tolist()
    for split in ("val", "test"):
        assert sum(map(len, evaluation_course(found, split).chunks)) == 12


def test_what_is_fitted_sees_the_chosen_samples_alone(tmp_path: Path) -> None:
    data = {"samples": [60, 12, 12], "shots": 1}
    found = prepare(recipe(data=data, **probe({"name": "knn", "k": 1})))
    fit(found, tmp_path)
    kept = load_file(tmp_path / "best.safetensors")
    targets = np.array(found.pack.targets("train"))[found.training]
    assert any(value.ndim == 1 and value.tolist() == targets.tolist() for value in kept.values())


def probe(decoder: dict[str, Any]) -> dict[str, Any]:
    return {"model": {"decoder": decoder}, "tuning": {"name": "frozen"}}


def test_labels_of_the_validation_split_are_not_merged_with_shots() -> None:
    logistic = probe({"name": "logistic", "merge_val": True})
    few, whole = (prepare(recipe(data=data, **logistic)) for data in ({"shots": 2}, {}))
    assert few.recipe.model.decoder.merge_val is False  # type: ignore[attr-defined]
    assert whole.recipe.model.decoder.merge_val is True  # type: ignore[attr-defined]


def test_the_cost_is_that_of_the_chosen_samples() -> None:
    whole, half = (prepare(recipe(data=data)) for data in ({}, {"share": 0.5}))
    # 24 or 12 training samples, each three passes, and 12 validation samples.
    assert epoch_flops(half) / epoch_flops(whole) == pytest.approx((3 * 12 + 12) / (3 * 24 + 12))


def test_choosing_moves_neither_the_dataset_nor_its_statistics() -> None:
    whole, few = prepared(), prepared(shots=1)
    assert few.data == whole.data
    assert few.pack.folder == whole.pack.folder
    assert few.identity != whole.identity


def test_what_cannot_be_chosen_is_refused() -> None:
    for kind in ("regression", "scalar_regression"):
        with pytest.raises(RequestError, match=rf"data.shots: .* {kind}: .* are no classes\. Take"):
            prepared(kind, shots=2)
    for decoder, kind in (("fcos", "detection"), ("mask_rcnn", "instance")):
        with pytest.raises(RequestError, match=rf"data.shots: .* {kind}: .* several objects"):
            prepare(detecting(decoder, data={**give_objects(*drawn(2), task=kind), "shots": 2}))
    with pytest.raises(RequestError, match=r"so does data\.share"):
        recipe(data={"shots": 2, "share": 0.5})
    with pytest.raises(RequestError, match="k is 50, and there are 8"):
        prepare(recipe(data={"shots": 1}, **probe({"name": "knn", "k": 50})))


def samples_of(found: Prepared, epoch: int) -> list[int]:
    chunks = training_course(found, epoch, drop_single=False).chunks
    return np.concatenate(chunks).tolist()


@pytest.mark.parametrize("count", [7, 25, 60])
def test_epochs_of_fewer_samples_pass_through_all(count: int) -> None:
    found = prepared(epoch_samples=count)
    epochs = [samples_of(found, epoch) for epoch in range(1, 61)]
    assert {len(samples) for samples in epochs} == {count}
    every = np.concatenate(epochs).reshape(-1, 60)  # passes
    assert (np.sort(every) == np.arange(60)).all()
    assert len({tuple(samples) for samples in every.tolist()}) == len(every)  # in other orders
    # An epoch's samples are known without those before it, and are the seed's own.
    assert samples_of(prepared(epoch_samples=count), 5) == epochs[4]
    assert samples_of(prepared(seed=1, epoch_samples=count), 5) != epochs[4]


def test_all_samples_are_an_epoch_as_ever() -> None:
    assert samples_of(prepared(epoch_samples=60), 2) == samples_of(prepared(), 2)
    assert samples_of(prepared(epoch_samples=99), 2) == samples_of(prepared(), 2)


def test_an_epoch_of_fewer_samples_costs_less(tmp_path: Path) -> None:
    found = prepared(epoch_samples=20, batch_size=8)
    assert epoch_flops(found) < epoch_flops(prepared(batch_size=8))
    whole = [dict(report.metrics) for report in epochs(found, tmp_path / "whole")]
    begun = epochs(found, tmp_path / "cut")
    cut = [dict(next(begun).metrics)]
    begun.close()
    cut += [dict(report.metrics) for report in epochs(found, tmp_path / "cut")]
    assert cut == whole  # exactly, after an interruption

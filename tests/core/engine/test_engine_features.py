"""Kept features: as good as those computed anew, however they came to be, and none twice."""

from __future__ import annotations

import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from engine_support import RGB, give, random_images, recipe
from safetensors.torch import save_file
from torch import Tensor
from tuning_support import FROZEN

from iterate_core.device import fabric_for
from iterate_core.engine import fit
from iterate_core.engine.features import keeping, supply
from iterate_core.engine.features.halves import doubled, halved
from iterate_core.engine.features.keeping import Place
from iterate_core.engine.order import Supplies
from iterate_core.engine.resolved import prepare
from iterate_core.recipe import Recipe
from iterate_core.storage.bounds import choose_limit
from iterate_core.storage.usage import entries

PLAINLY: dict[str, Any] = {"flip": False, "rotate": False}
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# In half the bytes


def test_halves_hold_eleven_bits_of_whatever_size() -> None:
    rows = torch.randn(7, 5, 4, generator=torch.Generator().manual_seed(0))
    rows *= torch.tensor([1.0, 1e-30, 1e30, 3e38, 7e4, 1e-7, 0.0]).view(-1, 1, 1)
    rows[0, 0, 0] = 1.0
    half, powers = halved(rows)
    assert (half.dtype, powers.dtype) == (torch.float16, torch.int16)
    again = doubled(half, powers)
    large = rows.abs() > rows.abs().amax((1, 2), keepdim=True) * 2.0**-29
    wrong = ((again - rows) / rows).abs()[large]
    assert wrong.max() <= 2.0**-11
    assert torch.equal(again[6], rows[6])


def test_halves_hold_what_bfloat16_holds_and_what_is_no_number() -> None:
    rows = torch.randn(3, 1000, generator=torch.Generator().manual_seed(0)) * 300
    rows = rows.bfloat16().float()
    assert torch.equal(doubled(*halved(rows)), rows)
    rows[0, 0], rows[1, 1], rows[2, 2] = torch.inf, -torch.inf, torch.nan
    assert torch.equal(doubled(*halved(rows)).nan_to_num(7.0), rows.nan_to_num(7.0))


def test_half_the_bytes_under_a_linear_decoder_change_no_metric_by_a_ten_thousandth(
    tmp_path: Path,
) -> None:
    found = []
    for kept in ("off", "float16"):
        chosen = recipe(
            "segmentation",
            tuning=FROZEN,
            model={"decoder": {"name": "linear"}},
            augmentation=PLAINLY,
            optimiser={"lr": 0.01},
            trainer={"epochs": 4, "features": kept},
            data={"samples": [64, 64, 64], "batch_size": 32},
        )
        *_, last = fit.epochs(prepare(chosen), tmp_path / kept)
        found.append(last.metrics | fit.test(prepare(chosen), tmp_path / kept))
    assert found[1] == pytest.approx(found[0], abs=1e-4)
    assert found[1] != found[0]


# Where there is no room


def test_features_without_room_are_computed_anew_to_the_same_results(
    cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supply, "CHUNK", 8)  # as many as in a batch
    chosen = recipe(
        tuning=FROZEN, augmentation=PLAINLY, trainer={"epochs": 2}, data={"samples": [24, 16, 16]}
    )
    needs = Place(prepare(chosen), CPU).needs
    choose_limit(needs - 1)
    with caplog.at_level(logging.WARNING):
        anew = fit.fit(prepare(chosen), tmp_path / "anew")
    assert "computed anew in each epoch" in caplog.text
    assert not list(cache.rglob("*-0.npy"))
    choose_limit(needs)
    kept = fit.fit(prepare(chosen), tmp_path / "kept")
    assert list(cache.rglob("train-0-0.npy"))
    assert [report.metrics for report in kept.reports] == [
        report.metrics for report in anew.reports
    ]


def test_what_does_not_go_without_saying_is_told_before_a_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told(features: str = "auto", **changes: Any) -> str:
        trainer = {"epochs": 2, "features": features}
        chosen = recipe(augmentation=PLAINLY, trainer=trainer, **{"tuning": FROZEN, **changes})
        return keeping.note(prepare(chosen), CPU) or ""

    assert told() == ""
    monkeypatch.setattr(keeping, "LIMIT", 0)
    assert told().startswith("features are kept in float16, for in float32 they would take ")
    assert told("float16") == told("float32") == told("off") == ""
    choose_limit(1)
    assert told().startswith("features are computed anew in each epoch: kept, they would take ")
    assert told("off") == told(tuning={"name": "full"}) == ""


def test_others_features_make_room(cache: Path, tmp_path: Path) -> None:
    first, second = (
        recipe(tuning=FROZEN, augmentation=PLAINLY, trainer={"epochs": 1}, data={"seed": seed})
        for seed in (1, 2)
    )
    places = [Place(prepare(one), CPU).folder for one in (first, second)]
    fit.fit(prepare(first), tmp_path / "first")
    assert entries(cache / "features") == [places[0]]
    choose_limit(sum(path.stat().st_size for path in places[0].iterdir()) * 3 // 2)
    fit.fit(prepare(second), tmp_path / "second")
    assert entries(cache / "features") == [places[1]]


# Once


def counted(monkeypatch: pytest.MonkeyPatch, most: int | None = None) -> Counter[str]:
    """Counts the samples that the backbone is given, and dies when they are `most`."""
    count: Counter[str] = Counter()
    encode = Supplies.encode

    def counting(self: Supplies, images: Tensor, context: Any) -> Any:
        if most is not None and count["samples"] + len(images) > most:
            raise KeyboardInterrupt
        count["samples"] += len(images)
        return encode(self, images, context)

    monkeypatch.setattr(Supplies, "encode", counting)
    return count


def test_a_killed_computation_goes_on_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supply, "CHUNK", 4)
    monkeypatch.setattr(supply, "BLOCK", 8)
    chosen = recipe("segmentation", tuning=FROZEN, trainer={"epochs": 8})
    # Eight views of 24 samples, then 12 of validation; 100 are twelve blocks and a half.
    with monkeypatch.context() as patch:
        counted(patch, most=100)
        with pytest.raises(KeyboardInterrupt):
            fit.fit(prepare(chosen), tmp_path / "killed")
    with monkeypatch.context() as patch:
        count = counted(patch)
        resumed = fit.fit(prepare(chosen), tmp_path / "killed")
        assert count["samples"] == 8 * 24 - 96 + 12
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "another"))
    whole = fit.fit(prepare(chosen), tmp_path / "whole")
    assert [report.metrics for report in resumed.reports] == [
        report.metrics for report in whole.reports
    ]


def test_a_changed_pixel_weight_or_option_gives_another_entry(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, targets = random_images((12, 3, 32, 32)), np.arange(12) % 2
    weights = tmp_path / "weights.safetensors"

    def trained(images: Any, **changes: Any) -> Recipe:
        chosen = recipe(
            data=give(images, targets, RGB, classes=2) | changes,
            model={"backbone": {"name": "test_resnet", "weights": str(weights)}},
            tuning=FROZEN,
            augmentation=PLAINLY,
            trainer={"epochs": 1},
        )
        fit.fit(prepare(chosen), tmp_path / f"run-{count}")
        return chosen

    state = timm.create_model("test_resnet").state_dict()
    save_file(state, weights)
    count = 0
    trained(images)
    found = [set(entries(cache / "features"))]
    for count, change in enumerate(("nothing", "pixel", "weight", "option"), start=1):  # noqa: B007
        if change == "pixel":
            images = images.copy()
            images[11, 2, 31, 31] ^= 1
        if change == "weight":
            name = next(name for name, value in state.items() if value.ndim == 4)
            state[name].view(-1)[0] += 1e-3
            save_file(state, weights)
        trained(images, **({"image_size": 48} if change == "option" else {}))
        found.append(set(entries(cache / "features")))
    assert [len(names) for names in found] == [1, 1, 2, 3, 4]


def test_features_of_the_test_split_are_kept_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = recipe(tuning=FROZEN, augmentation=PLAINLY)
    fit.fit(prepare(chosen), tmp_path)
    count = counted(monkeypatch)
    first = fit.test(prepare(chosen), tmp_path)
    assert count["samples"] == 12
    assert fit.test(prepare(chosen), tmp_path) == first
    assert count["samples"] == 12


def test_the_rows_of_the_next_batches_are_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = recipe(
        tuning=FROZEN, trainer={"epochs": 1, "features": "float32"}, data={"batch_size": 4}
    )
    plain = Supplies(prepare(chosen), fabric_for("cpu", "32-true")).of("train")
    width = 96 * 4
    asked: list[tuple[int, range]] = []

    def note(file: int, offset: int, size: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_WILLNEED
        name = Path(os.readlink(f"/proc/self/fd/{file}")).name
        first = (offset - 128) // width
        asked.append((int(name[6]), range(first, first + size // width)))

    monkeypatch.setattr(supply, "AHEAD_BYTES", 0)
    supplies = Supplies(prepare(chosen), fabric_for("cpu", "32-true"))
    supplies.of("train")
    monkeypatch.setattr(os, "posix_fadvise", note)
    chunks = [np.array([2 * n, 2 * n + 1, 2 * n + 7, 2 * n + 9]) for n in range(6)]
    turns = [np.full(4, n % 2) for n in range(6)]
    batches = supplies.of("train").batches(chunks, turns)
    next(batches)
    spans = [
        (n % 2, range(first, first + count))
        for n in range(6)
        for first, count in ((2 * n, 2), (2 * n + 7, 1), (2 * n + 9, 1))
    ]
    assert asked == spans[: 3 * 4]  # of the first four batches
    rest = [batch.inputs for batch in batches]
    assert asked == spans
    wanted = [batch.inputs for batch in plain.batches(chunks, turns)][1:]
    assert all(map(torch.equal, rest, wanted))

"""Batches in parts against whole ones, and how many samples memory holds at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_support import merged, recipe

from iterate_core.data.loading.batch import Batch
from iterate_core.engine import fit
from iterate_core.engine.learning.range_test import range_test
from iterate_core.engine.reports import EpochReport
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import DeviceMemoryError, RequestError
from iterate_core.recipe import Recipe
from iterate_core.tasks.supervised import SupervisedTask


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def chosen(backbone: str = "test_vit", **trainer: Any) -> Recipe:
    """Of 20 samples in batches of eight, the last of four."""
    return recipe(
        data={"samples": [20, 10, 4], "batch_size": 8},
        model={
            "backbone": {"name": backbone, "weights": "none"},
            "decoder": {"name": "linear", "normalise": "layer"},
        },
        optimiser={"name": "sgd", "lr": 0.1},
        trainer=merged({"epochs": 2}, trainer),
    )


class Memory:
    """Of a device that holds so many samples at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, samples: int) -> None:
        self.samples, self.refused = samples, 0
        forward = SupervisedTask.forward

        def bounded(task: SupervisedTask, batch: Batch) -> Any:
            if len(batch.inputs) > self.samples:
                self.refused += 1
                raise torch.OutOfMemoryError("CUDA out of memory")
            return forward(task, batch)

        monkeypatch.setattr(SupervisedTask, "forward", bounded)


def timeless(reports: Iterator[EpochReport] | list[EpochReport]) -> list[EpochReport]:
    return [replace(report, seconds=0.0) for report in reports]


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("at_once", [1, 3, 5, 100])
def test_a_batch_in_parts_makes_the_step_of_the_whole(at_once: int, accumulate: int) -> None:
    whole, parts = (
        Trainer(prepare(chosen(micro_batch=size, accumulate=accumulate, gradient_clip=0.5)))
        for size in (None, at_once)
    )
    for epoch in (1, 2):
        wanted, _ = whole.epoch(epoch)
        assert parts.epoch(epoch)[0] == pytest.approx(wanted, abs=1e-5)
    for name, value in parts.setup.trained().items():
        torch.testing.assert_close(value, whole.setup.trained()[name], atol=1e-5, rtol=0)


def test_where_memory_runs_out_half_as_many_are_tried_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = list(fit.epochs(prepare(chosen(micro_batch=2)), tmp_path / "fixed"))
    tested = fit.test(prepare(chosen(micro_batch=2)), tmp_path / "fixed")
    memory = Memory(monkeypatch, 3)
    auto = prepare(chosen(micro_batch="auto"))
    found = list(fit.epochs(auto, tmp_path / "auto"))
    assert memory.refused == 2  # eight, and four
    assert [report.metrics.pop("micro_batch") for report in found] == [2, 2]
    assert timeless(found) == timeless(fixed)
    assert fit.test(auto, tmp_path / "auto") == pytest.approx(tested, abs=1e-6)


def test_memory_that_runs_out_later_costs_that_epoch_alone_and_a_continued_run_remembers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto = prepare(chosen(micro_batch="auto", epochs=3))
    memory = Memory(monkeypatch, 8)
    epochs = fit.epochs(auto, tmp_path)
    first = next(epochs)
    memory.samples = 4
    second = next(epochs)
    epochs.close()  # type: ignore[attr-defined]
    assert memory.refused == 1
    assert [report.metrics.get("micro_batch") for report in (first, second)] == [None, 4]
    (third,) = fit.epochs(auto, tmp_path)
    assert memory.refused == 1
    assert third.metrics["micro_batch"] == 4


def test_whole_batches_are_no_other_than_without_the_choice(tmp_path: Path) -> None:
    plain = list(islice(fit.epochs(prepare(chosen()), tmp_path / "plain"), 1))
    auto = list(islice(fit.epochs(prepare(chosen(micro_batch="auto")), tmp_path / "auto"), 1))
    assert timeless(plain) == timeless(auto)


@pytest.mark.parametrize("size", [None, 4])
def test_fewer_than_was_asked_for_are_not_tried(
    size: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Memory(monkeypatch, 3)
    with pytest.raises(DeviceMemoryError, match=r"batch size 8 .*trainer\.micro_batch: auto"):
        list(fit.epochs(prepare(chosen(micro_batch=size)), tmp_path))


def test_one_sample_may_be_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(monkeypatch, 0)
    with pytest.raises(DeviceMemoryError, match="memory ran out"):
        list(fit.epochs(prepare(chosen(micro_batch="auto")), tmp_path))
    assert memory.refused == 4


def test_a_range_test_finds_what_memory_holds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = range_test(prepare(chosen()), lowest=1e-4, highest=1e-2, steps=4)
    Memory(monkeypatch, 4)
    found = range_test(prepare(chosen(micro_batch="auto")), lowest=1e-4, highest=1e-2, steps=4)
    assert found.losses == pytest.approx(wanted.losses, abs=1e-5)


def test_batch_normalisation_gets_two_samples_and_refuses_to_be_given_one(
    tmp_path: Path,
) -> None:
    """Of 20 samples by threes the last batch of two would be cut into single ones."""
    (report,) = islice(fit.epochs(prepare(chosen("test_resnet", micro_batch=3)), tmp_path), 1)
    assert report.epoch == 1
    single = chosen("test_resnet", micro_batch=1)
    with pytest.raises(RequestError, match=r"batch normalisation .*trainer\.micro_batch to 2"):
        Trainer(prepare(single))

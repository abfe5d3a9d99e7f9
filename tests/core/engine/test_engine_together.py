"""Heads that train as one computation come to what each comes to alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from engine_support import merged, recipe
from safetensors.torch import save_file
from torch import nn
from tuning_support import FROZEN

import iterate
from iterate_core.data.convert.convert import convert
from iterate_core.engine import fit
from iterate_core.engine.checkpoints import load_progress
from iterate_core.engine.learning.gradients import GradientLearner
from iterate_core.engine.reports import EpochReport
from iterate_core.engine.resolved import prepare
from iterate_core.engine.together import fit as together
from iterate_core.engine.together.fit import fit_together
from iterate_core.engine.together.key import together_key
from iterate_core.errors import WorkError
from iterate_core.recipe import Recipe

Find = Callable[[str], Path]
PLAIN = {"flip": False, "rotate": False}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a small network; drawn ones would be others for each seed."""
    path = tmp_path_factory.mktemp("weights") / "test_resnet.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet", num_classes=0).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def eurosat(shared_data: Find, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of EuroSAT."""
    folder = tmp_path_factory.mktemp("eurosat")
    with np.load(shared_data("eurosat_rgb/eurosat_rgb_3000.npz")) as file:
        every = {name: file[name] for name in file.files}
    keep = np.concatenate([np.flatnonzero(every["split"] == split)[::10] for split in range(3)])
    part = {name: values[keep] if len(values) == 3000 else values for name, values in every.items()}
    np.savez(folder / "part.npz", **part)
    convert(folder / "part.npz", folder / "out", licence="MIT")
    return folder / "out"


@pytest.fixture
def as_one(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """From here on no recipe trains alone: what should train as one then does, or the test ends."""

    def refuse(self: GradientLearner, epoch: int) -> dict[str, float]:
        raise AssertionError("a head was trained alone")

    return lambda: monkeypatch.setattr(GradientLearner, "learn", refuse)


def heads(weights: Path, *changes: dict[str, Any], count: int = 3) -> list[Recipe]:
    """Frozen recipes on drawn scenes, of several rates, decays and seeds."""
    base: dict[str, Any] = {
        "model": {"backbone": {"weights": str(weights)}},
        "tuning": FROZEN,
        "augmentation": PLAIN,
        "trainer": {"threads": 1},
    }
    for change in changes:
        base = merged(base, change)
    numbered = [
        {"optimiser": {"lr": 5e-3 * (number + 1), "weight_decay": 0.1 * number}, "seed": number}
        for number in range(count)
    ]
    return [recipe(**merged(base, numbers)) for numbers in numbered]


def alone(recipes: Sequence[Recipe], folder: Path) -> list[list[EpochReport]]:
    """Each one's reports, trained alone."""
    return [
        list(fit.epochs(prepare(one), folder / str(number))) for number, one in enumerate(recipes)
    ]


def told(recipes: Sequence[Recipe], folder: Path, **asked: Any) -> list[list[EpochReport]]:
    """Each one's reports, trained together."""
    reports: list[list[EpochReport]] = [[] for _ in recipes]
    for number, one in begun(recipes, folder, **asked):
        assert isinstance(one, EpochReport), one
        reports[number].append(one)
    return reports


def begun(recipes: Sequence[Recipe], folder: Path, **asked: Any) -> Any:
    folders = [folder / str(number) for number in range(len(recipes))]
    return fit_together([prepare(one) for one in recipes], folders, **asked)


def smooth(report: EpochReport) -> dict[str, float]:
    """Its metrics, but those that hang on the last digits of predictions next to a threshold."""
    labels = "val/map_micro" in report.metrics
    return {name: value for name, value in report.metrics.items() if not labels or "loss" in name}


def same(found: Sequence[Sequence[EpochReport]], expected: Sequence[Sequence[EpochReport]]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert [report.epoch for report in one] == [report.epoch for report in other]
        for report, known in zip(one, other, strict=True):
            assert smooth(report) == pytest.approx(smooth(known), abs=1e-4)
            assert (report.value, report.best) == pytest.approx((known.value, known.best), abs=1e-4)
            assert report.done == known.done


@pytest.mark.parametrize("decoder", ["linear", "mlp"])
def test_on_real_features_epochs_and_test_are_those_of_training_alone(
    eurosat: Path, shared_data: Find, tmp_path: Path, as_one: Callable[..., None], decoder: str
) -> None:
    weights = shared_data("weights/tf_efficientnet_lite0_imagenet.safetensors")
    real = {
        "data": {"name": "geobench_v1", "root": str(eurosat), "normalisation": "backbone"},
        "model": {"backbone": {"name": "tf_efficientnet_lite0"}, "decoder": {"name": decoder}},
    }
    chosen = heads(weights, real, {"model": {"backbone": {"weights": str(weights)}}})
    expected = alone(chosen, tmp_path / "alone")
    as_one()
    same(told(chosen, tmp_path), expected)
    assert len({reports[-1].value for reports in expected}) > 1
    for number, one in enumerate(chosen):
        tested, known = (
            fit.test(prepare(one), folder / str(number))
            for folder in (tmp_path, tmp_path / "alone")
        )
        assert tested == pytest.approx(known, abs=1e-4)


MLP = {"name": "mlp", "hidden": 16}
KINDS: dict[str, dict[str, Any]] = {
    "adam": {"optimiser": {"name": "adam"}},
    "sgd": {"optimiser": {"name": "sgd"}, "scheduler": {"name": "plateau", "patience": 0}},
    "lion": {"optimiser": {"name": "lion"}},
    "clipped": {"trainer": {"gradient_clip": 0.05}, "model": {"decoder": MLP}},
    "dropout": {"model": {"decoder": MLP | {"layers": 2, "dropout": 0.4}}},
    "layer norm": {"model": {"decoder": MLP | {"hidden": 80, "normalise": "layer"}}},
    "turned": {"augmentation": {"flip": True, "rotate": True}, "trainer": {"epochs": 9}},
    "patient": {"trainer": {"patience": 1, "epochs": 6}},
    "weighted": {"loss": {"name": "cross_entropy", "class_weights": "inverse_frequency"}},
    "dice": {"loss": {"name": "dice"}},
    "multilabel": {
        "data": {"kind": "multilabel"},
        "trainer": {"epochs": 1, "threads": 1},
        "model": {"decoder": MLP},
    },
    "regression": {"data": {"kind": "scalar_regression"}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_comes_to_what_it_comes_to_alone(
    kind: str, weights: Path, tmp_path: Path, as_one: Callable[..., None]
) -> None:
    chosen = heads(weights, KINDS[kind])
    expected = alone(chosen, tmp_path / "alone")
    as_one()
    same(told(chosen, tmp_path), expected)


def test_one_that_is_stopped_leaves_and_the_others_go_on(
    weights: Path, tmp_path: Path, as_one: Callable[..., None]
) -> None:
    chosen = heads(weights, {"trainer": {"epochs": 4}})
    expected = alone(chosen, tmp_path / "alone")
    as_one()
    seen: list[int] = []
    training = begun(chosen, tmp_path, stopped=lambda number: number == 1 and 1 in seen)
    for number, report in training:
        seen.append(number)
        assert report.value == pytest.approx(expected[number][report.epoch - 1].value, abs=1e-4)
    assert [seen.count(number) for number in range(3)] == [4, 1, 4]
    assert fit.test(prepare(chosen[1]), tmp_path / "1")  # its best weights stay


def test_what_was_cut_off_goes_on_to_the_same_together_or_alone(
    weights: Path, tmp_path: Path
) -> None:
    chosen = heads(weights, {"trainer": {"epochs": 4}, "model": {"decoder": MLP}})
    expected = alone(chosen, tmp_path / "alone")
    cut = begun(chosen, tmp_path)
    list(islice(cut, 6))  # two epochs of three
    cut.close()
    assert [len(load_progress(tmp_path / str(n), prepare(one).identity).reports)
            for n, one in enumerate(chosen)] == [2, 2, 2]  # fmt: skip
    rest = list(fit.epochs(prepare(chosen[0]), tmp_path / "0"))
    same([rest], [expected[0][2:]])
    same(told(chosen, tmp_path, replay=True), expected)


def test_checkpoints_that_lag_behind_change_nothing(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = heads(weights, {"trainer": {"epochs": 4}})
    expected = alone(chosen, tmp_path / "alone")
    monkeypatch.setattr(together, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    killed = begun(chosen, tmp_path)
    list(islice(killed, 3))
    monkeypatch.undo()
    list(islice(killed, 3))
    monkeypatch.setattr("iterate_core.engine.run.Run.keep", lambda self: None)
    killed.close()  # as if it had been killed: the second epoch is not kept
    monkeypatch.undo()
    same(told(chosen, tmp_path), [reports[1:] for reports in expected])


def test_one_that_diverges_fails_and_the_others_go_on(weights: Path, tmp_path: Path) -> None:
    chosen = heads(weights, {"optimiser": {"name": "sgd"}})
    wild = chosen[1].optimiser.model_copy(update={"lr": 1e30})
    chosen[1] = chosen[1].model_copy(update={"optimiser": wild})
    last = dict(begun(chosen, tmp_path))
    assert isinstance(last[1], WorkError)
    assert "diverged" in str(last[1])
    assert last[0].done
    assert last[2].done


APART: dict[str, dict[str, Any]] = {
    "trains its backbone": {"tuning": {"name": "full"}},
    "changes its images": {"augmentation": {"noise": {}}},
    "averages": {"trainer": {"ema": 0.9}},
    "accumulates": {"trainer": {"accumulate": 2}},
    "orthogonal steps": {"optimiser": {"name": "muon"}},
    "fitted": {"model": {"decoder": {"name": "logistic"}}},
    "maps": {"model": {"decoder": {"name": "attentive_pool"}}},
    "drawn samples": {"data": {"share": 0.5}},
    "dense": {"data": {"kind": "segmentation"}},
    "in parts": {"trainer": {"micro_batch": 2}},
    "compiled": {"trainer": {"compile": True}},
    "mixed precision": {"trainer": {"precision": "bf16-mixed"}},
}


def key_of(one: Recipe) -> str | None:
    prepared = prepare(one)
    return together_key(prepared.recipe, prepared.info.task)


@pytest.mark.parametrize("kind", APART)
def test_what_cannot_be_told_apart_trains_alone(kind: str, weights: Path) -> None:
    assert key_of(heads(weights, APART[kind], count=1)[0]) is None


def test_a_key_is_shared_by_what_differs_behind_the_features_alone(weights: Path) -> None:
    def key(**changes: Any) -> str | None:
        return key_of(heads(weights, changes, count=1)[0])

    one = key()
    assert one is not None
    assert key(scheduler={"name": "constant"}) == one
    assert key(model={"decoder": {"dropout": 0.5}}) == one
    for changes in (
        {"data": {"batch_size": 4}},
        {"model": {"decoder": {"name": "mlp"}}},
        {"model": {"backbone": {"weights": "none"}}},
        {"optimiser": {"beta1": 0.5}},
        {"data": {"bands": ["red", "green", "blue", "nir"]}},
    ):
        assert key(**changes) not in (one, None)


def test_recipes_of_several_kinds_are_trained_too_each_as_alone(
    weights: Path, tmp_path: Path
) -> None:
    chosen = [*heads(weights, count=2), *heads(weights, {"trainer": {"ema": 0.9}}, count=2)]
    same(told(chosen, tmp_path), alone(chosen, tmp_path / "alone"))


def test_a_decoder_of_ones_own_trains_along_if_its_layers_are_known(
    weights: Path, tmp_path: Path, own_components: None, as_one: Callable[..., None]
) -> None:
    @iterate.register_decoder("narrow")
    def narrow(options: Any, shape: Any, classes: int) -> nn.Module:
        return nn.Sequential(nn.Linear(shape.width, 8), nn.Tanh(), nn.Linear(8, classes))

    chosen = heads(weights, {"model": {"decoder": {"name": "narrow"}}})
    expected = alone(chosen, tmp_path / "alone")
    as_one()
    same(told(chosen, tmp_path), expected)

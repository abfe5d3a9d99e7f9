"""Training one recipe: continuing, determinism, early stopping, failures, what is left behind."""

from __future__ import annotations

import gc
import multiprocessing
import random
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from engine_support import RGB, Arrays, folder_bytes, give, random_images, recipe
from safetensors import safe_open
from safetensors.torch import save_file
from tuning_support import FROZEN

from iterate_core.data.dataset import Sample
from iterate_core.engine import fit
from iterate_core.engine.preflight import preflight
from iterate_core.engine.reports import EpochReport
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import RequestError, WorkError
from iterate_core.models.assembly import Model
from iterate_core.recipe import Recipe


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(cache))


def timeless(reports: list[EpochReport]) -> list[EpochReport]:
    return [replace(report, seconds=0.0) for report in reports]


DROPOUT = {"decoder": {"name": "mlp", "hidden": 16, "dropout": 0.5}}
RECIPES: dict[str, dict[str, Any]] = {
    "full": {"model": DROPOUT, "scheduler": {"name": "plateau", "patience": 0}},
    "frozen": {"model": DROPOUT, "tuning": FROZEN, "augmentation": {"flip": True}},
    "sgd": {"optimiser": {"name": "sgd"}, "trainer": {"gradient_clip": 1.0, "patience": 2}},
    "bf16": {"trainer": {"precision": "bf16-mixed"}, "model": {"backbone": {"drop_path": 0.2}}},
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("interrupted_after", [1, 2])
def test_a_continued_run_is_bit_identical(
    name: str, interrupted_after: int, tmp_path: Path
) -> None:
    chosen = recipe(**RECIPES[name])
    whole = list(fit.epochs(prepare(chosen), tmp_path / "whole"))
    interrupted = list(islice(fit.epochs(prepare(chosen), tmp_path / "cut"), interrupted_after))
    continued = list(fit.epochs(prepare(chosen), tmp_path / "cut"))
    assert timeless(interrupted + continued) == timeless(whole)
    assert [report.epoch for report in whole] == [1, 2, 3]
    cut, uncut = (fit.test(prepare(chosen), tmp_path / name) for name in ("cut", "whole"))
    assert cut == uncut


def test_segmentation_continues_too(tmp_path: Path) -> None:
    chosen = recipe("segmentation")
    whole = list(fit.epochs(prepare(chosen), tmp_path / "whole"))
    list(islice(fit.epochs(prepare(chosen), tmp_path / "cut"), 1))
    replayed = list(fit.epochs(prepare(chosen), tmp_path / "cut", replay=True))
    assert timeless(replayed) == timeless(whole)


def test_replay_gives_finished_epochs_first_and_a_complete_run_trains_nothing(
    tmp_path: Path,
) -> None:
    chosen = recipe()
    first = list(islice(fit.epochs(prepare(chosen), tmp_path), 2))
    replayed = list(fit.epochs(prepare(chosen), tmp_path, replay=True))
    assert replayed[:2] == first
    assert [report.done for report in replayed] == [False, False, True]
    assert list(fit.epochs(prepare(chosen), tmp_path)) == replayed[-1:]
    assert list(fit.epochs(prepare(chosen), tmp_path, replay=True)) == replayed
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["state"] is None


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(tmp_path: Path) -> None:
    one, two = (list(fit.epochs(prepare(recipe()), tmp_path / name)) for name in "ab")
    other = list(fit.epochs(prepare(recipe(seed=1)), tmp_path / "c"))
    assert timeless(one) == timeless(two)
    assert one[0].metrics["train/loss"] != other[0].metrics["train/loss"]


def test_nothing_global_changes_between_epochs_and_nothing_global_matters(tmp_path: Path) -> None:
    whole = list(fit.epochs(prepare(recipe()), tmp_path / "a"))
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())
    reports = []
    for report in fit.epochs(prepare(recipe()), tmp_path / "b"):
        reports.append(report)
        assert random.getstate() == before[0]
        assert np.random.get_state()[1].tolist() == before[1]
        assert torch.equal(torch.get_rng_state(), before[2])
        assert not torch.are_deterministic_algorithms_enabled()
        assert not torch.is_autocast_enabled("cpu")
        assert torch.is_grad_enabled()
    assert timeless(reports) == timeless(whole)


def test_two_recipes_in_turn_do_not_disturb_each_other(tmp_path: Path) -> None:
    frozen = recipe(tuning=FROZEN, trainer={"epochs": 8})
    full = recipe(trainer={"precision": "bf16-mixed", "deterministic": False})
    alone = [
        list(fit.epochs(prepare(one), tmp_path / f"alone-{i}"))
        for i, one in enumerate((frozen, full))
    ]
    first = fit.epochs(prepare(frozen), tmp_path / "first")
    mixed: tuple[list[EpochReport], list[EpochReport]] = ([next(first)], [])
    mixed[1].extend(fit.epochs(prepare(full), tmp_path / "second"))
    mixed[0].extend(first)
    assert timeless(mixed[0]) == timeless(alone[0])
    assert timeless(mixed[1]) == timeless(alone[1])


def test_stopping_between_epochs_leaves_a_folder_that_continues(tmp_path: Path) -> None:
    running = fit.epochs(prepare(recipe()), tmp_path)
    next(running)
    running.close()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["best.safetensors", "channels.json", "last.ckpt", "model.json"]
    assert fit.fit(prepare(recipe()), tmp_path).reports[-1].epoch == 3


def test_fit_tells_each_epoch_and_returns_the_best(tmp_path: Path) -> None:
    told: list[EpochReport] = []
    result = fit.fit(prepare(recipe()), tmp_path, told.append)
    assert tuple(told) == result.reports
    assert result.value == max(report.value for report in told)
    assert told[result.epoch - 1].value == result.value
    assert result.seconds == pytest.approx(sum(report.seconds for report in told))


def test_the_best_checkpoint_is_the_best_epochs(tmp_path: Path) -> None:
    chosen = recipe(trainer={"epochs": 5}, optimiser={"lr": 0.05})
    result = fit.fit(prepare(chosen), tmp_path)
    again = fit.test(prepare(chosen), tmp_path, "val")
    best = result.reports[result.epoch - 1].metrics
    assert again == {name: value for name, value in best.items() if name.startswith("val/")}
    with safe_open(tmp_path / "best.safetensors", framework="pt") as file:
        assert file.metadata()["epoch"] == str(result.epoch)
        assert float(file.metadata()["value"]) == result.value


def test_only_what_was_trained_is_saved(tmp_path: Path) -> None:
    fit.fit(prepare(recipe(tuning=FROZEN)), tmp_path / "frozen")
    fit.fit(prepare(recipe()), tmp_path / "full")
    with safe_open(tmp_path / "frozen/best.safetensors", framework="pt") as file:
        assert all(name.startswith("decoder.") for name in file.keys())  # noqa: SIM118
    with safe_open(tmp_path / "full/best.safetensors", framework="pt") as file:
        assert any(name.startswith("backbone.") for name in file.keys())  # noqa: SIM118
    assert folder_bytes(tmp_path / "frozen") < 20_000


def test_a_frozen_backbone_does_not_change_and_its_statistics_do_not_drift(tmp_path: Path) -> None:
    # Fewer epochs than flips and rotations: the backbone runs in every step.
    trainer = Trainer(prepare(recipe(tuning=FROZEN, trainer={"epochs": 2})))
    backbone = trainer.setup.module.model.backbone
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    trainer.epoch(1)
    assert not backbone.training
    assert trainer.setup.module.model.decoder.training is False  # evaluation came last
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_full_fine_tuning_changes_weights_and_statistics(tmp_path: Path) -> None:
    trainer = Trainer(prepare(recipe()))
    before = {name: value.clone() for name, value in trainer.setup.trained().items()}
    trainer.epoch(1)
    same = [
        name for name, value in trainer.setup.trained().items() if torch.equal(value, before[name])
    ]
    assert same == []


def test_early_stopping_counts_epochs_without_a_better_objective(tmp_path: Path) -> None:
    # Nothing can improve by more than 1 after the first epoch.
    chosen = recipe(trainer={"epochs": 10, "patience": 2, "min_delta": 1.0})
    reports = list(fit.epochs(prepare(chosen), tmp_path))
    assert [report.done for report in reports] == [False, False, True]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_objective_chooses_direction_and_split(mode: str, tmp_path: Path) -> None:
    metric = {"max": "accuracy", "min": "loss"}[mode]
    chosen = recipe(objective={"metric": metric, "split": "train"}, trainer={"epochs": 4})
    result = fit.fit(prepare(chosen), tmp_path)
    values = [report.metrics[f"train/{metric}"] for report in result.reports]
    assert result.value == (max(values) if mode == "max" else min(values))
    assert [report.value for report in result.reports] == values


def test_a_diverging_run_fails_with_the_reason(tmp_path: Path) -> None:
    chosen = recipe(optimiser={"name": "sgd", "lr": 1e30}, scheduler={"name": "constant"})
    with pytest.raises(WorkError, match=r"loss of epoch \d is (nan|inf).*lower optimiser.lr"):
        list(fit.epochs(prepare(chosen), tmp_path))


def test_a_split_in_which_nothing_counts_is_told_before_training(tmp_path: Path) -> None:
    masks = np.full((4, 32, 32), 255, np.uint8)
    data = give(random_images((4, 3, 32, 32)), masks, RGB, classes=3)
    prepared = prepare(recipe("segmentation", data=data))
    untaught = "the training split holds no labelled pixel, so it teaches nothing"
    with pytest.raises(RequestError, match=untaught):
        fit.epochs(prepared, tmp_path)
    with pytest.raises(RequestError, match=untaught) as error:
        preflight(prepared)
    assert "the test split holds no labelled pixel, so it has no score" in str(error.value)
    assert not list(tmp_path.iterdir())


def test_one_labelled_pixel_is_enough(tmp_path: Path) -> None:
    masks = np.full((4, 32, 32), 255, np.uint8)
    masks[3, 5, 7] = 1
    data = give(random_images((4, 3, 32, 32)), masks, RGB, classes=3)
    prepared = prepare(recipe("segmentation", data=data, trainer={"epochs": 1}))
    assert np.isfinite(fit.fit(prepared, tmp_path).value)


def test_a_test_split_in_which_nothing_counts_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Arrays.read

    def ignored_in_test(self: Arrays, name: str, bands: Any) -> Sample:
        sample = read(self, name, bands)
        if not name.startswith("test"):
            return sample
        return replace(sample, target=np.full_like(sample.target, 255))

    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Arrays, "read", ignored_in_test)
    masks = np.random.default_rng(0).integers(0, 3, (4, 32, 32), dtype=np.uint8)
    data = give(random_images((4, 3, 32, 32)), masks, RGB, classes=3)
    prepared = prepare(recipe("segmentation", data=data, trainer={"epochs": 1}))
    fit.fit(prepared, tmp_path / "fit")
    with pytest.raises(RequestError, match="the test split holds no labelled pixel"):
        fit.test(prepared, tmp_path / "fit")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB, max allowed: 9 GB)"),
    ],
    ids=["cuda", "mps"],
)
def test_memory_running_out_says_what_to_lower(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from iterate_core.tasks.supervised import SupervisedTask

    def exhausted(*_: Any) -> None:
        raise error

    monkeypatch.setattr(SupervisedTask, "training_step", exhausted)
    told = r"^GPU memory .*batch size 8 and images of 32×32.*lower data.batch_size"
    with pytest.raises(WorkError, match=told):
        list(fit.epochs(prepare(recipe()), tmp_path))


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    fit.fit(prepare(recipe()), tmp_path)
    with pytest.raises(RequestError, match="another recipe"):
        list(fit.epochs(prepare(recipe(seed=1)), tmp_path))
    with pytest.raises(RequestError, match="another recipe"):
        fit.test(prepare(recipe(seed=1)), tmp_path)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork")
def test_moved_weights_and_other_readers_are_the_same_run_and_other_weights_are_not(
    tmp_path: Path,
) -> None:
    state = timm.create_model("test_resnet", num_classes=0).state_dict()
    for name in ("a", "b"):
        save_file(state, tmp_path / f"{name}.safetensors")
    save_file(
        state | {"conv1.0.weight": state["conv1.0.weight"] + 1}, tmp_path / "other.safetensors"
    )

    def using(name: str, **data: Any) -> Recipe:
        weights = str(tmp_path / f"{name}.safetensors")
        return recipe(model={"backbone": {"weights": weights}}, data=data)

    list(islice(fit.epochs(prepare(using("a")), tmp_path / "run"), 1))
    assert fit.fit(prepare(using("b", workers=1)), tmp_path / "run").reports[-1].epoch == 3
    with pytest.raises(RequestError, match="another recipe"):
        fit.test(prepare(using("other")), tmp_path / "run")


@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_a_truncated_checkpoint_is_named(keep: float, tmp_path: Path) -> None:
    list(islice(fit.epochs(prepare(recipe()), tmp_path), 1))
    for name in ("last.ckpt", "best.safetensors"):
        content = (tmp_path / name).read_bytes()
        cut = int(keep if keep >= 1 else keep * len(content))
        (tmp_path / name).write_bytes(content[:cut])
    with pytest.raises(RequestError, match=r"last\.ckpt: is damaged.*Delete it"):
        list(fit.epochs(prepare(recipe()), tmp_path))
    with pytest.raises(RequestError, match=r"best\.safetensors: is damaged"):
        fit.test(prepare(recipe()), tmp_path)


def test_testing_an_empty_folder_says_to_fit_first(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="Fit the recipe"):
        fit.test(prepare(recipe()), tmp_path)


def test_the_confusion_matrix_agrees_with_the_scores(tmp_path: Path) -> None:
    fit.fit(prepare(recipe()), tmp_path)
    counts = np.array(fit.confusion(prepare(recipe()), tmp_path))
    scores = fit.test(prepare(recipe()), tmp_path)
    assert counts.sum() == 12
    assert scores["test/accuracy"] == pytest.approx(np.trace(counts) / 12)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork")
def test_processes_that_read_ahead_change_nothing(tmp_path: Path) -> None:
    alone = list(fit.epochs(prepare(recipe()), tmp_path / "a"))
    helped = list(fit.epochs(prepare(recipe(data={"workers": 1})), tmp_path / "b"))
    assert timeless(alone) == timeless(helped)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork")
def test_processes_that_read_ahead_live_through_all_epochs(tmp_path: Path) -> None:
    epochs = fit.epochs(prepare(recipe(data={"workers": 1})), tmp_path)
    before = set(multiprocessing.active_children())
    seen = []
    for _ in epochs:
        seen.append({child.pid for child in set(multiprocessing.active_children()) - before})
    assert len(seen) == 3
    assert len(seen[0]) == 2  # one of each split
    assert seen[0] == seen[1] == seen[2]


def test_a_model_is_let_go_of_once_it_is_trained(tmp_path: Path) -> None:
    """A worker trains hundreds, one after another."""
    others = _models()
    for seed in range(2):
        fit.fit(prepare(recipe(seed=seed)), tmp_path / str(seed))
    assert _models() <= others


def _models() -> set[int]:
    gc.collect()
    return {id(found) for found in gc.get_objects() if type(found) is Model}

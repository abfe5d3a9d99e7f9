"""`trainer.precision`: the arithmetic of the model in training, evaluation and probes alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_support import RGB, give, random_images, recipe
from torch import Tensor, nn
from tuning_support import FROZEN

from iterate_core.engine import fit
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.recipe import Recipe
from iterate_core.tasks.multilabel import MultilabelScores, MultilabelTask

PRECISIONS = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16}
STILL = {"flip": False, "rotate": False}
PLAINLY: dict[str, Any] = {"trainer": {"epochs": 2}, "augmentation": STILL}


@pytest.fixture(autouse=True)
def _cached_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def at(precision: str, kind: str = "classification", **changes: Any) -> Recipe:
    trainer = {"precision": precision, **changes.pop("trainer", {})}
    return recipe(kind, trainer=trainer, **changes)


@contextmanager
def seen(kinds: tuple[type[nn.Module], ...] = (nn.Conv2d, nn.Linear)) -> Iterator[set[Any]]:
    """(what layer, in training?, type of what it gives) of every convolution and linear layer."""
    found: set[Any] = set()

    def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
        if isinstance(module, kinds):
            found.add((type(module).__name__, torch.is_grad_enabled(), output.dtype))

    handle = nn.modules.module.register_module_forward_hook(note)
    try:
        yield found
    finally:
        handle.remove()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", ["classification", "multilabel", "segmentation", "regression"])
def test_layers_compute_in_the_recipes_arithmetic(
    kind: str, precision: str, tmp_path: Path
) -> None:
    chosen = at(precision, kind, trainer={"epochs": 1}, model={"decoder": {"name": "linear"}})
    wanted = PRECISIONS[precision]
    layers = ["Conv2d", "Linear"] if kind in ("classification", "multilabel") else ["Conv2d"]
    with seen() as fitting:
        fit.fit(prepare(chosen), tmp_path)
    assert fitting == {(layer, trains, wanted) for layer in layers for trains in (True, False)}
    with seen() as testing:
        fit.test(prepare(chosen), tmp_path)
    assert testing == {(layer, False, wanted) for layer in layers}


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "anew"])
@pytest.mark.parametrize("decoder", ["mlp", "knn", "logistic"])
def test_frozen_features_are_of_the_recipes_arithmetic(
    decoder: str, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = {"decoder": {"name": decoder}}
    if not kept:
        monkeypatch.setattr("iterate_core.engine.features.keeping.worthwhile", lambda *_: False)
    for precision, wanted in PRECISIONS.items():
        chosen = at(precision, model=model, tuning=FROZEN, **PLAINLY)
        with seen((nn.Conv2d,)) as found:
            fit.fit(prepare(chosen), tmp_path / precision)
            fit.test(prepare(chosen), tmp_path / precision)
        assert {kind for _, _, kind in found} == {wanted}, precision


CASES: dict[str, dict[str, Any]] = {
    "full": {},
    "frozen": {"tuning": FROZEN},
    "frozen maps": {"kind": "segmentation", "tuning": FROZEN},
    "logistic": {
        "model": {"decoder": {"name": "logistic", "tolerance": 1e-6}},
        "tuning": FROZEN,
    },
}


def measured(case: str, precision: str, folder: Path) -> dict[str, float]:
    """The losses of a last epoch, and of the test split."""
    changes = {"data": {"batch_size": 32}, **PLAINLY, **CASES[case]}
    chosen = at(precision, **changes)
    *_, report = fit.epochs(prepare(chosen), folder)
    tested = fit.test(prepare(chosen), folder)
    every = report.metrics | tested
    return {name: every[f"{name}/loss"] for name in ("train", "val", "test")}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "anew"])
def test_losses_differ_with_the_arithmetic(
    case: str, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kept:
        monkeypatch.setattr("iterate_core.engine.features.keeping.worthwhile", lambda *_: False)
    single, half = (measured(case, name, tmp_path / name) for name in PRECISIONS)
    for split in ("train", "val", "test"):
        assert half[split] != single[split], split
        assert half[split] == pytest.approx(single[split], rel=0.1), split


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", [name for name in CASES if name != "full"])
def test_features_that_are_kept_give_what_those_computed_anew_give(
    case: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = measured(case, precision, tmp_path / "kept")
    monkeypatch.setattr("iterate_core.engine.features.keeping.worthwhile", lambda *_: False)
    anew = measured(case, precision, tmp_path / "anew")
    assert anew == pytest.approx(kept, rel=1e-5)


def test_features_of_another_arithmetic_are_kept_apart(tmp_path: Path) -> None:
    for number, precision in enumerate(PRECISIONS, start=1):
        measured("frozen", precision, tmp_path / precision)
        assert len(list((tmp_path / "cache/features").iterdir())) == number


def test_a_run_is_not_continued_in_another_arithmetic(tmp_path: Path) -> None:
    next(fit.epochs(prepare(at("32-true")), tmp_path))
    with pytest.raises(RequestError, match="another"):
        next(fit.epochs(prepare(at("bf16-mixed")), tmp_path))


def test_losses_and_scores_see_single_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = set()
    losses, update = MultilabelTask.losses, MultilabelScores.update

    def watched(task: Any, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        total, counted = losses(task, outputs, targets)
        kinds.update({("outputs", outputs.dtype), ("loss", total.dtype)})
        return total, counted

    def scored(scores: Any, outputs: Tensor, targets: Tensor, *rest: Tensor) -> None:
        kinds.update({("scored", outputs.dtype), ("loss", rest[0].dtype)})
        update(scores, outputs, targets, *rest)

    monkeypatch.setattr(MultilabelTask, "losses", watched)
    monkeypatch.setattr(MultilabelScores, "update", scored)
    data = give(
        random_images((8, 3, 16, 16)), torch.eye(8, 3).long().numpy(), RGB, 3, 255, "multilabel"
    )
    fit.fit(prepare(at("bf16-mixed", data=data, trainer={"epochs": 1})), tmp_path)
    assert kinds == {(what, torch.float32) for what in ("outputs", "loss", "scored")}

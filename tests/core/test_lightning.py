"""Recipes under a `lightning.Trainer` of the user's own."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
import yaml
from engine_support import recipe
from lightning.pytorch.loggers import CSVLogger
from tuning_support import FROZEN

from iterate_core.engine import fit
from iterate_core.engine.evaluator import Evaluator
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import RequestError
from iterate_core.lightning import datamodule_of, module_of
from iterate_core.recipe import Recipe

# Lightning's own: of PyTorch's deprecations, and advice to a user about workers and batch norm.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore::lightning.pytorch.utilities.warnings.PossibleUserWarning"),
]

# The ranks that are left after the second of two epochs depend on what the first was like.
ADALORA = {
    "model": {"backbone": {"name": "test_vit", "weights": "none"}},
    "tuning": {"name": "adalora", "target_rank": 1, "init_share": 0.4, "beta1": 0.99},
    "optimiser": {"name": "adamw", "lr": 0.05},
}
PAGE = Path(__file__).parents[2] / "docs/engine.md"


@pytest.fixture(autouse=True)
def _cached_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def plain_trainer(folder: Path, epochs: int = 2, **options: Any) -> lightning.Trainer:
    """Of the user's own, which writes its logs into a folder."""
    return lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=CSVLogger(folder, name="", version=""),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def logged(folder: Path, name: str) -> list[float]:
    """What was logged under a name, epoch by epoch."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


def assert_same_losses(chosen: Recipe, folder: Path, **options: Any) -> None:
    """Losses of each epoch and of the test split are those of our own loop."""
    module, data = module_of(chosen), datamodule_of(chosen)
    trainer = plain_trainer(folder / "theirs", chosen.trainer.epochs, **options)
    trainer.fit(module, data)
    (tested,) = trainer.test(module, data, verbose=False)
    ours = Trainer(prepare(chosen))
    epochs = [ours.epoch(number + 1)[0] for number in range(chosen.trainer.epochs)]
    for loss in ("train/loss", "val/loss"):
        wanted = [epoch[loss] for epoch in epochs]
        assert logged(folder / "theirs", loss) == pytest.approx(wanted, abs=1e-5), loss
    with ours.setup.undisturbed("evaluation"):
        last = Evaluator(ours.setup).scores("test")
    assert tested["test/loss"] == pytest.approx(last["loss"], abs=1e-5)


@pytest.mark.parametrize("kind", ["classification", "segmentation"])
@pytest.mark.parametrize("changes", [{}, {"tuning": FROZEN}], ids=["full", "frozen"])
def test_two_epochs_give_the_losses_of_our_own_loop(
    kind: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    assert_same_losses(recipe(kind, trainer={"epochs": 2}, **changes), tmp_path)


@pytest.mark.parametrize("name", ["gradual", "layerwise", "lora", "adalora", "visual_prompt"])
def test_ways_to_fine_tune_give_the_losses_of_our_own_loop(name: str, tmp_path: Path) -> None:
    model = {"backbone": {"name": "test_vit", "weights": "none"}}
    assert_same_losses(recipe(model=model, tuning={"name": name}), tmp_path)


def test_what_is_random_in_a_step_is_the_same_too(tmp_path: Path) -> None:
    decoder = {"name": "mlp", "dropout": 0.5}
    # 25 samples by 8: one is left out of each epoch, which batch normalisation cannot take alone.
    data = {"samples": [25, 12, 12]}
    chosen = recipe(model={"decoder": decoder}, data=data, trainer={"epochs": 2})
    before = torch.get_rng_state()
    module_of(chosen)
    datamodule_of(chosen).train_dataloader()
    assert torch.equal(torch.get_rng_state(), before)
    assert_same_losses(chosen, tmp_path)


def test_a_schedule_hears_of_every_epoch_and_clipping_is_the_trainers(tmp_path: Path) -> None:
    chosen = recipe(
        scheduler={"name": "plateau", "patience": 0, "warmup_epochs": 0},
        optimiser={"name": "sgd", "lr": 0.3},
        trainer={"epochs": 4, "gradient_clip": 0.1},
    )
    assert_same_losses(chosen, tmp_path, gradient_clip_val=0.1)
    rates = [report.metrics["lr"] for report in fit.epochs(prepare(chosen), tmp_path / "again")]
    assert len(set(rates)) > 1


@pytest.mark.parametrize("changes", [{}, ADALORA], ids=["full", "adalora"])
def test_a_trainer_continues_from_its_own_checkpoint(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    plateau = {"name": "plateau", "patience": 0}
    chosen = recipe(trainer={"epochs": 2}, scheduler=plateau, **changes)
    first = plain_trainer(tmp_path / "first", 1)
    first.fit(module_of(chosen), datamodule_of(chosen))
    first.save_checkpoint(tmp_path / "one.ckpt")
    second = plain_trainer(tmp_path / "second")
    second.fit(module_of(chosen), datamodule_of(chosen), ckpt_path=tmp_path / "one.ckpt")
    *_, last = fit.epochs(prepare(chosen), tmp_path / "ours")
    for split in ("train", "val"):
        (found,) = logged(tmp_path / "second", f"{split}/loss")
        assert found == pytest.approx(last.metrics[f"{split}/loss"], abs=1e-5)


def test_a_trainer_may_validate_before_and_test_twice_after(tmp_path: Path) -> None:
    chosen = recipe("classification", trainer={"epochs": 1})
    module, data = module_of(chosen), datamodule_of(chosen)
    trainer = plain_trainer(tmp_path / "logs", 1)
    trainer.validate(module, data, verbose=False)  # the first to ask for the backbone
    trainer.fit(module, data)
    first, second = (trainer.test(module, data, verbose=False) for _ in range(2))
    assert first == second


def test_a_trainer_clips_in_mixed_precision(tmp_path: Path) -> None:
    chosen = recipe("classification", trainer={"epochs": 1})
    options: Any = {"precision": "bf16-mixed", "gradient_clip_val": 1.0}
    trainer = plain_trainer(tmp_path / "logs", 1, **options)
    trainer.fit(module_of(chosen), datamodule_of(chosen))
    assert len(logged(tmp_path / "logs", "train/loss")) == 1


@pytest.mark.parametrize("decoder", ["knn", "logistic"])
def test_a_decoder_that_is_fitted_is_refused(decoder: str) -> None:
    chosen = recipe(model={"decoder": {"name": decoder}}, tuning=FROZEN)
    for made in (module_of, datamodule_of):
        with pytest.raises(RequestError, match=f"'{decoder}' is fitted.*iterate fit"):
            made(chosen)


def test_the_example_of_the_guide_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = recipe(trainer={"epochs": 1})
    Path("recipe.yaml").write_text(yaml.safe_dump(chosen.to_mapping()))
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "lightning.Trainer" in block]
    exec(example, {})
    assert "test/accuracy" in capsys.readouterr().out

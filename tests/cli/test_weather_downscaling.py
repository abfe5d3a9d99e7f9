"""Fields of the weather from an .npz file to a finer grid, by commands alone."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from door_support import commands
from typer.testing import CliRunner

from iterate.cli.main import app
from iterate.resources import shipped
from iterate_core.engine import run as training
from iterate_core.models.backbones.prithviwxc import card

needed = pytest.mark.skipif(
    importlib.util.find_spec(card.LIBRARY) is None, reason="needs prithviwxc"
)
CHOSEN = (
    str(shipped("search_spaces") / "downscaling.yaml"),
    "~space",
    "data=geobench_v1",
    "data.image_size=8",
    "data.batch_size=4",
    "model.backbone.name=prithvi_wxc_600",
    "model.backbone.weights=none",
    "+model.backbone.missing=zero",
    "+model.backbone.depth=2",
    "+model.backbone.unit=[8,8]",
    "+model.backbone.degrees=[0.5,0.625]",
    "model/decoder=linear",
    "augmentation=none",
    "tuning=frozen",
    "trainer.epochs=2",
    "trainer.threads=1",
)


class Killed(BaseException):
    """What ends a process between two epochs."""


def run(*words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, done.output
    return done


def fields(folder: Path) -> Path:
    """Smooth fields on a fine grid, converted to means over squares and the fields themselves."""
    generator = np.random.default_rng(0)
    noise = torch.tensor(generator.normal(size=(20, 3, 5, 5)), dtype=torch.float32)
    smooth = torch.nn.functional.interpolate(noise, (16, 16), mode="bicubic").numpy()
    means = np.array([285.0, 3.0, 1e5], np.float32)[:, None, None]
    np.savez(folder / "fields.npz", images=smooth * means / 100 + means)
    words = ("--bands", "T2M,U10M,PS", "--coarsen", "2", "--split", "0.6,0.2,0.2")
    run("data", "convert", str(folder / "fields.npz"), str(folder / "weather"), *words)
    return folder / "weather"


@needed
def test_a_stopped_training_goes_on_to_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    words = [*CHOSEN, f"data.root={fields(tmp_path)}"]
    plan = run("plan", *words).output
    assert "T2M ← T2M" in plan
    assert "and so with" in plan
    whole, cut = (["--out", str(tmp_path / name), "--json"] for name in ("whole", "cut"))
    undisturbed = json.loads(run("fit", *words, *whole).stdout)
    save = training.save_progress

    def save_and_stop(*given: Any) -> None:
        save(*given)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_progress", save_and_stop)
        with pytest.raises(Killed):
            CliRunner().invoke(app, ["fit", *words, *cut])
    resumed = json.loads(run("fit", *words, *cut).stdout)
    assert len(resumed["epochs"]) == 2
    for key in ("epochs", "best", "best_epoch"):
        assert resumed[key] == undisturbed[key]


@pytest.mark.skipif(
    importlib.util.find_spec(card.LIBRARY) is not None, reason="prithviwxc is installed"
)
def test_without_the_library_commands_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = commands(monkeypatch, capsys)
    for words in (["backbones", "check", "prithvi_wxc_600"], ["plan", *CHOSEN, "data.root=x"]):
        said = command(*words)
        assert said.code == 2
        assert "needs prithviwxc, which is not installed here" in said.line
        assert "pip install 'geo-iterate[wxc]'" in said.line

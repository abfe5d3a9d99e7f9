"""Options that would do nothing are refused by every command that reads a recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from door_support import Command, commands

RECIPE = {
    "defaults": ["recipe", {"override model/backbone": "timm"}, "_self_"],
    "name": "idle",
    "model": {"backbone": {"name": "test_resnet", "weights": "none"}},
    "tracking": {"enabled": False},
}
ONE_DATE = {"name": "generated", "kind": "classification", "samples": [12, 6, 6], "size": 16}
PIXELS = {
    "name": "npz",
    "root": "pixels.npz",
    "task": "classification",
    "images": ["series"],
    "axes": ["dates", "bands"],
    "band_names": ["B04", "B08"],
    "target": "label",
    "classes": ["low", "high"],
}


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """In a folder with the arrays above."""
    series = np.random.default_rng(0).random((30, 3, 2), dtype=np.float32)
    np.savez(tmp_path / "pixels.npz", series=series, label=np.arange(30) % 2)
    monkeypatch.chdir(tmp_path)
    return commands(monkeypatch, capsys)


@pytest.mark.parametrize("name", ["plan", "hpo", "fit"])
@pytest.mark.parametrize(
    ("data", "word", "expected"),
    [
        (
            ONE_DATE,
            "model.frames=concat",
            "model.frames: 'concat' says how several dates meet, and the samples here are of one "
            "date. Leave it out.",
        ),
        (
            PIXELS,
            "data.tile=8",
            "data.tile: the samples of pixels are single pixels, which make no tile. Leave it out.",
        ),
    ],
)
def test_it_is_refused(
    command: Command, name: str, data: dict[str, object], word: str, expected: str
) -> None:
    Path("idle.yaml").write_text(yaml.safe_dump(RECIPE | {"data": data}))
    said = command(name, "idle.yaml", word)
    assert (said.code, said.out) == (2, "")
    assert expected in said.line
    assert not Path("runs").exists()


def test_a_search_over_it_is_refused_and_the_default_is_not(command: Command) -> None:
    Path("idle.yaml").write_text(yaml.safe_dump(RECIPE | {"data": ONE_DATE}))
    searched = command("plan", "idle.yaml", "model.frames=choice(mean,max)")
    assert searched.code == 2
    assert "model.frames: 'max' says how several dates meet" in searched.line
    assert command("plan", "idle.yaml", "model.frames=mean").code == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("trainer.features=float16",), "trainer.features is float16, but the backbone trains"),
        (("trainer.micro_batch=64",), "trainer.micro_batch is 64, and a batch is of 32"),
        (
            ("trainer.features=float16", "tuning=frozen", "augmentation=spectral"),
            "trainer.features is float16, but no sample is augmented alike twice",
        ),
    ],
)
def test_what_is_set_to_no_effect_is_told(
    command: Command, words: tuple[str, ...], expected: str
) -> None:
    Path("idle.yaml").write_text(yaml.safe_dump(RECIPE | {"data": ONE_DATE}))
    assert expected in command("plan", "idle.yaml", *words).line
    quiet = command("plan", "idle.yaml", "tuning=frozen", "trainer.features=float16")
    assert "is float16" not in quiet.line


def test_a_plan_says_how_many_heads_train_as_one(command: Command) -> None:
    Path("idle.yaml").write_text(yaml.safe_dump(RECIPE | {"data": ONE_DATE}))
    words = ("augmentation.flip=false", "augmentation.rotate=false", "model/decoder=linear")
    for sampler, most in (("random", 16), ("tpe", 8)):
        said = command("plan", "idle.yaml", "tuning=frozen", f"search={sampler}", *words)
        assert f"at most {most} heads as one" in said.line
    assert "heads as one" not in command("plan", "idle.yaml", "tuning=full", *words).line


def test_a_value_that_no_type_takes_is_one_mistake(command: Command) -> None:
    Path("idle.yaml").write_text(yaml.safe_dump(RECIPE | {"data": ONE_DATE}))
    said = command("plan", "idle.yaml", "trainer.micro_batch=0")
    assert said.code == 2
    expected = "trainer.micro_batch: input should be greater than 0, or 'auto', but got 0."
    assert said.line.rstrip().endswith(expected)

"""An interrupted training of every way to fine-tune goes on in another process, bit by bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from engine_support import recipe

from iterate_core.engine import fit
from iterate_core.engine.resolved import prepare
from iterate_core.recipe import Recipe

FIRST_EPOCHS = """
import sys
from pathlib import Path
import yaml
from iterate_core.engine import fit
from iterate_core.engine.resolved import prepare
from iterate_core.recipe import Recipe
for folder in map(Path, sys.argv[1:]):
    chosen = Recipe.parse(yaml.safe_load((folder / "recipe.yaml").read_text()))
    next(fit.epochs(prepare(chosen), folder))
"""
WAYS: list[dict[str, Any]] = [
    {"name": "layerwise"},
    {"name": "gradual", "share": 0.3},
    {"name": "bitfit"},
    {"name": "visual_prompt", "deep": False, "dropout": 0.1},
    {"name": "lora", "dropout": 0.1},
    {"name": "adalora", "dropout": 0.1, "interval": 0.2},
    {"name": "vera", "dropout": 0.1},
]


def chosen(tuning: dict[str, Any]) -> Recipe:
    model = {"backbone": {"name": "test_vit", "weights": "none"}}
    return recipe(model=model, tuning=tuning, trainer={"threads": 1})


def test_the_rest_elsewhere_gives_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    folders = [tmp_path / way["name"] for way in WAYS]
    for way, folder in zip(WAYS, folders, strict=True):
        folder.mkdir()
        (folder / "recipe.yaml").write_text(yaml.safe_dump(chosen(way).to_mapping()))
    subprocess.run([sys.executable, "-c", FIRST_EPOCHS, *map(str, folders)], check=True)
    for way, folder in zip(WAYS, folders, strict=True):
        prepared = prepare(chosen(way))
        rest = list(fit.epochs(prepared, folder, replay=True))
        whole = list(fit.epochs(prepared, tmp_path / f"{way['name']}-whole"))
        assert [one.metrics for one in rest] == [one.metrics for one in whole], way
        best = [path / "best.safetensors" for path in (folder, tmp_path / f"{way['name']}-whole")]
        assert best[0].read_bytes() == best[1].read_bytes(), way

"""A metric that a split does not define is null for machines and a dash for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from door_support import commands

RECIPE = """
defaults: [recipe, override data: geobench_v1, override model/backbone: timm, _self_]
data: {root: small, batch_size: 8}
model: {backbone: {name: test_resnet, weights: none}}
trainer: {epochs: 1}
"""


def strict(text: str) -> Any:
    """JSON as other languages read it too."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_similarity_of_maps_smaller_than_a_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Structural similarity is of windows of 11 × 11 cells; the maps here have 8 × 8."""
    monkeypatch.chdir(tmp_path)
    iterate = commands(monkeypatch, capsys)
    Path("down.yaml").write_text(RECIPE)
    images = np.random.default_rng(0).random((24, 2, 8, 8), dtype=np.float32)
    np.savez("fine.npz", images=images)
    words = ("--coarsen", "2", "--bands", "red,nir", "--split", "0.5,0.25,0.25")
    assert iterate("data", "convert", "fine.npz", "small", *words).code == 0
    fitted = iterate("fit", "down.yaml", "--out", "fit", "--json")
    assert fitted.code == 0
    (epoch,) = strict(fitted.out)["epochs"]
    assert epoch["val/ssim"] is None
    assert epoch["val/rmse"] > 0
    tested = iterate("test", "down.yaml", "--out", "fit", "--json")
    assert tested.code == 0
    told = strict(tested.out)
    assert [name for name, value in told.items() if value is None] == [
        "test/ssim",
        "test/baseline_ssim",
    ]
    assert "test/ssim –" in tested.line
    assert "note this split does not define test/ssim, test/baseline_ssim" in tested.line

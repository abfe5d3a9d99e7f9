"""Backbones as a dimension of a search, and backbones of one's own, through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from door_support import commands
from engine_support import recipe

from iterate.resources import shipped
from iterate_core.data.convert.convert import convert
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.registry import registries
from iterate_core.registry.user_code import own_entry

Find = Callable[[str], Path]
TEMPLATE = Path(__file__).parents[4] / "docs/examples/own_backbone.py"

SEARCH = """
defaults:
  - recipe
  - override data: geobench_v1
  - override model/backbone: resnet18
  - override model/decoder: fpn
  - override search: grid
  - _self_
name: families
data: {batch_size: 8, share: 0.2}
model: {backbone: {weights: none}, decoder: {channels: 32, segmentation_channels: 32}}
trainer: {epochs: 1}
space:
  model/backbone:
    resnet18:
      model.backbone.drop_path: choice(0.1)
    prithvi_tiny:
      model.backbone.missing: choice(nearest)
      model.backbone.depth: choice(1, 2)
    terramind_tiny:
      model.backbone.missing: choice(zero)
      model.backbone.depth: choice(1)
search: {trials: 8, repeats: 1}
tracking: {enabled: false}
"""


def test_three_families_compete_on_real_data(
    shared_data: Find,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    convert(shared_data("segmentation/cloudshadow_64.npz"), tmp_path / "clouds")
    (tmp_path / "families.yaml").write_text(SEARCH)
    monkeypatch.chdir(tmp_path)
    words = ["hpo", "families.yaml", "data.root=clouds", "--out", "run", "--json"]
    said = commands(monkeypatch, capsys)(*words)
    assert said.code == 0, said.err
    (study,) = json.loads(said.out)["studies"]
    assert study["trials"] == {"complete": 4, "pruned": 0, "failed": 0}
    trials = sorted((tmp_path / "run/trials").iterdir())
    recipes = [yaml.safe_load((trial / "recipe.yaml").read_text()) for trial in trials]
    names = sorted(found["model"]["backbone"]["name"] for found in recipes)
    assert names == [
        "prithvi_eo_v2_tiny_tl", "prithvi_eo_v2_tiny_tl", "resnet18", "terramind_v1_tiny",
    ]  # fmt: skip
    routes = [json.loads((trial / "channels.json").read_text()) for trial in trials]
    prithvi = next(found for found in routes if found["modalities"] == [["HLS", 6]])
    assert prithvi["notes"] == ["'NIR_NARROW' (nir_narrow) takes the nearest band, 'nir'"]
    terramind = next(found for found in routes if found["modalities"] == [["S2L2A", 12]])
    assert sum(channel["band"] is None for channel in terramind["channels"]) == 6


def test_a_backbone_of_ones_own_by_the_path_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(TEMPLATE.read_text())
    run = commands(monkeypatch, capsys)
    small = ["trainer.epochs=1", "data.samples=[24,12,12]", "data.size=32"]
    mine = "model.backbone={name: 'mine.py:Pyramid', width: 8, weights: none}"
    base = str(shipped("search_spaces") / "recipe.yaml")
    said = run("fit", base, mine, *small, "--out", "run")
    assert said.code == 0, said.err
    said = run("test", base, mine, *small, "--out", "run", "--json")
    assert said.code == 0, said.err
    assert 0 <= json.loads(said.out)["test/accuracy"] <= 1


def test_published_weights_that_there_are_not_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(TEMPLATE.read_text())
    with pytest.raises(RequestError, match=r"no weights of 'mine\.py:Pyramid' are published"):
        preflight(
            prepare(recipe(model={"backbone": {"name": "mine.py:Pyramid", "weights": "hub"}}))
        )


def test_its_code_is_part_of_a_runs_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = TEMPLATE.read_text()
    backbone = {"name": "mine.py:Pyramid", "weights": "none"}
    Path("mine.py").write_text(text)
    before = prepare(recipe(model={"backbone": backbone})).identity
    assert prepare(recipe(model={"backbone": backbone})).identity == before
    Path("mine.py").write_text(text.replace("ReLU", "GELU"))
    assert prepare(recipe(model={"backbone": backbone})).identity != before


def test_a_wrong_path_is_told_with_what_would_be_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(TEMPLATE.read_text())
    for name, said in (
        ("mine.py:Pyramind", "Did you mean 'Pyramid'"),
        ("absent.py:Pyramid", "FileNotFoundError"),
        ("no_such_package.models:Net", "No module named 'no_such_package'"),
    ):
        with pytest.raises(RequestError, match=said):
            own_entry(registries.backbones, name, "model.backbone.name")


DECORATED = '''
from torch import nn
import iterate
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.shapes import Pooled


@iterate.register_backbone("means")
class Means(Backbone):
    """The mean of each band."""

    def __init__(self, options, inputs):
        super().__init__(Pooled(len(inputs.bands)), multiple=1)
        self.scale = nn.Parameter(__import__("torch").ones(len(inputs.bands)))

    def forward(self, images, context=None):
        return images.mean((-2, -1)) * self.scale
'''
SCRIPT = """
import json, sys
import decorated
from iterate import load_study, search
from iterate.tracking.settings import TrackingSettings
words = ["trainer.epochs=1", "data.samples=[24,12,12]", "data.size=16", "search.trials=1",
         "search.repeats=0", "model.backbone={name: means, weights: none}"]
result = search(load_study(sys.argv[1], words), "run", tracking=TrackingSettings(enabled=False))
print(json.dumps(result.summary))
"""


def test_a_decorated_backbone_reaches_the_workers(tmp_path: Path) -> None:
    (tmp_path / "decorated.py").write_text(DECORATED)
    (tmp_path / "script.py").write_text(SCRIPT)
    quickstart = shipped("search_spaces") / "quickstart.yaml"
    done = subprocess.run(
        [sys.executable, "script.py", str(quickstart)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (study,) = json.loads(done.stdout)["studies"]
    assert (study["backbone"], study["trials"]["complete"]) == ("means", 1)

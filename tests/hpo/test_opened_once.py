"""A command opens each dataset once, and a warm worker once for all that it trains on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from iterate.api import load_study
from iterate.cli.main import app
from iterate.hpo.execute import train
from iterate.hpo.jobs import Job
from iterate_core.engine import resolved

READER = """
from pathlib import Path
import numpy as np
from iterate_core.data.dataset import SPLITS, Band, DatasetInfo, Sample
from iterate_core.data.options import DataSection

class Reader:
    options = DataSection

    def __init__(self, section):
        self._note("opened")
        sizes = {split: 4 for split in SPLITS}
        band = Band("red", "red", 0.66, "uint8")
        self.info = DatasetInfo("counted", "classification", ("a", "b"), (band,), sizes, 16, 16)

    def _note(self, what):
        with Path("opened.txt").open("a") as file:
            file.write(what + "\\n")

    def names(self, split):
        return [f"{split}-{index}" for index in range(4)]

    def read(self, name, bands):
        index = int(name[-1])
        return Sample(name, np.full((1, 16, 16), index, np.uint8), index % 2)

    def fingerprint(self):
        self._note("fingerprinted")
        return "0123456789abcdef"
"""
RECIPE = """
data: {name: "counted.py:Reader", batch_size: 4}
model: {backbone: {name: test_resnet, weights: none}}
trainer: {epochs: 1, accelerator: cpu}
"""
SEARCH = """
name: counted
search: {trials: 2, repeats: 0}
space: {optimiser.lr: "interval(0.001, 0.1)", model/decoder: "choice(linear, mlp)"}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resolved, "_opened", {})
    defaults = "defaults: [recipe, _self_]\n"
    (tmp_path / "counted.py").write_text(READER)
    (tmp_path / "one.yaml").write_text(defaults + RECIPE)
    (tmp_path / "asked.yaml").write_text(defaults + RECIPE + SEARCH)
    return tmp_path


def done(folder: Path) -> list[str]:
    """What has been done since the last time."""
    file = folder / "opened.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return sorted(lines)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["plan", "asked.yaml", "--json"], ["opened"]),
        (["fit", "one.yaml", "--out", "run"], ["fingerprinted", "opened"]),
    ],
)
def test_a_command_opens_a_dataset_once(
    words: list[str], expected: list[str], folder: Path
) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert done(folder) == expected


def test_a_search_and_its_workers_open_a_dataset_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = load_study(folder / "asked.yaml")
    assert done(folder) == ["fingerprinted", "opened"]
    monkeypatch.setattr(resolved, "_opened", {})  # as in another process
    for number, rate in enumerate((0.01, 0.1)):
        recipe = study.trial_recipe({"optimiser.lr": rate, "model/decoder": "linear"}, number)
        place = folder / f"trials/{number}"
        place.mkdir(parents=True)
        job = Job("counted", "trial", number, recipe.to_mapping(), place, folder)
        assert [progress.failure for progress in train(job) if progress.done] == [None]
    assert done(folder) == ["fingerprinted", "opened"]

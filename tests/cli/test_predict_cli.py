"""``iterate predict``: from a run's folder and files to maps, however it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from door_support import Command, commands
from engine_support import recipe
from predicting_support import untrained
from rasterio import Affine

import iterate

BANDS = ("blue", "green", "red", "nir")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return commands(monkeypatch, capsys)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two repeats, of which the second scored more."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    small = recipe("segmentation", model={"decoder": {"name": "linear"}})
    for seed in range(2):
        untrained(small, folder / f"repeats/000{seed}-0", seed)
    return folder


def geotiff(path: Path, height: int = 80, width: int = 100) -> Path:
    rng = np.random.default_rng(0)
    pixels = rng.integers(500, 3000, (4, height, width)).astype(np.uint16)
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 4, "dtype": "uint16"}
    place = {"crs": "EPSG:32632", "transform": Affine(10, 0, 500_000, 0, -10, 5_000_000)}
    with rasterio.open(path, "w", **profile, **place) as file:
        file.write(pixels)
        file.descriptions = BANDS
    return path


def test_a_runs_best_repeat_predicts_and_a_broken_file_costs_no_other(
    run_folder: Path, tmp_path: Path, command: Command
) -> None:
    good, bad = geotiff(tmp_path / "good.tif"), tmp_path / "bad.tif"
    bad.write_bytes(b"no image")
    out = tmp_path / "out"
    words = ("predict", str(run_folder), str(bad), str(good), "--out", str(out), "--unit", "dn")
    said = command(*words, "--json")
    assert said.code == 1
    assert "1 of 2 files could not be predicted" in said.line
    assert f"{bad}: cannot be read" in said.line
    told = json.loads(said.out)
    assert told["models"] == [str(run_folder / "repeats/0001-0")]
    failed, done = told["files"]
    assert failed["failure"].startswith(f"{bad}: cannot be read")
    assert (done["file"], done["failure"], done["kept"]) == (str(good), None, False)
    assert done["windows"] == done["predicted"] > 1
    assert done["outputs"][0] == str(out / "good_classes.tif")
    with rasterio.open(done["outputs"][0]) as file:
        assert file.shape == (80, 100)
    bad.unlink()
    geotiff(bad)
    again = json.loads(command(*words, "--json").out)
    assert [file["kept"] for file in again["files"]] == [False, True]


def test_options_reach_what_they_are_for(
    run_folder: Path, tmp_path: Path, command: Command
) -> None:
    scene, out = geotiff(tmp_path / "scene.tif"), tmp_path / "out"

    def told(*words: str, model: Path = run_folder) -> dict[str, Any]:
        base = ("predict", str(model), str(scene), "--out", str(out), "--unit", "dn", "--json")
        said = command(*base, *words)
        assert said.code == 0, said.err
        found: dict[str, Any] = json.loads(said.out)
        return found

    first = told()
    assert first["files"][0]["windows"] == 3 * 4  # windows of 32 pixels every 24
    assert told("--overlap", "16")["files"][0]["windows"] == 4 * 6
    assert told("--window", "64")["files"][0]["windows"] == 2 * 3
    assert not told("--window", "64", "--overwrite")["files"][0]["kept"]
    spread = told("--ensemble", "--outputs", "classes,spread")
    assert len(spread["models"]) == 2
    names = [Path(path).name for path in spread["files"][0]["outputs"]]
    assert names == ["scene_classes.tif", "scene_classes.tif.aux.xml", "scene_spread.tif"]
    before = (out / "scene_spread.tif").read_bytes()
    told("--ensemble", "--outputs", "spread", "--flips")
    assert (out / "scene_spread.tif").read_bytes() != before
    one = told(model=run_folder / "repeats/0000-0")
    assert one["models"] == [str(run_folder / "repeats/0000-0")]
    single = told(
        "--precision", "bf16-mixed", "--accelerator", "cpu", "--batch", "2", "--jobs", "1"
    )
    assert single["device"] == "cpu"
    assert not single["files"][0]["kept"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--outputs", "quantity"), "Legal here: classes, probabilities, entropy."),
        (("--outputs", "spread"), "take --ensemble"),
        (("--nodata", "much"), "--nodata: is 'much', which is no number."),
        (("--format", "csv"), "--format: is for objects"),
        (("--overlap", "40"), "--overlap: is 40, and windows are 32 pixels wide."),
    ],
)
def test_mistakes_are_told_before_anything_is_written(
    run_folder: Path, tmp_path: Path, command: Command, words: tuple[str, ...], told: str
) -> None:
    scene, out = geotiff(tmp_path / "scene.tif"), tmp_path / "out"
    said = command("predict", str(run_folder), str(scene), "--out", str(out), *words)
    assert said.code == 2
    assert told in said.line
    assert not out.exists()


def test_one_model_is_no_ensemble(run_folder: Path, tmp_path: Path, command: Command) -> None:
    single = str(run_folder / "repeats/0000-0")
    said = command("predict", single, "scene.tif", "--out", str(tmp_path), "--ensemble")
    assert said.code == 2
    assert "takes the repeats of a run's best point" in said.line


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_stopped_midway_the_same_command_ends_with_the_same_bytes(
    run_folder: Path, tmp_path: Path, number: int, code: int
) -> None:
    scene, out = geotiff(tmp_path / "scene.tif", 400, 600), tmp_path / "out"
    words = ["predict", str(run_folder), str(scene), "--out", str(out), "--unit", "dn"]
    words += ["--batch", "2", "--outputs", "classes,probabilities"]
    process = subprocess.Popen(
        [sys.executable, "-m", "iterate", *words],
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    state = out / ".predict/scene.work/state.json"
    while not state.exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(number)
    _, told = process.communicate()
    assert process.returncode == code, told.decode()
    assert 0 < json.loads(state.read_text())["rows"] < 17
    assert not list(out.glob("*.tif"))
    options = iterate.PredictOptions(batch=2, outputs=("classes", "probabilities"))
    units = iterate.SceneOptions(unit="dn")
    for folder in (out, tmp_path / "whole"):
        found = iterate.predict(run_folder, [scene], folder, options=options, scenes=units)
        assert not found.failed
    for name in ("scene_classes.tif", "scene_probabilities.tif"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()

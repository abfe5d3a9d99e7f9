"""``iterate predict``: from a run's folder and files to maps, however it is stopped."""

from __future__ import annotations

import json
import os
import shutil
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
from objects_support import detecting
from predicting_support import untrained
from rasterio import Affine

import iterate
from iterate_core.errors import RequestError

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
    assert told("--overlap", "16", "--overwrite")["files"][0]["windows"] == 4 * 6
    assert told("--window", "64", "--overwrite")["files"][0]["windows"] == 2 * 3
    assert told("--window", "64")["files"][0]["kept"]
    assert not told("--window", "64", "--overwrite")["files"][0]["kept"]
    spread = told("--ensemble", "--outputs", "classes,spread", "--overwrite")
    assert len(spread["models"]) == 2
    names = [Path(path).name for path in spread["files"][0]["outputs"]]
    assert names == ["scene_classes.tif", "scene_classes.tif.aux.xml", "scene_spread.tif"]
    before = (out / "scene_spread.tif").read_bytes()
    told("--ensemble", "--outputs", "spread", "--flips", "--overwrite")
    assert (out / "scene_spread.tif").read_bytes() != before
    one = told("--overwrite", model=run_folder / "repeats/0000-0")
    assert one["models"] == [str(run_folder / "repeats/0000-0")]
    single = told(
        *("--precision", "bf16-mixed", "--accelerator", "cpu", "--batch", "2", "--jobs", "1"),
        "--overwrite",
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
        (("--outputs", ","), "--outputs: is ',', which names nothing. Leave it out."),
        (("--dates", "2020-07-11"), "--dates: says when a scene was taken, which this model is"),
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


def test_a_file_that_is_read_is_never_replaced(
    run_folder: Path, tmp_path: Path, command: Command
) -> None:
    scene, other = geotiff(tmp_path / "s.tif"), geotiff(tmp_path / "s_classes.tif")
    before = other.read_bytes()
    for more in ((), ("--overwrite",)):
        said = command("predict", str(run_folder), str(tmp_path), "--out", str(tmp_path), *more)
        assert said.code == 2
        assert f"{other}: is read here, and what is predicted of {scene} would" in said.line
        assert other.read_bytes() == before


def test_a_table_of_scenes_is_not_replaced_by_that_of_their_predictions(
    tmp_path: Path, command: Command
) -> None:
    folder = untrained(recipe("classification"), tmp_path / "model")
    geotiff(tmp_path / "s.tif", 32, 32)
    table = tmp_path / "predictions.csv"
    table.write_text("scene,file,unit\none,s.tif,dn\n")
    words = ("predict", str(folder), "--scenes", str(table), "--out", str(tmp_path), "--overwrite")
    said = command(*words)
    assert said.code == 2
    assert f"{table}: is read here" in said.line
    assert table.read_text().startswith("scene,file")


def test_scenes_of_which_another_unit_is_said_are_asked_for_otherwise(
    run_folder: Path, tmp_path: Path, command: Command
) -> None:
    scene, out = geotiff(tmp_path / "s.tif"), tmp_path / "out"
    words = ("predict", str(run_folder), str(scene), "--out", str(out))
    assert command(*words, "--unit", "dn").code == 0
    said = command(*words, "--unit", "reflectance")
    assert said.code == 2
    assert "s_classes.tif: is of another model, or was asked for with other options." in said.line


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_missing_pixels_may_be_no_number(
    run_folder: Path, tmp_path: Path, command: Command, value: str
) -> None:
    path, out = tmp_path / "s.tif", tmp_path / "out"
    with rasterio.open(geotiff(path)) as file:
        pixels, profile = file.read().astype(np.float32), file.profile
    pixels[:, :10] = float(value)
    with rasterio.open(path, "w", **profile | {"dtype": "float32"}) as file:
        file.write(pixels)
        file.descriptions = BANDS
    words = ("predict", str(run_folder), str(path), "--out", str(out), "--unit", "dn")
    for _ in range(2):
        said = command(*words, "--nodata", value)
        assert said.code == 0, said.err
    with rasterio.open(out / "s_classes.tif") as file:
        assert ((file.read(1) == 255) == (np.arange(80) < 10)[:, None]).all()


@pytest.mark.parametrize("name", ["file.txt", "file.txt/maps"])
def test_a_folder_that_can_be_none_is_a_wrong_request(
    run_folder: Path, tmp_path: Path, command: Command, name: str
) -> None:
    (tmp_path / "file.txt").write_text("")
    out = str(tmp_path / name)
    said = command("predict", str(run_folder), str(geotiff(tmp_path / "s.tif")), "--out", out)
    assert said.code == 2
    assert f"--out: {out}: the output folder cannot be written" in said.line


def test_the_model_is_told_and_what_is_missing_of_an_ensemble(
    run_folder: Path, tmp_path: Path, command: Command
) -> None:
    folder = shutil.copytree(run_folder, tmp_path / "run")
    gone = folder / "repeats/0001-0/best.safetensors"
    gone.unlink()
    words = ("predict", str(folder), str(geotiff(tmp_path / "s.tif")), "--out", str(tmp_path / "o"))
    said = command(*words, "--ensemble")
    assert said.code == 2
    assert f"{gone}: is missing, and --ensemble takes all repeats" in said.line
    said = command(*words)
    assert said.code == 0
    assert f"model {folder / 'repeats/0000-0'}" in said.line
    assert f"{gone} is missing; its repeat was not considered" in said.line


def test_where_nothing_was_predicted_nothing_is_said_to_be(
    run_folder: Path, tmp_path: Path, command: Command
) -> None:
    bad = tmp_path / "bad.tif"
    bad.write_bytes(b"no image")
    said = command("predict", str(run_folder), str(bad), "--out", str(tmp_path / "out"))
    assert said.code == 1
    assert "predicted " not in said.line


def test_a_detectors_own_least_score_is_told(tmp_path: Path, command: Command) -> None:
    folder = untrained(detecting(), tmp_path / "model")
    words = ("predict", str(folder), "none.tif", "--out", str(tmp_path / "out"))
    said = command(*words, "--threshold", "0.01")
    assert said.code == 2
    assert "drops objects that score below 0.05. Take at least 0.05" in said.line


def test_a_run_is_loaded_by_its_name_and_weights_by_their_folder(
    run_folder: Path, command: Command
) -> None:
    loaded = iterate.load_model(run_folder, accelerator="cpu")
    assert loaded.description.identity
    weights = run_folder / "repeats/0000-0/best.safetensors"
    with pytest.raises(RequestError, match=f"Name the folder that it is in: {weights.parent}"):
        iterate.load_model(weights)


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

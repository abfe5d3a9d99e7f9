"""What ``iterate export`` leaves: a folder that is all that its model needs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from door_support import Command, commands
from engine_support import recipe
from report_support import summary_of
from safetensors.torch import load_file, save_file

import iterate
from iterate.cli.main import main
from iterate.publish.assembling import assembled
from iterate.publish.export import Exported, ExportRequest, export_model
from iterate.run.models import find_model
from iterate.run.stopping import Stopped
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.fit import fit
from iterate_core.engine.resolved import prepare
from iterate_core.errors import DataError, MachineError, Problem, RequestError
from iterate_core.faults import readable
from iterate_core.inference.export import graph
from iterate_core.inference.predictor import load_model

FILES = {
    *("README.md", "SHA256SUMS", "config.json", "metrics.json", "model.json", "recipe.yaml"),
    *("model.safetensors", "model.onnx", "model.pt2", "model.int8.onnx"),
}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return commands(monkeypatch, capsys)


def images_of(folder: Path, count: int = 3) -> torch.Tensor:
    return graph.inputs_of(load_model(folder, accelerator="cpu"), count)["images"]


def test_a_runs_best_repeat_becomes_a_whole_folder(exported_run: Path, exported: Exported) -> None:
    best = find_model(exported_run).folder
    assert exported.source == best
    assert best.parent.name == "repeats"
    assert {path.name for path in exported.folder.iterdir()} == FILES
    assert not exported.failures
    assert not exported.left_out
    images = images_of(best)
    before, after = load_model(best), load_model(exported.folder)
    assert torch.allclose(after.predict(images), before.predict(images), atol=1e-6)
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=exported.folder, check=False)
    assert done.returncode == 0


def test_it_predicts_elsewhere_without_data_or_weights(
    exported: Exported, exported_run: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(exported.folder, tmp_path / "copy")
    images = images_of(exported.folder)
    np.save(tmp_path / "images.npy", images.numpy())
    code = (
        "import iterate, numpy as np, torch;"
        "model = iterate.load_model('copy');"
        "images = torch.from_numpy(np.load('images.npy'));"
        "np.save('predicted.npy', model.predict(images).numpy())"
    )
    empty = {"ITERATE_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env=os.environ | empty)
    wanted = load_model(find_model(exported_run).folder).predict(images).numpy()
    assert np.allclose(np.load(tmp_path / "predicted.npy"), wanted, atol=1e-6)
    assert copy.is_dir()


def test_scores_are_the_runs_with_both_intervals(exported_run: Path, exported: Exported) -> None:
    told = json.loads((exported.folder / "metrics.json").read_text())
    study = summary_of(exported_run)["studies"][0]
    tested = json.loads((exported.source / "test.json").read_text())
    assert told["test"]["accuracy"] == tested["test/accuracy"]
    assert told["test_over_repeats"] == study["test"]
    over_samples = told["test_over_samples"]["accuracy"]
    assert over_samples["low"] <= study["test"]["accuracy"]["mean"] <= over_samples["high"]
    assert told["repeats"] == 2
    assert told["graphs"]["model.onnx"]["difference"] <= 1e-4
    assert told["merged"]["difference"] <= 1e-5
    kinds = told["reduced"]["int8"]
    assert kinds["calibrated"]
    assert kinds["full"]["accuracy"] == pytest.approx(tested["test/accuracy"])
    assert set(kinds["reduced"]) == set(kinds["full"])


def test_the_card_is_one_that_the_hub_reads(exported: Exported) -> None:
    from huggingface_hub import ModelCard

    text = (exported.folder / "README.md").read_text()
    card = ModelCard(text).data
    tested = json.loads((exported.folder / "metrics.json").read_text())["test_over_repeats"]
    assert card.library_name == "geo-iterate"
    assert card.pipeline_tag == "image-classification"
    assert card.eval_results is not None
    found = {one.metric_type: one.metric_value for one in card.eval_results}
    assert found["accuracy"] == tested["accuracy"]["mean"]
    for band in load_model(exported.folder).description.bands:
        assert f"| {band.name} |" in text
    for heading in (
        "Use",
        "Bands and units",
        "Classes",
        "Training",
        "Scores",
        "Licences",
        "Limits",
    ):
        assert f"## {heading}" in text
    assert "| the training data | CC0-1.0 |" in text
    config = json.loads((exported.folder / "config.json").read_text())
    assert config["num_channels"] == 4
    assert len(config["id2label"]) == len(config["label2id"])


@pytest.mark.slow
def test_the_cards_snippet_runs(exported: Exported, tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed")
    pixels = images_of(exported.folder, 1)[0].numpy()
    form = {"driver": "GTiff", "count": 4, "height": 32, "width": 32, "dtype": "float32"}
    with rasterio.open(
        tmp_path / "chip.tif", "w", transform=rasterio.Affine(10, 0, 0, 0, -10, 0), **form
    ) as file:
        file.write(pixels)
    shutil.copytree(exported.folder, tmp_path / "FOLDER")
    card = (exported.folder / "README.md").read_text()
    snippet = card.split("```python\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "torch.Size([1, " in done.stdout
    assert len(snippet.strip().splitlines()) <= 11


def test_no_path_of_this_machine_is_in_it(tmp_path: Path) -> None:
    """Of the weights' file, which is then gone, nothing but its name is kept."""
    weights = tmp_path / "secret-place" / "vit.safetensors"
    weights.parent.mkdir()
    scratch = {"backbone": {"name": "test_vit", "weights": "none"}}
    bands = {"bands": ["blue", "green", "red"]}
    start = prepare(recipe("classification", model=scratch, data=bands, seed=5))
    held = shared_backbone(start).model.state_dict()
    save_file({name: value.contiguous() for name, value in held.items()}, weights)
    model = {"backbone": {"name": "test_vit", "weights": str(weights)}}
    tuned = recipe("classification", model=model, data=bands, tuning={"name": "lora"})
    source = tmp_path / "fit"
    fit(prepare(tuned), source)
    images = images_of(source)
    before = load_model(source).predict(images)
    to = tmp_path / "out"
    export_model(ExportRequest(source, to, onnx=False, torch_export=False))
    weights.unlink()
    assert torch.allclose(load_model(to).predict(images), before, atol=1e-5)
    for path in to.iterdir():
        assert b"secret-place" not in path.read_bytes()
    told = yaml.safe_load((to / "recipe.yaml").read_text())
    assert told["model"]["backbone"]["weights"] == "vit.safetensors"
    assert told["tuning"]["name"] == "lora"


def test_graphs_can_be_left_out(exported_run: Path, tmp_path: Path) -> None:
    to = tmp_path / "plain"
    done = iterate.export(exported_run, to, onnx=False, torch_export=False, licence="MIT")
    assert {path.name for path in to.iterdir()} == {
        name for name in FILES if not name.endswith((".onnx", ".pt2"))
    }
    assert "graphs" not in done.metrics
    assert "license: mit" in (to / "README.md").read_text()


def test_half_the_bytes_with_what_they_lose(exported_run: Path, tmp_path: Path) -> None:
    done = iterate.export(
        exported_run, tmp_path / "half", fp16=True, torch_export=False, onnx=False
    )
    weights = load_file(done.folder / "model.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float16, torch.int64}
    losses = done.metrics["reduced"]["fp16"]
    assert losses["reduced"]["loss"] == pytest.approx(losses["full"]["loss"], rel=1e-2)
    assert losses["reduced"]["loss"] != losses["full"]["loss"]
    images = images_of(done.source)
    full, half = (load_model(path).predict(images) for path in (done.source, done.folder))
    assert torch.allclose(full, half, atol=1e-2)


def test_an_exported_model_is_exported_again_with_its_scores(
    exported: Exported, tmp_path: Path, command: Command
) -> None:
    said = command(
        *("export", str(exported.folder), "--to", str(tmp_path / "again"), "--fp16"),
        *("--no-onnx", "--no-torch-export", "--json"),
    )
    assert said.code == 0
    told = json.loads(said.out)["metrics"]
    assert told["test_over_repeats"] == exported.metrics["test_over_repeats"]
    assert "does not know where its training data are" in told["reduced"]["fp16"]["unmeasured"]
    assert "what fp16 loses could not be measured" in said.line


def test_a_folder_that_is_there_stays(
    exported_run: Path, exported: Exported, tmp_path: Path, command: Command
) -> None:
    plain = ("--no-onnx", "--no-torch-export")
    to = shutil.copytree(exported.folder, tmp_path / "model")
    said = command("export", str(exported_run), "--to", str(to), *plain)
    assert said.code == 2
    assert "holds an exported model already. Say --overwrite" in said.line
    assert (to / "model.onnx").is_file()
    said = command("export", str(exported_run), "--to", str(to), "--overwrite", *plain)
    assert said.code == 0
    assert not (to / "model.onnx").exists()
    load_model(to)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    said = command("export", str(exported_run), "--to", str(tmp_path / "mine"), "--overwrite")
    assert said.code == 2
    assert "is no exported model: it stays as it is" in said.line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "model"]


def test_what_fails_leaves_no_half_folder(
    exported_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "the disk is gone")

    monkeypatch.setattr("iterate.publish.export.write_card", broken)
    with pytest.raises(MachineError, match="input/output error"):
        iterate.export(exported_run, tmp_path / "model", onnx=False, torch_export=False)
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_cannot_be_made_leaves_the_rest(
    exported_run: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    words = ("export", str(exported_run), "--no-torch-export", "--to")
    said = command(*words, str(tmp_path / "one"))
    assert said.code == 0
    assert "there is no model.onnx: ONNX takes onnxscript, which is not installed" in said.line
    said = command(*words, str(tmp_path / "two"), "--onnx")
    assert said.code == 1
    assert "pip install 'geo-iterate[export]'" in said.line
    load_model(tmp_path / "two")


def refused() -> dict[str, tuple[tuple[str, ...], str]]:
    return {
        "no model": (("nowhere", "--to", "x"), "nowhere: there is no such folder"),
        "public alone": (("nowhere", "--to", "x", "--public"), "--public: is of --push"),
        "tracking alone": (("m", "--to", "x", "--tracking", "u"), "--tracking: is where --mlflow"),
        "int8 of nothing": (("m", "--to", "x", "--int8", "--no-onnx"), "--int8: is made of"),
        "no repository": (("m", "--to", "x", "--push", "name"), "Name it as OWNER/NAME"),
    }


@pytest.mark.parametrize("case", refused())
def test_requests_that_cannot_be(case: str, command: Command) -> None:
    words, told = refused()[case]
    said = command("export", *words)
    assert said.code == 2
    assert told in said.line


def test_objects_are_exported_with_the_graph_that_takes_any_number(tmp_path: Path) -> None:
    from objects_support import detecting

    source, to = tmp_path / "fit", tmp_path / "model"
    fit(prepare(detecting()), source)
    done = iterate.export(source, to, fp16=True, int8=True)
    assert set(done.left_out) == {"model.pt2"}
    assert "detector's graph" in done.failures["model.int8.onnx"]
    assert (to / "model.onnx").is_file()
    assert not (to / "model.int8.onnx").exists()
    assert "any number of objects" in done.left_out["model.pt2"]
    assert done.metrics["graphs"]["model.onnx"]["difference"] < 1e-4
    assert "map" in done.metrics["reduced"]["fp16"]["full"]
    assert "object-detection" in (to / "README.md").read_text()
    images = images_of(source)
    full, half = (load_model(path).predict(images) for path in (source, to))
    assert [set(one) for one in full] == [set(one) for one in half]


def test_a_study_among_several_is_named(exported_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "bench"
    shutil.copytree(exported_run, run / "small")
    (run / "small/summary.json").rename(run / "summary.json")
    with pytest.raises(RequestError, match="several studies"):
        iterate.export(run, tmp_path / "model")
    done = iterate.export(run / "small", tmp_path / "model", onnx=False, torch_export=False)
    assert done.metrics["test_over_repeats"] == summary_of(run)["studies"][0]["test"]


def all_bytes(folder: Path) -> dict[str, bytes]:
    """Every exported file's, and those of the files within an archive."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    with zipfile.ZipFile(folder / "model.pt2") as archive:
        inner = {f"model.pt2/{name}": archive.read(name) for name in archive.namelist()}
    return found | inner


def test_graphs_do_not_say_where_they_were_made(
    exported: Exported, exported_run: Path, tmp_path: Path
) -> None:
    half = iterate.export(exported_run, tmp_path / "half", fp16=True).folder
    places = (
        *(Path(sys.prefix), Path(torch.__file__).parent, Path(iterate.__file__).parents[1]),
        *(Path.home(), exported_run.parent, tmp_path, Path(tempfile.gettempdir())),
    )
    told = [f"{place}/".encode() for place in places if place != Path("/")]
    for folder in (exported.folder, half):
        for name, content in all_bytes(folder).items():
            assert not [place for place in told if place in content], name
            assert not name.startswith("model.pt2/") or b"stack_trace" not in content


def test_where_the_data_were_is_said_in_the_terminal_alone(
    exported_run: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: object) -> None:
        raise DataError(Problem("/secret-place/chips", "is not a folder.", "Set data.root."))

    monkeypatch.setattr("iterate_core.engine.resolved.prepare", gone)
    to = tmp_path / "out"
    plain = ("--fp16", "--no-onnx", "--no-torch-export")
    said = command("export", str(exported_run), "--to", str(to), *plain)
    assert said.code == 0
    assert "secret-place" in said.line
    told = json.loads((to / "metrics.json").read_text())["reduced"]["fp16"]
    assert told == {"unmeasured": "the training data were not at hand"}
    assert "measured: the training data were not at hand." in (to / "README.md").read_text()
    for path in to.iterdir():
        assert b"secret-place" not in path.read_bytes()


@pytest.mark.slow
def test_halves_and_integers_together(exported_run: Path, tmp_path: Path) -> None:
    """The integers are made of the full numbers, whatever is kept in halves."""
    both = iterate.export(exported_run, tmp_path / "both", fp16=True, int8=True)
    alone = iterate.export(exported_run, tmp_path / "alone", int8=True, torch_export=False)
    assert not both.failures
    name = "model.int8.onnx"
    assert (both.folder / name).read_bytes() == (alone.folder / name).read_bytes()
    assert both.metrics["graphs"]["model.onnx"]["difference"] < 1e-5


def test_a_search_that_is_not_finished_is_told(
    exported_run: Path, tmp_path: Path, command: Command
) -> None:
    run, to = shutil.copytree(exported_run, tmp_path / "run"), tmp_path / "out"
    (run / "summary.json").unlink()
    shutil.rmtree(run / "repeats")
    plain = ("--no-onnx", "--no-torch-export", "--to")
    said = command("export", str(run), *plain, str(to))
    assert said.code == 0
    assert "the search is not finished: this is the best of its trainings so far" in said.line
    assert "The search was not finished when" in (to / "README.md").read_text()
    trial = find_model(run).folder
    said = command("export", str(trial), *plain, str(tmp_path / "trial"))
    assert "not finished" not in said.line
    said = command("export", str(exported_run), *plain, str(tmp_path / "whole"))
    assert "not finished" not in said.line


def test_a_place_that_cannot_be_is_refused(exported: Exported, command: Command) -> None:
    said = command("export", str(exported.folder), "--to", "/proc/nothing", "--no-onnx")
    assert said.code == 2
    assert "--to: /proc/nothing cannot be made" in said.line


def test_what_killed_exports_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".model.abcd_123.part"
    others = [tmp_path / name for name in (".other.abcd_123.part", ".model.mine.part")]
    for folder in (left, *others):
        folder.mkdir()
        (folder / "model.json").touch()
    with assembled(tmp_path / "model") as one:
        assert not left.exists()
        (one / "a").touch()
        with assembled(tmp_path / "model"):
            assert one.is_dir()  # of a living export
    assert all(folder.is_dir() for folder in others)
    assert (tmp_path / "model/a").is_file()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_stopped_export_says_that_it_starts_anew(
    exported_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise Stopped(2)

    monkeypatch.setattr("iterate.publish.export.write_card", stopped)
    monkeypatch.setattr(
        sys, "argv", ["iterate", "export", str(exported_run), "--to", str(tmp_path / "model")]
    )
    monkeypatch.setattr("iterate.cli.main.leave", sys.exit)
    said: list[str] = []
    monkeypatch.setattr("iterate.cli.main.say", said.append)
    with pytest.raises(SystemExit, match="130"):
        main()
    assert "Nothing was exported: the same command starts anew." in said[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_says_what_the_file_takes(
    exported_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    weights = load_file(iterate.export(exported_run, tmp_path / "a").folder / "model.safetensors")
    needed = readable(sum(value.nbytes for value in weights.values()))
    for name in ("iterate_core.inference.export.merged.save_file", "torch.export.save"):
        with monkeypatch.context() as patch:
            patch.setattr(name, full)
            with pytest.raises(MachineError, match=rf"about {re.escape(needed)} needed"):
                iterate.export(exported_run, tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]

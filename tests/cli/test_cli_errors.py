"""A user's mistakes: one clear message each, exit code 2, no traceback, and no Ray."""

from __future__ import annotations

import json
import os
import pickle
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
import yaml

from iterate.cli.main import main
from iterate_core.data.generated.reader import GeneratedData, generate

BASE = {
    "defaults": [
        "recipe",
        {"override data": "geobench_v1"},
        {"override model/backbone": "timm"},
        {"override model/decoder": "linear"},
        "_self_",
    ],
    "name": "mistaken",
    "model": {"backbone": {"name": "resnet10t", "weights": "none"}},
    "space": {"optimiser.lr": "interval(0.001, 0.01)"},
    "tracking": {"enabled": False},
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A small dataset in GeoBench format that a test may damage."""
    folder = tmp_path / "small"
    generate(GeneratedData(kind="classification", samples=(12, 6, 6), size=16), folder)
    return folder


Run = Callable[..., str]


@pytest.fixture
def refused(
    tmp_path: Path,
    dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a command that must be refused; its message, in one line."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, command: str = "hpo", file: str | None = None) -> str:
        search = tmp_path / "search.yaml"
        content = BASE | {"data": {"root": str(dataset)}}
        search.write_text(file or yaml.safe_dump(content), encoding="utf-8")
        monkeypatch.setattr(sys, "argv", ["iterate", command, str(search), *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "Traceback" not in captured.err
        assert not list(tmp_path.rglob("studies.db"))
        assert "ray" not in sys.modules or not sys.modules["ray"].is_initialized()
        return re.sub(r"\s+", " ", captured.err)

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["optimiser.lrr=1"], ["optimiser.lrr", "unknown key", "'lr'"]),
        (["trainer.epochs=many"], ["trainer.epochs", "integer", "'many'"]),
        (["optimiser.lr=interval(3,1)"], ["optimiser.lr", "3", "1"]),
        (["model.backbone.name=resnet81"], ["model.backbone.name", "resnet81", "resnet"]),
        (["model/decoder=linaer"], ["model/decoder", "linaer", "linear"]),
        (["model/decoder=unet"], ["model.decoder.name", "unet", "classification", "linear"]),
        (["data.bands=[B02,B99]"], ["data.bands", "B99"]),
        (["data.root=nowhere"], ["nowhere"]),
        (["data=geobench_v9"], ["geobench_v9", "geobench_v1"]),
        (["objective.metric=miou"], ["objective.metric", "miou", "accuracy"]),
        (["resources.cpu=4096"], ["resources.cpu", "4096"]),
        (["resources.gpu=99"], ["resources.gpu", "99", "this machine has"]),
        (["trainer.accelerator=gpu", "resources.gpu=0"], ["trainer.accelerator", "gpu is 0"]),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_would_be_right(
    refused: Run, words: list[str], expected: list[str]
) -> None:
    message = refused(*words)
    assert [part for part in expected if part not in message] == []


def test_several_mistakes_are_shown_together(refused: Run) -> None:
    message = refused("trainer.epochs=many", "optimiser.lrr=1", "trainer.patiense=3")
    assert "trainer.epochs" in message
    assert "optimiser.lrr" in message
    assert "'patience'" in message


def test_the_same_mistakes_are_found_by_plan(refused: Run) -> None:
    assert "B99" in refused("data.bands=[B99]", command="plan")


@pytest.mark.parametrize(
    "words", [["resources.gpu=99"], ["trainer.accelerator=gpu", "resources.gpu=0"]]
)
def test_plan_refuses_the_gpus_that_hpo_refuses(refused: Run, words: list[str]) -> None:
    assert refused(*words, command="plan") == refused(*words, command="hpo")


def test_a_truncated_sample(refused: Run, dataset: Path) -> None:
    sample = sorted(dataset.glob("*.hdf5"))[0]
    sample.write_bytes(sample.read_bytes()[:1000])
    message = refused()
    assert sample.name in message


class Forbidden:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


def test_a_pickle_with_a_forbidden_class(refused: Run, dataset: Path, tmp_path: Path) -> None:
    for sample in dataset.glob("*.hdf5"):
        with h5py.File(sample, "r+") as file:
            file.attrs["pickle"] = str(pickle.dumps({"label": Forbidden()}, protocol=4))
    message = refused()
    assert "system" in message
    assert ".hdf5" in message
    assert not (tmp_path / "executed").exists()


def test_an_output_folder_that_cannot_be_written(refused: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = refused("--out", str(tmp_path / "file/below"))
    assert "file/below" in message
    assert "--out" in message


def test_a_file_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["iterate", "hpo", str(tmp_path / "absent.yaml")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "absent.yaml" in capsys.readouterr().err


def test_broken_yaml(refused: Run) -> None:
    assert "search.yaml" in refused(file="data: [1, 2\nname: x")


def test_a_port_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mlflow.db").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        monkeypatch.setattr(sys, "argv", ["iterate", "ui", str(tmp_path), "--port", port])
        with pytest.raises(SystemExit) as stopped:
            main()
    assert stopped.value.code == 2
    assert port in capsys.readouterr().err


def test_a_bad_option_is_a_wrong_request() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "iterate", "hpo", "search.yaml", "--nonsense"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--nonsense" in done.stderr


def test_plan_prints_json(
    tmp_path: Path,
    dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    search = tmp_path / "search.yaml"
    search.write_text(yaml.safe_dump(BASE | {"data": {"root": str(dataset)}}), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["iterate", "plan", str(search), "--json"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["space"] == {"optimiser.lr": "interval(0.001, 0.01)"}
    assert planned["recipe"]["objective"] == {"metric": "accuracy", "mode": "max", "split": "val"}

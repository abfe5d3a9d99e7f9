"""An exported model in MLflow: its registry, its interface, its server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from door_support import Command, commands
from engine_support import recipe

from iterate.publish.export import Exported, ExportRequest, export_model
from iterate.tracking import pyfunc
from iterate.tracking.store import place
from iterate_core.engine.fit import fit
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.inference.export.arrays import example, predicted
from iterate_core.inference.predictor import load_model


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return commands(monkeypatch, capsys)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What MLflow leaves in the current folder by itself, and nothing of ours may be lost in."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'registry.db'}"


def loaded(uri: str, store: str) -> Any:
    import mlflow

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    try:
        return mlflow.pyfunc.load_model(uri)
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])


def test_a_registered_model_gives_the_same_numbers(
    exported_run: Path, tmp_path: Path, store: str, command: Command
) -> None:
    to = tmp_path / "model"
    words = ("export", str(exported_run), "--to", str(to), "--no-onnx", "--no-torch-export")
    said = command(*words, "--mlflow", "trees", "--tracking", store, "--json")
    assert said.code == 0
    assert "mlflow models serve -m models:/trees/1 --env-manager local" in said.line
    told = json.loads(said.out)["mlflow"]
    assert (told["name"], told["version"]) == ("trees", 1)
    model, here = loaded("models:/trees/1", store), load_model(to)
    given = example(here, 3)
    assert np.array_equal(model.predict(given), predicted(here, given))
    signature = model.metadata.signature
    (images,) = signature.inputs.inputs
    assert (images.name, images.shape) == ("images", (-1, 4, 32, 32))
    assert signature.outputs.inputs[0].shape == (-1, 8)
    assert model.metadata.saved_input_example_info is not None
    said = command(*words, "--overwrite", "--mlflow", "trees", "--tracking", store)
    assert "registered trees, version 2" in said.line


def test_without_a_store_the_runs_own_is_taken_and_else_one_must_be_named(
    exported: Exported, tmp_path: Path, command: Command
) -> None:
    words = ("--to", str(tmp_path / "model"), "--mlflow", "trees", "--no-onnx")
    said = command("export", str(exported.folder), *words)
    assert said.code == 2
    assert "no tracking store of this model's run is here. Name one: --tracking URI" in said.line
    assert not (tmp_path / "model").exists()


def test_a_name_that_mlflow_refuses_is_told(exported: Exported, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"--mlflow: MLflow refuses"):
        pyfunc.register(exported.folder, "a/b:c", place(None, tmp_path))


def test_dates_places_and_quantities(tmp_path: Path) -> None:
    source, to = tmp_path / "fit", tmp_path / "model"
    fit(prepare(recipe("regression", trainer={"epochs": 1})), source)
    export_model(ExportRequest(source, to, onnx=False, torch_export=False))
    pyfunc.save(to, tmp_path / "saved")
    import mlflow

    model, here = mlflow.pyfunc.load_model(str(tmp_path / "saved")), load_model(to)
    given = example(here, 2)
    assert set(given) == {"images", "dates", "places"}
    assert np.array_equal(model.predict(given), predicted(here, given))
    with pytest.raises(RequestError, match=r"takes images \(n, 4, 32, 32\), but got \(2, 3, 32"):
        predicted(here, {"images": given["images"][:, :3]})
    with pytest.raises(RequestError, match=r"but got \['image'\]\."):
        predicted(here, {"image": given["images"]})


def test_objects_are_lists_of_plain_numbers(tmp_path: Path) -> None:
    from objects_support import detecting

    source, to = tmp_path / "fit", tmp_path / "model"
    fit(prepare(detecting()), source)
    export_model(ExportRequest(source, to))
    pyfunc.save(to, tmp_path / "saved")
    import mlflow

    found = mlflow.pyfunc.load_model(str(tmp_path / "saved")).predict(example(load_model(to), 2))
    assert len(found) == 2
    assert json.loads(json.dumps(found)) == found
    assert set(found[0]) == {"boxes", "labels", "scores"}


@pytest.mark.slow
def test_mlflow_models_serve_answers_with_the_same_numbers(
    exported: Exported, tmp_path: Path, store: str
) -> None:
    made = pyfunc.register(exported.folder, "trees", place(store, tmp_path))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("models", "serve", "-m", made.uri, "--env-manager", "local", "-p", str(port))
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words, "-h", "127.0.0.1"],
            env=os.environ | {"MLFLOW_TRACKING_URI": store, "MLFLOW_REGISTRY_URI": store},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            assert server.poll() is None, (tmp_path / "server.log").read_text()
            try:
                if requests.get(f"{address}/ping", timeout=5).ok:
                    break
            except requests.ConnectionError:
                time.sleep(0.5)
        here = load_model(exported.folder)
        for count in (1, 3):
            given = example(here, count)
            asked = {"inputs": {name: one.tolist() for name, one in given.items()}}
            answer = requests.post(f"{address}/invocations", json=asked, timeout=60)
            assert answer.ok, answer.text
            found = np.array(answer.json()["predictions"], dtype=np.float32)
            assert np.allclose(found, predicted(here, given), atol=1e-6)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


@pytest.mark.parametrize(
    ("name", "where", "code", "told"),
    [
        ("a/b:c", None, 2, "--mlflow: MLflow refuses"),
        ("trees", "http://127.0.0.1:9", 1, "MLflow at http://127.0.0.1:9 does not answer"),
    ],
)
def test_a_registry_is_asked_before_the_work(
    name: str,
    where: str | None,
    code: int,
    told: str,
    exported: Exported,
    tmp_path: Path,
    store: str,
    command: Command,
) -> None:
    words = ("--to", str(tmp_path / "model"), "--mlflow", name, "--tracking", where or store)
    said = command("export", str(exported.folder), *words)
    assert said.code == code
    assert told in said.line
    assert not (tmp_path / "model").exists()


def test_images_of_another_form_are_the_callers_mistake(exported: Exported) -> None:
    from mlflow.exceptions import MlflowException

    served = pyfunc._load_pyfunc(str(exported.folder))
    with pytest.raises(MlflowException, match=r"takes images \(n, 4, 32, 32\), but got") as found:
        served.predict(np.zeros((2, 8, 32, 32), np.float32))
    assert found.value.get_http_status_code() == 400

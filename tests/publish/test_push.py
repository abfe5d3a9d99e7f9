"""An exported model on a hub, and from there: against a stand-in of the hub's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from door_support import Command, commands
from hub_support import StandIn, reached

import iterate
from iterate.publish.export import Exported
from iterate.publish.push import push
from iterate_core.errors import RequestError, WorkError
from iterate_core.inference.export import graph
from iterate_core.inference.predictor import load_model

NAME = "somebody/trees"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with reached(tmp_path / "hub", monkeypatch) as server:
        monkeypatch.setenv("HF_TOKEN", "hf_test")
        yield server


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return commands(monkeypatch, capsys)


def test_what_was_pushed_is_loaded_from_the_hub(
    exported: Exported, hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert push(exported.folder, NAME, public=False) == f"{hub.address}/{NAME}"
    assert hub.made == {NAME: True}
    sent = hub.files["model", NAME]
    assert sent == {path.name: path.read_bytes() for path in exported.folder.iterdir()}
    model, here = iterate.load_model(f"hf://{NAME}"), load_model(exported.folder)
    images = graph.inputs_of(here, 2)["images"]
    assert torch.equal(model.predict(images), here.predict(images))
    assert not any("model.onnx" in request for request in hub.requests)
    asked = hub.count("GET")
    iterate.load_model(f"hf://{NAME}@{hub.commit}")
    assert hub.count("GET") == asked + 1  # its list of files alone
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    again = iterate.load_model(Path(f"hf://{NAME}"))
    assert torch.equal(again.predict(images), here.predict(images))


def test_the_command_pushes_and_says_where(
    exported_run: Path, hub: StandIn, tmp_path: Path, command: Command
) -> None:
    words = ("--no-onnx", "--no-torch-export", "--push", NAME)
    said = command("export", str(exported_run), "--to", str(tmp_path / "model"), *words, "--public")
    assert said.code == 0
    assert f"pushed {hub.address}/{NAME}" in said.line
    assert hub.made == {NAME: False}


def test_a_hub_that_is_away_leaves_the_folder(
    exported_run: Path, hub: StandIn, tmp_path: Path, command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    words = ("--no-onnx", "--no-torch-export", "--push", NAME)
    said = command("export", str(exported_run), "--to", str(tmp_path / "model"), *words)
    assert said.code == 1
    assert f"{NAME} was not pushed to {hub.address} (HF_HUB_OFFLINE is set)" in said.line
    assert f"hf upload {NAME}" in said.line
    load_model(tmp_path / "model")
    with pytest.raises(RequestError, match=r"not on this machine.*HF_HUB_OFFLINE"):
        iterate.load_model(f"hf://{NAME}")


def test_who_may_not_write_is_told_to_log_in(exported: Exported, hub: StandIn) -> None:
    hub.valid = ("another",)
    with pytest.raises(WorkError, match=r"it answers 401: log in with a token that may write"):
        push(exported.folder, NAME, public=False)


def test_a_server_that_is_not_there_is_named(
    exported: Exported, hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WorkError, match=r"was not pushed to http://127\.0\.0\.1:9"):
        push(exported.folder, NAME, public=False)


def test_a_repository_of_something_else_is_refused(hub: StandIn) -> None:
    hub.add("somebody/else", {"pytorch_model.bin": b"x"})
    with pytest.raises(RequestError, match="holds no model that iterate exported: it lacks"):
        iterate.load_model("hf://somebody/else")
    with pytest.raises(RequestError, match="there is no model repository"):
        iterate.load_model("hf://somebody/nothing")
    with pytest.raises(RequestError, match="is no hf://OWNER/NAME"):
        iterate.load_model("hf://nothing")


def test_a_byte_changed_on_the_way_is_refused(exported: Exported, hub: StandIn) -> None:
    push(exported.folder, NAME, public=False)
    name = "model.safetensors"
    held = bytearray(hub.files["model", NAME][name])
    held[-1] ^= 1
    hub.add(NAME, {name: bytes(held)})
    with pytest.raises(RequestError, match=r"model\.safetensors: was changed or damaged"):
        iterate.load_model(f"hf://{NAME}")

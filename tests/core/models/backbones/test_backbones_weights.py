"""Weights that are wrong, damaged, unsafe or absent: each refused with a sentence that names it."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_support import recipe
from safetensors.torch import save_file
from typer.testing import CliRunner

from iterate.cli.main import app
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.models.backbones.prithvi.card import PRITHVI_V2_TINY_TL
from iterate_core.models.backbones.prithvi.encoder import Prithvi
from iterate_core.models.backbones.satmae.card import SATMAE_BASE
from iterate_core.models.backbones.satmae.encoder import SatMae

BANDS = ["blue", "green", "red", "nir_narrow", "swir_1", "swir_2"]


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    """One block of the smallest Prithvi, as published: with its prefix, and a decoder."""
    torch.manual_seed(3)
    encoder = Prithvi(replace(PRITHVI_V2_TINY_TL, depth=1))
    named = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    return {**named, "decoder.mask_token": torch.zeros(1, 1, 8)}


def check(path: Path | str, **options: Any) -> None:
    backbone = {"name": "prithvi_eo_v2_tiny_tl", "depth": 1, "weights": str(path), **options}
    preflight(prepare(recipe(data={"bands": BANDS}, model={"backbone": backbone})))


def refusal(path: Path | str, **options: Any) -> str:
    with pytest.raises(RequestError) as caught:
        check(path, **options)
    return str(caught.value)


def test_sound_weights_are_loaded_to_the_last_bit(
    tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save({"model": tensors}, tmp_path / "mine.pt")
    save_file(tensors, tmp_path / "mine.safetensors")
    for name in ("mine.pt", "mine.safetensors"):
        backbone = {
            "name": "prithvi_eo_v2_tiny_tl", "depth": 1, "weights": str(tmp_path / name),
        }  # fmt: skip
        given = prepare(recipe(data={"bands": BANDS}, model={"backbone": backbone}))
        loaded = shared_backbone(given).state_dict()
        for key, value in tensors.items():
            if key.startswith("encoder."):
                assert torch.equal(loaded[key], value), key


def test_another_models_weights(tmp_path: Path) -> None:
    other = SatMae(replace(SATMAE_BASE, depth=1)).state_dict()
    torch.save({"model": other}, tmp_path / "satmae.pth")
    said = refusal(tmp_path / "satmae.pth")
    assert "satmae.pth lacks weights of the model: " in said
    assert "temporal_embed_enc.scale" in said
    assert "satmae.pth holds weights that the model does not have: channel_embed" in said
    assert "patch_embed.0.proj.weight" in said


def test_a_missing_a_left_over_and_a_misshapen_weight(
    tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    wrong = dict(tensors)
    del wrong["encoder.norm.bias"]
    wrong["encoder.norm.bais"] = torch.zeros(192)
    wrong["encoder.cls_token"] = torch.zeros(1, 1, 191)
    torch.save(wrong, tmp_path / "wrong.pt")
    said = refusal(tmp_path / "wrong.pt")
    assert "lacks weights of the model: norm.bias." in said
    assert "holds weights that the model does not have: norm.bais." in said
    assert "cls_token is 1×1×191 instead of 1×1×192" in said


def test_a_truncated_file(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    for name, save in (("cut.pt", torch.save), ("cut.safetensors", save_file)):
        path = tmp_path / name
        save(tensors, path)  # type: ignore[operator]
        path.write_bytes(path.read_bytes()[:-5000])
        assert f"{name} is truncated" in refusal(path)


def test_a_changed_byte_in_a_pytorch_file(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "flipped.pt"
    torch.save(tensors, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "flipped.pt is damaged" in (said := refusal(path))
    assert "does not have the checksum it was saved with" in said


def test_a_changed_byte_against_a_stated_digest(
    tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "mine.safetensors"
    save_file(tensors, path)
    content = bytearray(path.read_bytes())
    digest = hashlib.sha256(content).hexdigest()
    check(path, sha256=digest)
    content[-1] ^= 1
    path.write_bytes(content)
    said = refusal(path, sha256=digest)
    assert f"mine.safetensors has the SHA-256 {hashlib.sha256(content).hexdigest()}" in said
    assert f"states {digest}" in said


def test_a_file_that_bears_the_published_name_has_the_published_digest(
    tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "Prithvi_EO_V2_tiny_TL.pt"
    torch.save(tensors, path)
    said = refusal(path)
    published = PRITHVI_V2_TINY_TL.file
    assert published is not None
    assert f"{published} has {published.sha256}" in said
    assert "another name" in said


class Payload:
    """Runs when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("payload-ran"),)


@pytest.mark.parametrize("wrap", [False, True], ids=["pickle", "pytorch"])
def test_a_pickled_object_is_refused_and_never_run(
    tensors: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrap: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "unsafe.pt"
    if wrap:
        torch.save({**tensors, "extra": Payload()}, path)
    else:
        path.write_bytes(pickle.dumps({**tensors, "extra": Payload()}))
    assert "unsafe.pt holds Python objects that are not tensors" in refusal(path)
    assert not (tmp_path / "payload-ran").exists()


def test_an_entry_that_is_no_tensor(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save({**tensors, "epoch": 7}, tmp_path / "state.pt")
    assert "state.pt holds entries that are not tensors: epoch" in refusal(tmp_path / "state.pt")


def test_offline_the_message_says_which_file_to_put_where(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    said = refusal("hub")
    assert "Prithvi_EO_V2_tiny_TL.pt: is not on this machine" in said
    assert "cannot be reached" in said
    assert "and put it at" in said
    assert "Its sha256 must be d47326db" in said


def test_a_model_without_published_weights_says_so() -> None:
    with pytest.raises(RequestError, match=r"weights: no weights of dofa_small are published"):
        prepare(recipe(model={"backbone": {"name": "dofa_small", "weights": "hub"}}))


def test_the_command_line_checks_a_file(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(tensors, tmp_path / "mine.pt")
    words = ["backbones", "check", "prithvi_eo_v2_tiny_tl", "--size", "32", "depth=1"]
    done = CliRunner().invoke(app, [*words, f"weights={tmp_path / 'mine.pt'}", "--json"])
    assert done.exit_code == 0, done.stderr
    assert '"stride": 16' in done.stdout

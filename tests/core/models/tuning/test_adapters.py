"""Adapters by peft: how little trains, what is shared, saved and merged, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from backbones_support import CARDS, bands_of, build, options_of
from engine_support import recipe
from safetensors import safe_open
from torch import Tensor, nn
from tuning_support import small, tuned

from iterate_core.data.bands import describe
from iterate_core.engine import fit
from iterate_core.engine.build import build_model, shared_backbone
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import RequestError
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.inputs import Inputs
from iterate_core.models.tuning.adapters.targets import purpose
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

WAYS = ["lora", "dora", "adalora", "ia3", "vera"]
SIDE = 224

BASE_SIZED = [
    "vit_base_patch16_224",  # timm's
    *("ssl4eo_s12_vitb16_sentinel2_fgmae", "scalemae_large", "panopticon_base"),  # TorchGeo's
    *("croma_base", "copernicus_fm_base"),
    *("prithvi_eo_v1_100", "clay_v1_5", "dofa_base", "satmae_base", "terramind_v1_base"),  # ours
]


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def chosen(tuning: dict[str, Any], backbone: str = "test_vit", **changes: Any) -> Recipe:
    model = {"backbone": {"name": backbone, "weights": "none"}}
    return recipe(model=model, tuning=tuning, **{"trainer": {"epochs": 1}, **changes})


def outline(name: str) -> tuple[Backbone, int]:
    """A backbone without weights, and how many channels it takes."""
    if name in CARDS:
        return build(name, options_of(name), SIDE, dense=False, meta=True), len(bands_of(name))
    entry = registries.backbones.get(name)
    options = parse(entry.load_options(), {"name": name, "weights": "none"})
    bands = describe(["red", "green", "blue"])
    made: Backbone = entry.load()(options, Inputs(bands, (SIDE, SIDE), False), True)
    return made, len(bands)


@pytest.mark.parametrize("name", BASE_SIZED)
def test_lora_trains_under_two_per_cent_of_any_transformer(name: str) -> None:
    backbone, channels = outline(name)
    before = sum(value.numel() for value in backbone.parameters())
    way = tuned("lora")
    way.prepare(backbone)
    trained = sum(value.numel() for value in backbone.parameters() if value.requires_grad)
    assert sum(value.numel() for value in backbone.parameters()) == before + trained
    assert 0 < trained < 0.02 * before
    # All of the blocks' attention and MLPs, and each of them is called.
    names = way.added(backbone)
    assert {purpose(one) for one in names} == {"attention", "mlp"}
    called: list[str] = []
    for one, module in names.items():
        module.register_forward_hook(lambda *_, one=one: called.append(one))
    with torch.no_grad():
        backbone(torch.empty(2, channels, SIDE, SIDE, device="meta"))
    assert set(called) == set(names)


def test_the_count_is_that_of_the_thin_matrices() -> None:
    backbone, _ = outline("vit_base_patch16_224")
    tuned("lora", rank=4).prepare(backbone)
    # Of 12 blocks: qkv, the projection and both layers of the MLP.
    ends = (768 + 3 * 768) + (768 + 768) + (768 + 4 * 768) + (4 * 768 + 768)
    trained = sum(value.numel() for value in backbone.parameters() if value.requires_grad)
    assert trained == 12 * 4 * ends


@pytest.mark.parametrize("name", WAYS)
def test_training_changes_saves_and_merges_what_was_added_alone(name: str, tmp_path: Path) -> None:
    tuning = {"name": name}
    of = chosen(tuning, optimiser={"name": "adamw", "lr": 0.02})
    preflight(prepare(of))
    shared = shared_backbone(prepare(of))
    before = {key: value.clone() for key, value in shared.state_dict().items()}
    trainer = Trainer(prepare(of))
    model = trainer.setup.module.model
    fresh = {key: value.clone() for key, value in trainer.setup.trained().items()}
    trainer.epoch(1)
    after = trainer.setup.trained()
    assert all(not torch.equal(fresh[key], after[key]) for key in fresh if "num_b" not in key)

    # The backbone is loaded once, whatever trials put into it, and stays as it is.
    others = build_model(prepare(chosen({"name": "lora", "rank": 2})))
    for one in (model, others):
        own = {id(value) for value in one.parameters()}
        assert own.issuperset(id(value) for value in shared.parameters())
    assert all(torch.equal(value, before[key]) for key, value in shared.state_dict().items())

    model.eval()
    assert model.backbone is not None
    images = torch.randn(3, 4, 32, 32)
    with torch.no_grad():
        features, plain = model.backbone(images), shared.eval()(images)
        merged = model.tuning.merge(model.backbone)
        torch.testing.assert_close(merged(images), features, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(model.backbone(images), features, atol=0, rtol=0)
    assert (features - plain).abs().max() > 1e-3
    assert merged.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in shared.state_dict().items())

    result = fit.fit(prepare(of), tmp_path)
    with safe_open(tmp_path / "best.safetensors", framework="pt") as file:
        names = set(file.keys())
    prefix = {"ia3": ".ia3_", "vera": ".vera_lambda_"}.get(name, ".lora_")
    assert all(key.startswith("decoder.") or prefix in key for key in names)
    assert any(prefix in key for key in names)
    whole = sum(value.nbytes for value in before.values())
    assert (tmp_path / "best.safetensors").stat().st_size < whole / 3
    tested = fit.test(prepare(of), tmp_path, "val")
    best = result.reports[-1].metrics
    assert tested == {key: value for key, value in best.items() if key.startswith("val/")}


def test_dropout_is_on_in_training_alone_and_the_backbones_own_off() -> None:
    model: Any = build_model(prepare(chosen({"name": "lora", "dropout": 0.5})))
    modes = {
        module.training for module in model.backbone.modules() if isinstance(module, nn.Dropout)
    }
    qkv = model.backbone.model.blocks[0].attn.qkv
    assert qkv.lora_dropout["default"].training
    assert not qkv.base_layer.training
    assert modes == {True, False}
    model.eval()
    assert not any(module.training for module in model.backbone.modules())


@pytest.mark.parametrize("name", WAYS)
def test_a_frozen_recipe_beside_it_sees_the_backbone_as_it_was_loaded(name: str) -> None:
    images = torch.randn(2, 4, 32, 32)

    def features() -> Tensor:
        model = build_model(prepare(chosen({"name": "frozen"}))).eval()
        encoded: Tensor = model.encode(images)
        return encoded

    before = features()
    Trainer(prepare(chosen({"name": name}))).epoch(1)
    torch.testing.assert_close(features(), before, atol=0, rtol=0)


@pytest.mark.parametrize("name", WAYS)
def test_recipes_of_one_worker_share_the_weights_that_were_loaded_once(name: str) -> None:
    loaded = {
        tensor.data_ptr()
        for tensor in shared_backbone(prepare(chosen({"name": name}))).parameters()
    }
    for lr in (1e-3, 1e-2):
        trainer = Trainer(prepare(chosen({"name": name}, optimiser={"lr": lr})))
        trainer.epoch(1)
        backbone = trainer.setup.module.model.backbone
        assert backbone is not None
        still = {value.data_ptr() for value in backbone.parameters() if not value.requires_grad}
        assert loaded <= still


@pytest.mark.parametrize("targets", ["attention", "mlp"])
def test_targets_are_found_by_what_they_are_for(targets: str) -> None:
    backbone, _ = outline("clay_v1_5")
    way = tuned("lora", targets=targets)
    way.prepare(backbone)
    last = {name.split(".", 5)[-1] for name in way.added(backbone)}
    assert last == ({"to_qkv", "to_out"} if targets == "attention" else {"net.1", "net.3"})


def test_what_a_network_reads_without_calling_is_refused_before_training() -> None:
    data = {"image_size": 64}
    model = {"backbone": {"name": "swinv2_tiny_window8_256", "weights": "none"}}
    for targets in ("all", "attention"):
        tuning = {"name": "lora", "targets": targets}
        with pytest.raises(RequestError, match=r"does not call .*attn\.qkv.* tuning\.targets"):
            preflight(prepare(recipe(model=model, tuning=tuning, data=data)))
    preflight(prepare(recipe(model=model, tuning={"name": "lora", "targets": "mlp"}, data=data)))


def test_a_convolutional_network_is_refused() -> None:
    said = r"tuning\.targets: the backbone's blocks have no linear layers.*layerwise"
    with pytest.raises(RequestError, match=said):
        preflight(prepare(chosen({"name": "lora"}, "test_resnet")))
    with pytest.raises(RequestError, match=r"names no blocks, whose linear layers"):
        small("lora")


def test_without_peft_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(
        RequestError, match=r"'lora' needs the library peft.*geo-iterate\[adapters\]"
    ):
        prepare(chosen({"name": "lora"}))
    prepare(chosen({"name": "layerwise"}))


def test_peft_is_imported_where_it_is_needed_alone() -> None:
    # (torchmetrics takes a look at transformers by itself.)
    code = (
        "import sys, iterate, iterate_core.engine.fit, iterate_core.models.tuning.adapters.methods;"
        "print([name for name in ('peft', 'accelerate') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

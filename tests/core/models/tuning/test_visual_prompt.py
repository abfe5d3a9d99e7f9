"""Further tokens in a plain vision transformer: what they do, what trains, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from engine_support import recipe
from safetensors import safe_open
from torch import Tensor
from tuning_support import small

from iterate_core.engine import fit
from iterate_core.engine.build import build_model, shared_backbone
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import RequestError
from iterate_core.recipe import Recipe

COUNT = 3


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def chosen(backbone: str = "test_vit", kind: str = "classification", **options: Any) -> Recipe:
    model = {"backbone": {"name": backbone, "weights": "none"}}
    tuning = {"name": "visual_prompt", "prompts": COUNT, **options}
    return recipe(kind, model=model, tuning=tuning, trainer={"epochs": 1})


def by_hand(plain: Any, tokens: Tensor, prompts: list[Tensor]) -> Tensor:
    """Jia et al.: the class token, the prompts, then the patches, through a model's own blocks."""
    for number, block in enumerate(plain.blocks):
        if number < len(prompts):
            behind = tokens if not number else torch.cat([tokens[:, :1], tokens[:, 1 + COUNT :]], 1)
            new = prompts[number].expand(len(tokens), -1, -1)
            tokens = torch.cat([behind[:, :1], new, behind[:, 1:]], dim=1)
        tokens = block(tokens)
    return torch.cat([tokens[:, :1], tokens[:, 1 + COUNT :]], dim=1)


@pytest.mark.parametrize("deep", [True, False])
def test_features_are_those_of_the_paper(deep: bool) -> None:
    prepared = prepare(chosen(deep=deep))
    model: Any = build_model(prepared).eval()
    plain: Any = shared_backbone(prepared).eval().model
    prompts = [value for name, value in model.backbone.named_parameters() if "tokens" in name]
    prompts = [value for value in prompts if value.requires_grad]
    assert len(prompts) == (len(plain.blocks) if deep else 1)
    assert {tuple(value.shape) for value in prompts} == {(1, COUNT, plain.embed_dim)}
    images = torch.randn(2, 4, 32, 32)
    with torch.no_grad():
        entering = plain.norm_pre(plain._pos_embed(plain.patch_embed(images)))
        wanted = plain.forward_head(plain.norm(by_hand(plain, entering, prompts)))
        found, bare = model.backbone(images), plain(images)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    assert (found - bare).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["classification", "segmentation"])
@pytest.mark.parametrize("deep", [True, False])
def test_prompts_change_and_are_saved_alone(deep: bool, kind: str, tmp_path: Path) -> None:
    of = chosen(kind=kind, deep=deep)
    preflight(prepare(of))
    shared = shared_backbone(prepare(of))
    before = {key: value.clone() for key, value in shared.state_dict().items()}
    trainer = Trainer(prepare(of))
    model = trainer.setup.module.model
    own = {id(value) for value in model.parameters()}
    assert own.issuperset(id(value) for value in shared.parameters())
    fresh = {key: value.clone() for key, value in trainer.setup.trained().items()}
    trainer.epoch(1)
    after = trainer.setup.trained()
    prompts = [key for key in fresh if key.endswith(".prompts.tokens")]
    assert all(not torch.equal(fresh[key], after[key]) for key in prompts)
    assert all(torch.equal(value, before[key]) for key, value in shared.state_dict().items())
    assert model.backbone is not None
    assert model.tuning.merge(model.backbone) is model.backbone

    result = fit.fit(prepare(of), tmp_path)
    with safe_open(tmp_path / "best.safetensors", framework="pt") as file:
        names = [key for key in file.keys() if not key.startswith("decoder.")]  # noqa: SIM118
    assert sorted(names) == sorted(prompts)
    tested = fit.test(prepare(of), tmp_path, "val")
    best = result.reports[-1].metrics
    assert tested == {key: value for key, value in best.items() if key.startswith("val/")}


def test_other_networks_are_refused() -> None:
    with pytest.raises(RequestError, match=r"names no blocks, before which prompts"):
        small("visual_prompt")
    swin = chosen("swin_tiny_patch4_window7_224")
    for of in (chosen("test_resnet"), Recipe.parse({**swin.to_mapping(), "seed": 1})):
        with pytest.raises(RequestError, match=r"plain vision transformer.*blocks of another"):
            preflight(prepare(of))

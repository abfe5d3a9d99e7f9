"""What of a backbone trains: which parameters and modules, what is saved, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from engine_support import recipe
from safetensors import safe_open
from torch import Tensor, nn
from tuning_support import Small, small, tuned

from iterate.api import register_tuning
from iterate_core.engine import fit
from iterate_core.engine.build import build_model
from iterate_core.engine.cost import epoch_flops
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import RequestError
from iterate_core.models.assembly import Model
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.base import Tuning
from iterate_core.models.tuning.options import TuningOptions
from iterate_core.optimisation.optimisers import parameter_groups
from iterate_core.optimisation.options import SgdOptions
from iterate_core.recipe import Recipe

# Of each network the last block, what follows it, and what is before it.
LAST = {
    "test_vit": (("model.blocks.5.", "model.norm."), "model.blocks.4", 6),
    "test_resnet": (("model.layer4.",), "model.layer3", 4),
}


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def with_last(name: str, k: int = 1, kind: str = "classification", **changes: Any) -> Recipe:
    backbone = {"name": name, "weights": "none"}
    tuning = {"name": "last_k", "k": k}
    return recipe(kind, model={"backbone": backbone}, tuning=tuning, **changes)


@pytest.mark.parametrize("kind", ["classification", "segmentation"])
@pytest.mark.parametrize("name", LAST)
def test_the_last_block_trains_and_gradients_end_there(name: str, kind: str) -> None:
    trained, before, _ = LAST[name]
    model = build_model(prepare(with_last(name, kind=kind)))
    backbone: Any = model.backbone
    graphs: dict[str, bool] = {}
    for block in (before, trained[0].removesuffix(".")):
        backbone.get_submodule(block).register_forward_hook(
            lambda _, __, output, block=block: graphs.update({block: output.requires_grad})
        )
    model(torch.randn(2, 4, 32, 32)).sum().backward()
    assert graphs == {before: False, trained[0].removesuffix("."): True}
    with_gradients = {key for key, value in backbone.named_parameters() if value.grad is not None}
    assert with_gradients == {
        key for key, _ in backbone.named_parameters() if key.startswith(trained)
    }
    for key, module in backbone.named_modules():
        assert module.training is f"{key}.".startswith(trained), key


def test_training_changes_and_saves_the_last_blocks_alone(tmp_path: Path) -> None:
    trainer = Trainer(prepare(with_last("test_resnet")))
    backbone = trainer.setup.module.model.backbone
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    trainer.epoch(1)
    changed = {key for key, value in backbone.state_dict().items() if (value != before[key]).any()}
    # Statistics of normalisation too, and none of those before.
    assert changed == {key for key in before if key.startswith("model.layer4.")}

    result = fit.fit(prepare(with_last("test_resnet")), tmp_path)
    with safe_open(tmp_path / "best.safetensors", framework="pt") as file:
        names = set(file.keys())
    assert {name for name in names if not name.startswith("decoder.")} == {
        f"backbone.{key}" for key in changed
    }
    best = result.reports[result.epoch - 1].metrics
    tested = fit.test(prepare(with_last("test_resnet")), tmp_path, "val")
    assert tested == {name: value for name, value in best.items() if name.startswith("val/")}


def test_an_interrupted_training_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    chosen = with_last("test_resnet")
    running = fit.epochs(prepare(chosen), tmp_path / "halves")
    first = next(running)
    running.close()
    halves = [first, *fit.epochs(prepare(chosen), tmp_path / "halves")]
    whole = fit.epochs(prepare(chosen), tmp_path / "whole")
    assert [one.metrics for one in halves] == [one.metrics for one in whole]


@pytest.mark.parametrize("name", LAST)
def test_more_blocks_than_there_are_is_refused_before_training(name: str) -> None:
    *_, count = LAST[name]
    preflight(prepare(with_last(name, k=count)))
    said = rf"tuning\.k: the backbone has {count} blocks, but got {count + 1}"
    with pytest.raises(RequestError, match=said):
        preflight(prepare(with_last(name, k=count + 1)))


def test_a_backbone_that_names_no_blocks_is_refused() -> None:
    with pytest.raises(RequestError, match=r"tuning\.name: the backbone names no blocks"):
        small("last_k", k=1)


def test_the_backward_pass_costs_what_trains_of_it() -> None:
    def flops(tuning: dict[str, Any]) -> float:
        return epoch_flops(prepare(recipe(tuning=tuning)))

    full, frozen = flops({"name": "full"}), flops({"name": "frozen"})
    # Forward over 24 and 12 samples; backward, of two forward passes, over the 24.
    assert full / frozen == pytest.approx((3 * 24 + 12) / (24 + 12))
    costs = [flops({"name": "last_k", "k": k}) for k in (1, 2, 3, 4)]
    assert [frozen, *costs, full] == sorted({frozen, *costs, full})


# A way of one's own: low-rank additions beside a linear layer, as adapters are


class AdapterOptions(TuningOptions):
    rank: int = 1


class Adapted(nn.Module):
    """A frozen linear layer and a low-rank one beside it, which adds nothing at first."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Linear(linear.in_features, rank, bias=False)
        self.up = nn.Linear(rank, linear.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, values: Tensor) -> Tensor:
        added: Tensor = self.linear(values) + self.up(self.down(values))
        return added


class Adapters(Tuning):
    options: Any = AdapterOptions

    def prepare(self, backbone: Backbone) -> Backbone:
        layers = [name for name, layer in backbone.named_modules() if isinstance(layer, nn.Linear)]
        for name in layers:
            layer: Any = backbone.get_submodule(name)
            backbone.set_submodule(name, Adapted(layer, self.options.rank))
        return super().prepare(backbone)

    def parts(self, backbone: Backbone) -> list[nn.Module]:
        adapted = [module for module in backbone.modules() if isinstance(module, Adapted)]
        return [part for module in adapted for part in (module.down, module.up)]

    def groups(self, backbone: Backbone) -> list[tuple[float, list[nn.Parameter]]]:
        return [(4.0, [value for value in backbone.parameters() if value.requires_grad])]

    def begin_epoch(self, backbone: Backbone, epoch: int, epochs: int) -> None:
        for part in self.parts(backbone):
            part.requires_grad_(epoch > 1)

    def merge(self, backbone: Backbone) -> Backbone:
        adapted = [name for name, one in backbone.named_modules() if isinstance(one, Adapted)]
        for name in adapted:
            layer: Any = backbone.get_submodule(name)
            with torch.no_grad():
                layer.linear.weight += layer.up.weight @ layer.down.weight
            backbone.set_submodule(name, layer.linear)
        return backbone


@pytest.mark.usefixtures("own_components")
def test_a_way_of_ones_own_adds_modules_and_saves_them_alone(tmp_path: Path) -> None:
    register_tuning("test_adapters")(Adapters)
    model = {"backbone": {"name": "test_vit", "weights": "none"}}
    chosen = recipe(model=model, tuning={"name": "test_adapters", "rank": 2})
    preflight(prepare(chosen))
    trainer = Trainer(prepare(chosen))
    fresh = {key: value.clone() for key, value in trainer.setup.trained().items()}
    assert all("backbone." not in key or ".down." in key or ".up." in key for key in fresh)
    trainer.epoch(1)
    after_one = {key: value.clone() for key, value in trainer.setup.trained().items()}
    trainer.epoch(2)
    after_two = trainer.setup.trained()
    raised = [key for key in fresh if ".up." in key]
    assert raised
    for key in raised:  # thawed after the first epoch
        assert torch.equal(after_one[key], fresh[key])
        assert not torch.equal(after_two[key], fresh[key])

    result = fit.fit(prepare(chosen), tmp_path)
    best = result.reports[result.epoch - 1].metrics
    tested = fit.test(prepare(chosen), tmp_path, "val")
    assert tested == {name: value for name, value in best.items() if name.startswith("val/")}
    # Neither another recipe's backbone nor the one they share was changed.
    plain = build_model(prepare(recipe(model=model, tuning={"name": "frozen"})))
    assert not any(isinstance(module, Adapted) for module in plain.modules())


def test_a_way_of_ones_own_has_rates_of_its_own_and_merges() -> None:
    backbone = Small()
    model = Model(backbone, nn.Linear(2, 2), 1, Adapters(AdapterOptions(name="test_adapters")))
    groups = parameter_groups(model, SgdOptions(name="sgd", lr=0.1, backbone_lr_scale=0.5))
    assert sorted({group["lr"] for group in groups}) == [0.1, pytest.approx(0.2)]
    with torch.no_grad():
        backbone.linear.up.weight.fill_(0.5)
    model.eval()
    images = torch.randn(5, 2)
    before = model.encode(images)
    merged = model.tuning.merge(backbone)
    assert isinstance(merged.linear, nn.Linear)
    torch.testing.assert_close(merged(images), before)


def test_full_and_frozen_are_the_ends() -> None:
    for name, trains in (("full", True), ("frozen", False)):
        backbone: Any = small(name).backbone
        assert {value.requires_grad for value in backbone.parameters()} == {trains}
        assert {module.training for module in backbone.modules()} == {trains}
        assert bool(tuned(name).state(backbone)) is trains
        assert tuned(name).merge(backbone) is backbone  # nothing was added

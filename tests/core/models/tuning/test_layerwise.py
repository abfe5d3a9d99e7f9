"""Learning rates that fall from block to block: those of the formula, name by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from engine_support import recipe
from tuning_support import small, tuned

from iterate_core.engine import fit
from iterate_core.engine.build import build_model
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import prepare
from iterate_core.errors import RequestError
from iterate_core.models.assembly import Model
from iterate_core.optimisation.optimisers import parameter_groups
from iterate_core.optimisation.options import SgdOptions
from iterate_core.recipe import Recipe

DECAY = 0.8
LR = 0.5


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def block_of_vit(name: str) -> int:
    """The block, of 6, that a parameter of timm's test_vit belongs to; 0 before them."""
    if name.startswith("norm."):
        return 6
    found = re.match(r"blocks\.(\d+)\.", name)
    return int(found[1]) + 1 if found else 0


def block_of_resnet(name: str) -> int:
    """Likewise of resnet18, which has 8."""
    found = re.match(r"layer(\d)\.(\d)\.", name)
    return 2 * (int(found[1]) - 1) + int(found[2]) + 1 if found else 0


def block_of_swin(name: str) -> int:
    """Likewise of swin_tiny, which has 2, 2, 6 and 2; a stage begins by merging patches."""
    if name.startswith(("norm.", "head.")):
        return 12
    found = re.match(r"layers\.(\d)\.(?:blocks\.(\d)\.)?", name)
    return (0, 2, 4, 10)[int(found[1])] + int(found[2] or 0) + 1 if found else 0


NETWORKS = {
    "test_vit": (block_of_vit, 6, 32),
    "resnet18": (block_of_resnet, 8, 32),
    "swin_tiny_patch4_window7_224": (block_of_swin, 12, 224),
}


def chosen_for(name: str, **changes: object) -> Recipe:
    model = {"backbone": {"name": name, "weights": "none"}}
    tuning = {"name": "layerwise", "decay": DECAY}
    return recipe(model=model, tuning=tuning, **changes)


def rates(model: Model, scale: float) -> dict[str, float]:
    """The learning rate of each parameter at the top of the schedule."""
    options = SgdOptions(name="sgd", lr=LR, backbone_lr_scale=scale)
    groups = parameter_groups(model, options)
    names = {value: name for name, value in model.named_parameters()}
    return {names[value]: group["lr"] for group in groups for value in group["params"]}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_rates_are_those_of_the_formula(name: str, scale: float) -> None:
    block_of, count, size = NETWORKS[name]
    model = build_model(prepare(chosen_for(name, data={"image_size": size})), meta=True)
    found = rates(model, scale)
    assert found.keys() == {name for name, _ in model.named_parameters()}
    before = "backbone.model."
    numbers = {key: block_of(key.removeprefix(before)) for key in found if key.startswith(before)}
    assert set(numbers.values()) == set(range(count + 1))
    for key, rate in found.items():
        share = scale * DECAY ** (count - numbers[key]) if key in numbers else 1.0
        assert rate == pytest.approx(LR * share, rel=1e-12), key


def test_all_of_it_trains_and_is_saved(tmp_path: Path) -> None:
    prepared = prepare(chosen_for("test_resnet", trainer={"epochs": 1}))
    fit.fit(prepared, tmp_path)
    fit.test(prepared, tmp_path)
    model = build_model(prepared)
    assert all(value.requires_grad for value in model.parameters())
    assert model.trained().keys() == model.state_dict().keys()


def test_no_decay_is_full_fine_tuning(tmp_path: Path) -> None:
    def metrics(folder: str, **tuning: object) -> list[dict[str, float]]:
        changed = recipe(tuning=tuning, trainer={"epochs": 2})
        return [one.metrics for one in fit.epochs(prepare(changed), tmp_path / folder)]

    assert metrics("one", name="layerwise", decay=1.0) == metrics("two", name="full")


def test_a_backbone_that_names_no_blocks_is_refused() -> None:
    with pytest.raises(RequestError, match=r"names no blocks, by which learning rates could fall"):
        small("layerwise")
    preflight(prepare(chosen_for("test_resnet")))
    assert tuned("layerwise").options.whole is False

"""AdaLoRA: whose ranks fall and when, what that goes by, and across an interruption."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import peft
import pytest
import torch
from engine_support import recipe
from peft.tuners.adalora.layer import RankAllocator
from safetensors.torch import load_file
from torch import Tensor, nn

from iterate_core.engine import fit
from iterate_core.engine.build import build_model
from iterate_core.engine.learning.gradients import GradientLearner
from iterate_core.engine.resolved import prepare
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import RequestError
from iterate_core.models.assembly import Model
from iterate_core.recipe import Recipe

EPOCHS, STEPS = 4, 12
FIRST, LAST = 3, 3  # steps before ranks fall, and after
# Of 24 samples by 8: three steps an epoch, the first before ranks fall, the last after.
FALLING = {
    "name": "adalora",
    "init_rank": 6,
    "target_rank": 2,
    "init_share": 0.26,
    "final_share": 0.26,
    "interval": 0.17,
}
BEST = "best.safetensors"


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


MODEL = {"backbone": {"name": "test_vit", "weights": "none"}}


def chosen(**changes: Any) -> Recipe:
    base: dict[str, Any] = {
        "model": MODEL,
        "tuning": FALLING,
        "scheduler": {"name": "constant", "warmup_epochs": 0},
        "optimiser": {"name": "adamw", "lr": 0.02},
        "trainer": {"epochs": EPOCHS, "threads": 1},
    }
    for section, values in changes.items():
        base[section] = base.get(section, {}) | values
    return recipe(**base)


def built(**tuning: Any) -> tuple[Model, list[tuple[str, nn.Parameter]]]:
    """A model, and what adapters have to learn."""
    model = build_model(prepare(chosen(tuning=tuning)))
    named = [pair for pair in model.named_parameters() if "lora_" in pair[0]]
    return model, named


def values_of(tensors: dict[str, Tensor]) -> Tensor:
    """All singular values, in the layers' order."""
    return torch.cat([value for name, value in tensors.items() if "lora_E" in name]).flatten()


def watched(trainer: Trainer) -> tuple[list[dict[str, tuple[Tensor, Tensor]]], list[Tensor]]:
    """Of each step, once it is taken.

    Returns:
        What the optimiser made of all that adapters learn, and the gradients it went along; and
        the singular values that are left.
    """
    before: list[dict[str, tuple[Tensor, Tensor]]] = []
    after: list[Tensor] = []
    model: Any = trainer.setup.module.model
    named = {name: value for name, value in model.named_parameters() if "lora_" in name}

    def note(*_: Any) -> None:
        found = {name: (v.detach().clone(), v.grad.clone()) for name, v in named.items()}
        before.append(found)

    took = model.step_ended

    def ended(step: int, steps: int) -> None:
        took(step, steps)
        after.append(values_of(trainer.setup.trained()).clone())

    model.step_ended = ended
    assert isinstance(trainer.learner, GradientLearner)
    trainer.learner.learning.optimiser.register_step_post_hook(note)
    return before, after


class Apart(nn.Module):
    """What adapters learn, without the network that they are in."""

    def __init__(self, values: dict[str, Tensor]) -> None:
        super().__init__()
        for name, value in values.items():
            layer, _, kind = name.removesuffix(".default").rpartition(".")
            place = layer.replace(".", "_")
            if not hasattr(self, place):
                self.add_module(place, nn.Module())
            self.get_submodule(place).add_module(kind, nn.ParameterDict({"default": value}))


def test_ranks_fall_as_the_budget_says_and_from_where_pefts_own_allocator_takes_them() -> None:
    trainer = Trainer(prepare(chosen()))
    before, after = watched(trainer)
    for epoch in range(EPOCHS):
        trainer.epoch(epoch + 1)
    assert len(before) == len(after) == STEPS

    config = peft.AdaLoraConfig(
        init_r=6, target_r=2, tinit=FIRST, tfinal=LAST, deltaT=2, total_step=STEPS
    )
    apart = Apart({name: value for name, (value, _) in before[0].items()})
    allocator = RankAllocator(apart, config, "default")
    layers = sum("lora_E" in name for name in before[0])
    left: list[int] = []
    for step, (seen, found) in enumerate(zip(before, after, strict=True), start=1):
        for own, (value, gradient) in zip(apart.parameters(), seen.values(), strict=True):
            own.data, own.grad = value.clone(), gradient
        ending = step == STEPS - LAST
        if step <= STEPS - LAST:
            _, pattern = allocator.update_and_allocate(apart, step, force_mask=ending)
        else:
            allocator.mask_using_rank_pattern(apart, pattern)
        wanted = values_of(dict(apart.named_parameters()))
        torch.testing.assert_close(found, wanted, atol=0, rtol=0)
        left.append(int((found != 0).sum()))

    # Of the paper, equation 12, at every other step; those between take new steps in all.
    falls = STEPS - FIRST - LAST
    # (At the first the decoder, which begins with zeros, tells the backbone nothing.)
    for step in range(2, STEPS + 1):
        budget = layers * (2 + 4 * (1 - (step - FIRST) / falls) ** 3)
        if step <= FIRST or (step < STEPS - LAST and step % 2):
            budget = layers * 6
        elif step >= STEPS - LAST:
            budget = layers * 2
        assert left[step - 1] == int(budget), step
    each = (after[-1].reshape(layers, 6) != 0).sum(1)
    assert len(each.unique()) > 1  # not the same number of every layer


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("shares", [(0.0, 0.99), (0.99, 0.0)])
def test_the_last_step_of_however_short_a_training_leaves_the_final_ranks(
    steps: int, shares: tuple[float, float]
) -> None:
    torch.manual_seed(0)
    first, last = shares
    model, named = built(init_share=first, final_share=last, targets="attention")
    for step in range(1, steps + 1):
        for _, value in named:
            value.data.normal_()
            value.grad = torch.randn_like(value)
        model.step_ended(step, steps)
    values = values_of(dict(named))
    # One step has no earlier ones to choose by.
    assert (values != 0).sum() == (2 * len(values) // 6 if steps > 1 else len(values))


def test_a_run_is_bit_identical_whether_it_was_cut_before_while_or_after_ranks_fall(
    tmp_path: Path,
) -> None:
    prepared = prepare(chosen())
    whole = list(fit.epochs(prepared, tmp_path / "whole"))
    for cut in (1, 2, 3):
        folder = tmp_path / str(cut)
        found = list(islice(fit.epochs(prepared, folder), cut))
        found += fit.epochs(prepared, folder)
        assert [replace(one, seconds=0.0) for one in found] == [
            replace(one, seconds=0.0) for one in whole
        ], cut
        assert (folder / BEST).read_bytes() == (tmp_path / "whole" / BEST).read_bytes(), cut


def test_a_checkpoint_holds_adapters_and_the_decoder_with_the_ranks_that_are_left(
    tmp_path: Path,
) -> None:
    prepared = prepare(chosen(trainer={"epochs": 1}))
    (report,) = fit.epochs(prepared, tmp_path)
    kept = load_file(tmp_path / BEST)
    assert all(name.startswith("decoder.") or ".lora_" in name for name in kept)
    values = values_of(kept)
    assert (values != 0).sum() == 2 * len(values) // 6
    tested = fit.test(prepared, tmp_path, "val")
    assert tested == {name: report.metrics[name] for name in tested}


class Scored(nn.Module):
    """A network that gives its own loss, as peft adds to: 0."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self) -> SimpleNamespace:
        return SimpleNamespace(loss=torch.zeros(()))


def test_the_penalty_is_what_peft_adds_to_a_loss_of_its_own() -> None:
    torch.manual_seed(0)
    model, named = built(orth_reg_weight=0.3)
    for _, value in named:
        value.data.normal_(0, 0.3)
    plain = build_model(prepare(recipe(model=MODEL)))
    assert plain.backbone is not None
    layers = [name.split(".lora_")[0] for name, _ in named if "lora_A" in name]
    config = peft.AdaLoraConfig(
        init_r=6,
        target_r=2,
        orth_reg_weight=0.3,
        total_step=1,
        target_modules=[name.replace("backbone.", "network.") for name in layers],
    )
    theirs = peft.AdaLoraModel(Scored(plain.backbone), config, "default")
    own = {name.replace("backbone.", "network."): value for name, value in named}
    assert not theirs.model.load_state_dict(own, strict=False).unexpected_keys
    wanted = theirs().loss
    assert wanted > 0.1
    found = model.penalty()
    assert found is not None
    torch.testing.assert_close(found, wanted)
    with torch.autocast("cpu", torch.bfloat16):
        again = model.penalty()
    assert again is not None
    assert torch.equal(again, found)
    assert built(orth_reg_weight=0.0)[0].penalty() is None


def test_training_brings_singular_vectors_to_be_orthonormal() -> None:
    def gap(weight: float) -> float:
        trainer = Trainer(prepare(chosen(tuning={"orth_reg_weight": weight})))
        model = trainer.setup.module.model
        for epoch in range(EPOCHS):
            trainer.epoch(epoch + 1)
        model.tuning.options = model.tuning.options.model_copy(update={"orth_reg_weight": 1.0})
        found = model.penalty()
        assert found is not None
        return found.item()

    assert gap(5.0) < 0.7 * gap(0.0)


@pytest.mark.parametrize("average", [{"ema": 0.9}, {"swa": 0.75}], ids=["ema", "swa"])
def test_averages_have_no_more_ranks_than_the_last_step_left(average: dict[str, Any]) -> None:
    trainer = Trainer(prepare(chosen(trainer=average)))
    for epoch in range(EPOCHS):
        trainer.epoch(epoch + 1)
    own, kept = trainer.setup.trained(), trainer.learner.weights()
    values = values_of(own)
    assert (values != 0).sum() == 2 * len(values) // 6
    assert torch.equal(values_of(kept) != 0, values != 0)
    assert not torch.equal(values_of(kept), values)


def test_steps_of_several_batches_are_those_of_a_larger_one() -> None:
    def trained(**changes: Any) -> dict[str, Tensor]:
        sgd = {"name": "sgd", "lr": 0.1}
        decoder = {"decoder": {"name": "linear", "normalise": "layer"}}
        trainer = Trainer(prepare(chosen(optimiser=sgd, model=decoder, **changes)))
        for epoch in range(EPOCHS):
            trainer.epoch(epoch + 1)
        return trainer.setup.trained()

    one = trained()
    several = trained(data={"batch_size": 4}, trainer={"accumulate": 2})
    assert torch.equal(values_of(one) != 0, values_of(several) != 0)
    for name, value in one.items():
        torch.testing.assert_close(several[name], value, atol=1e-5, rtol=1e-4)


def test_a_step_that_overflowed_or_passed_a_layer_by_is_taken_note_of_as_nothing() -> None:
    model, named = built()
    for number, (_, value) in enumerate(named):
        value.grad = None if number % 3 == 0 else torch.full_like(value, torch.inf)
    model.step_ended(1, STEPS)
    noted = model.tuning.progress()
    assert noted["importance"].keys() == noted["uncertainty"].keys() != set()
    for kind in ("importance", "uncertainty"):
        assert not any(value.any() for value in noted[kind].values())


@pytest.mark.parametrize(
    ("tuning", "said"),
    [
        ({"target_rank": 6}, r"tuning\.target_rank: is not below init_rank, 6"),
        ({"init_share": 0.8}, r"tuning\.final_share: leaves no steps after those of init_share"),
    ],
)
def test_what_leaves_nothing_to_fall_is_refused(tuning: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        chosen(tuning=tuning)

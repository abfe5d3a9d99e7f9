"""What the options of adapters and prompts change, seen on a tiny transformer that has them."""

from __future__ import annotations

import torch
from knobs_support import Case, Scene, small

from iterate_core.engine.build import build_model
from iterate_core.engine.resolved import prepare
from iterate_core.models.assembly import Model

STEPS, LAYERS = 20, 24


def prompted(scene: Scene) -> Model:
    """A transformer with what a tuning adds to it, drawn so that it does something."""
    tuning = {"name": scene.knob.component, scene.knob.field: scene.value}
    backbone = {"name": "test_vit", "weights": "none"}
    model = build_model(prepare(small(model={"backbone": backbone}, tuning=tuning)))
    assert model.backbone is not None
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in model.backbone.parameters():
            if value.requires_grad:
                value.normal_(0.0, 0.5, generator=generator)
    return model


def added(scene: Scene) -> set[int]:
    """The second dimension of what trains of the backbone."""
    backbone = prompted(scene).backbone
    assert backbone is not None
    return {value.shape[1] for value in backbone.parameters() if value.requires_grad}


def adapted(scene: Scene) -> set[str]:
    """Which layers of the backbone are adapted, by the ends of their names."""
    model = prompted(scene)
    assert model.backbone is not None
    return {name.rpartition(".")[2] for name in model.tuning.added(model.backbone)}


def trained_count(scene: Scene) -> int:
    """How many parameters train."""
    return sum(value.numel() for value in prompted(scene).parameters() if value.requires_grad)


def in_evaluation(scene: Scene, train: bool = False) -> list[float]:
    """What the backbone gives of one image."""
    model = prompted(scene).train(train)
    torch.manual_seed(0)
    with torch.no_grad():
        image = torch.ones(1, len(prepare(small()).bands), *prepare(small()).size)
        return [round(x, 4) for x in model.encode(image).flatten().tolist()]


def in_training(scene: Scene) -> list[float]:
    """As `in_evaluation`, with dropout on."""
    return in_evaluation(scene, train=True)


def penalty(scene: Scene) -> float:
    """What is added to the loss."""
    found = prompted(scene).penalty()
    return 0.0 if found is None else round(found.item(), 4)


def left(scene: Scene) -> list[list[bool]]:
    """Which singular values are left after each step, of all layers."""
    model = prompted(scene)
    assert model.backbone is not None
    named = [pair for pair in model.backbone.named_parameters() if pair[1].requires_grad]
    generator, found = torch.Generator().manual_seed(0), []
    for step in range(1, STEPS + 1):
        with torch.no_grad():
            for _, value in named:
                value.normal_(generator=generator)
                value.grad = torch.empty_like(value).normal_(generator=generator)
        model.step_ended(step, STEPS)
        values = [value for name, value in named if "lora_E" in name]
        found.append((torch.cat(values) != 0).flatten().tolist())
    return found


def counts(scene: Scene) -> list[int]:
    """How many are left after each step."""
    return [sum(step) for step in left(scene)]


def last_count(scene: Scene) -> int:
    """How many are left in the end."""
    return counts(scene)[-1]


ADAPTERS: dict[str, Case] = {
    "VisualPromptOptions.prompts": Case((2, 5), added, ({2}, {5})),
    "VisualPromptOptions.deep": Case((True, False), trained_count),
    "VisualPromptOptions.dropout": Case((0.0, 0.5), in_training, same=in_evaluation),
    "AdapterOptions.targets": Case(("attention", "mlp"), adapted),
    "LoraOptions.rank": Case((2, 4), trained_count),
    "LoraOptions.alpha": Case((8.0, 16.0), in_evaluation, same=trained_count),
    "LoraOptions.dropout": Case((0.0, 0.5), in_training, same=in_evaluation),
    "VeraOptions.rank": Case((8, 16), trained_count),
    "VeraOptions.dropout": Case((0.0, 0.5), in_training, same=in_evaluation),
    "AdaLoraOptions.init_rank": Case((10, 14), trained_count, same=last_count),
    "AdaLoraOptions.target_rank": Case(
        (4, 8), last_count, (LAYERS * 4, LAYERS * 8), same=trained_count
    ),
    "AdaLoraOptions.init_share": Case((0.1, 0.4), counts, same=last_count),
    "AdaLoraOptions.final_share": Case((0.3, 0.6), counts, same=last_count),
    "AdaLoraOptions.interval": Case((0.0, 0.25), counts, same=last_count),
    "AdaLoraOptions.alpha": Case((8.0, 16.0), in_evaluation, same=trained_count),
    "AdaLoraOptions.dropout": Case((0.0, 0.5), in_training, same=in_evaluation),
    "AdaLoraOptions.beta1": Case((0.1, 0.9), left, same=counts),
    "AdaLoraOptions.beta2": Case((0.1, 0.9), left, same=counts),
    "AdaLoraOptions.orth_reg_weight": Case((0.0, 0.5), penalty, same=in_evaluation),
}

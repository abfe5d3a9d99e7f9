"""What each option of a decoder, neck, loss, optimiser or schedule changes, by itself."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from knobs_support import Case, Scene
from losses_support import made, mean, outputs_for, pack, targets_of
from torch import Tensor, nn
from tuning_support import small

from iterate_core.models.decoders.probes.fitted import Fitted
from iterate_core.models.shapes import Maps, Pooled
from iterate_core.objective import Objective
from iterate_core.optimisation.optimisers import parameter_groups, set_learning_rate
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

STRIDES = (4, 8, 16, 32)
CLASSES, WIDTH, SIDE = 3, 8, 32


def options(scene: Scene, **others: Any) -> Any:
    """The component's options with the one at its value."""
    values = {"name": scene.knob.component, **others, scene.knob.field: scene.value}
    return parse(scene.knob.owner, values)


# Decoders


def decoder(scene: Scene) -> tuple[nn.Module, Any]:
    """The decoder, and random features for it: vectors, or maps where it takes them."""
    entry = registries.decoders.get(scene.knob.component)
    maps = bool(entry.facts.get("maps")) or entry.serves(("map",))
    shape = Maps((WIDTH,) * len(STRIDES), STRIDES) if maps else Pooled(WIDTH)
    torch.manual_seed(0)
    made: nn.Module = entry.load()(options(scene), shape, CLASSES)
    with torch.no_grad():
        for value in made.parameters():
            value.uniform_(-0.5, 0.5)
    if maps:
        return made, [torch.randn(4, WIDTH, SIDE // n, SIDE // n) for n in STRIDES]
    return made, 3 * torch.randn(24, WIDTH) + 1


def structure(scene: Scene) -> Any:
    """The shapes of all that it holds."""
    made, _ = decoder(scene)
    return [(name, tuple(value.shape)) for name, value in made.state_dict().items()]


def outputs(scene: Scene, train: bool = False) -> Any:
    """What it predicts from random features."""
    made, features = decoder(scene)
    torch.manual_seed(1)
    with torch.no_grad():
        found = made.train(train)(*(features, (SIDE, SIDE)) if isinstance(features, list)
                                  else (features,))  # fmt: skip
    return tuple(found.shape), [round(x, 4) for x in found.flatten()[:20].tolist()]


def in_training(scene: Scene) -> Any:
    """As `outputs`, with dropout on."""
    return outputs(scene, train=True)


def untouched(scene: Scene) -> tuple[int, ...]:
    """The size of the map that is passed on as it is."""
    shape = Maps((CLASSES,) * len(STRIDES), STRIDES)
    made = registries.decoders.get(scene.knob.component).load()(options(scene), shape, CLASSES)
    passed = made([torch.zeros(1, CLASSES, SIDE // n, SIDE // n) for n in STRIDES], (SIDE, SIDE))
    return tuple(passed.shape[-2:])


def fitted(scene: Scene) -> tuple[dict[str, float], Tensor]:
    """What a probe tells of its fit, and its predictions."""
    made, features = decoder(scene)
    assert isinstance(made, Fitted)
    told = made.fit(features, torch.arange(len(features)) % CLASSES)
    if made.refits:
        made.refit(features[:6], torch.zeros(6, dtype=torch.int64))
    with torch.no_grad():
        return told, made(torch.randn(9, WIDTH, generator=torch.Generator().manual_seed(3)))


def predictions(scene: Scene) -> list[float]:
    """Rounded, of a probe."""
    return [round(x, 3) for x in fitted(scene)[1].flatten().tolist()]


def iterations(scene: Scene) -> float:
    """How many a probe took."""
    return fitted(scene)[0]["iterations"]


def few_iterations(scene: Scene) -> bool:
    """Whether it took one."""
    return iterations(scene) <= 1


DROPOUT = Case((0.0, 0.6), in_training, same=outputs)
DECODERS: dict[str, Case] = {
    **{f"{kind}.dropout": DROPOUT for kind in (
        "LinearOptions", "MlpOptions", "UnetOptions", "FpnOptions", "UpernetOptions",
        "DeepLabOptions", "PspnetOptions", "LinknetOptions", "PanOptions", "SegformerOptions",
        "DptOptions", "FcnOptions", "BilinearConvOptions",
        "AttentivePoolOptions", "AttentiveMapsOptions",
    )},
    **{f"{kind}.normalise": Case(("layer", "none"), outputs) for kind in (
        "LinearOptions", "MlpOptions", "AttentivePoolOptions", "AttentiveMapsOptions",
    )},
    **{f"{kind}.level": Case((None, 8), outputs) for kind in (
        "LinearOptions", "MlpOptions", "FcnOptions", "BilinearConvOptions",
        "AttentivePoolOptions", "AttentiveMapsOptions",
    )},
    "IdentityOptions.level": Case((None, 8), untouched, ((1, 1), (4, 4))),
    "FcnOptions.channels": Case((8, 16), structure),
    "FcnOptions.layers": Case((1, 2), structure),
    "BilinearConvOptions.channels": Case((8, 16), structure),
    "MlpOptions.hidden": Case((16, 32), structure),
    "MlpOptions.layers": Case((1, 2), structure),
    "UnetOptions.channels": Case((4, 8), structure),
    "UnetOptions.norm": Case(("batchnorm", "layernorm"), structure),
    "ManetOptions.attention": Case((4, 8), structure),
    "LinknetOptions.channels": Case((4, 8), structure),
    "LinknetOptions.norm": Case(("batchnorm", "layernorm"), structure),
    "FpnOptions.channels": Case((32, 64), structure),
    "FpnOptions.segmentation_channels": Case((32, 64), structure),
    "UpernetOptions.channels": Case((8, 16), structure),
    "DeepLabOptions.channels": Case((8, 16), structure),
    "DeepLabOptions.rate": Case((1, 2), outputs),
    "PspnetOptions.channels": Case((8, 16), structure),
    "PanOptions.channels": Case((8, 16), structure),
    "SegformerOptions.channels": Case((8, 16), structure),
    "DptOptions.channels": Case((8, 16), structure),
    "AttentivePoolOptions.queries": Case((1, 2), structure),
    "AttentiveMapsOptions.width": Case((8, 16), structure),
    "KnnOptions.k": Case((1, 5), predictions),
    "KnnOptions.distance": Case(("cosine", "euclidean"), predictions),
    "KnnOptions.weights": Case(("uniform", "distance"), predictions),
    "LogisticOptions.C": Case((1.0, 0.01), predictions),
    "LogisticOptions.standardise": Case((True, False), predictions),
    "LogisticOptions.max_iterations": Case((1, 100), few_iterations, (True, False)),
    "LogisticOptions.tolerance": Case((10.0, 1e-6), few_iterations, (True, False)),
    "LogisticOptions.merge_val": Case((False, True), predictions),
}  # fmt: skip


# Necks


def neck(scene: Scene) -> Any:
    """The shapes of all that one for a plain transformer holds."""
    entry = registries.necks.get(scene.knob.component)
    made: nn.Module = entry.load()(options(scene), Maps((WIDTH,) * len(STRIDES), (16,) * 4))
    return [(name, tuple(value.shape)) for name, value in made.state_dict().items()]


NECKS: dict[str, Case] = {
    "LearnedOptions.channels": Case((8, 16), neck),
    "FeaturePyramidOptions.channels": Case((8, 16), neck),
    "FeaturePyramidOptions.plain": Case(("resize", "learned"), neck),
}


# Losses


def loss(scene: Scene) -> list[float]:
    """What it comes to on targets of each form that it serves; of a sum, on those of classes."""
    name = scene.knob.component
    parts = {"first": {"name": "lovasz"}, "second": {"name": "focal"}} if name == "sum" else {}
    given = {**parts, scene.knob.field: scene.value}
    forms = registries.losses.get(name).tasks
    found = []
    for form in ("mask", "indicators") if "mask" in forms else forms:
        if form in forms:
            of = pack(form)
            value = mean(made(name, of, **given), outputs_for(of), targets_of(of))
            found.append(round(float(value), 5))
    return found


LOSSES: dict[str, Case] = {
    "WeightedOptions.class_weights": Case((None, "inverse_frequency"), loss),
    "CrossEntropyOptions.label_smoothing": Case((0.0, 0.2), loss),
    "BinaryCrossEntropyOptions.label_smoothing": Case((0.0, 0.2), loss),
    "FocalOptions.gamma": Case((2.0, 1.0), loss),
    "FocalOptions.alpha": Case((None, 0.25), loss),
    "OverlapOptions.smooth": Case((0.0, 10.0), loss),
    "TverskyOptions.alpha": Case((0.5, 0.9), loss),
    "TverskyOptions.beta": Case((0.5, 0.9), loss),
    "TverskyOptions.gamma": Case((1.0, 0.75), loss),
    "LovaszOptions.per_image": Case((False, True), loss),
    "HuberOptions.delta": Case((1.0, 0.1), loss),
    "SumOptions.first": Case(({"name": "dice"}, {"name": "jaccard"}), loss),
    "SumOptions.second": Case(({"name": "dice"}, {"name": "jaccard"}), loss),
    "SumOptions.weight": Case((1.0, 2.0), loss),
}


# Optimisers


def stepped(scene: Scene) -> dict[str, list[float]]:
    """A backbone's and a decoder's parameters after four steps along the same gradients."""
    model = small("full")
    given = options(scene)
    build = registries.optimisers.get(given.name).load()
    optimiser = build(given, parameter_groups(model, given), False)
    for step in range(4):
        for value in model.parameters():
            value.grad = torch.full_like(value, 1.0 - 0.4 * step)
        optimiser.step()
    return {
        part: [round(x, 7) for x in dict(model.named_parameters())[weight].flatten().tolist()]
        for part, weight in (("backbone", "backbone.linear.weight"), ("decoder", "decoder.weight"))
    }


def matrix_stepped(scene: Scene) -> list[float]:
    """A matrix and a vector after three steps along random gradients."""
    given = options(scene)
    torch.manual_seed(0)
    values = [nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.randn(4))]
    groups = [{"params": values, "lr": given.lr, "weight_decay": 0.0}]
    optimiser = registries.optimisers.get(given.name).load()(given, groups, False)
    for _ in range(3):
        for value in values:
            value.grad = torch.randn_like(value)
        optimiser.step()
    return [round(x, 6) for value in values for x in value.flatten().tolist()]


def decoder_stepped(scene: Scene) -> Any:
    """The decoder's alone."""
    return stepped(scene)["decoder"]


OPTIMISERS: dict[str, Case] = {
    "OptimiserOptions.lr": Case((0.01, 0.02), stepped),
    "OptimiserOptions.weight_decay": Case((0.0, 0.5), stepped),
    "OptimiserOptions.backbone_lr_scale": Case((1.0, 0.1), stepped, same=decoder_stepped),
    "AdamWOptions.beta1": Case((0.9, 0.5), stepped),
    "AdamWOptions.beta2": Case((0.999, 0.5), stepped),
    "AdamOptions.beta1": Case((0.9, 0.5), stepped),
    "AdamOptions.beta2": Case((0.999, 0.5), stepped),
    "LionOptions.beta1": Case((0.9, 0.1), matrix_stepped),
    "LionOptions.beta2": Case((0.99, 0.1), matrix_stepped),
    "LambOptions.beta1": Case((0.9, 0.5), matrix_stepped),
    "LambOptions.beta2": Case((0.999, 0.5), matrix_stepped),
    "MuonOptions.momentum": Case((0.95, 0.5), matrix_stepped),
    "MuonOptions.nesterov": Case((True, False), matrix_stepped),
    "MuonOptions.beta1": Case((0.9, 0.5), matrix_stepped),
    "MuonOptions.beta2": Case((0.95, 0.5), matrix_stepped),
    "SgdOptions.momentum": Case((0.9, 0.5), stepped),
    "SgdOptions.nesterov": Case((True, False), stepped),
}


# Schedules


def rates(scene: Scene, **others: Any) -> list[float]:
    """The learning rate at each step of eight epochs of two steps; nothing improves."""
    rises = {"warmup_epochs"} & scene.knob.owner.model_fields.keys() - {scene.knob.field}
    given = options(scene, **dict.fromkeys(rises, 0), **others)
    build = registries.schedulers.get(given.name).load()
    schedule = build(given, Objective(metric="loss", mode="min"), 2, 8)
    group = {"top": 1.0, "lr": 0.0}
    found = []
    for step in range(16):
        set_learning_rate([group], schedule.factor(step))
        found.append(round(group["lr"], 6))
        if step % 2:
            schedule.epoch_ended(1.0)
    return found


def first_rate(scene: Scene) -> float:
    """That of the first step."""
    return rates(scene)[0]


SCHEDULES: dict[str, Case] = {
    "ScheduleOptions.warmup_epochs": Case((0, 2), first_rate, (1.0, 0.25)),
    "CosineOptions.floor": Case((0.0, 0.5), rates, same=first_rate),
    "PolynomialOptions.power": Case((1.0, 2.0), rates, same=first_rate),
    "PolynomialOptions.floor": Case((0.0, 0.5), rates, same=first_rate),
    "CosineRestartsOptions.period": Case((2, 3.5), rates, same=first_rate),
    "CosineRestartsOptions.growth": Case((1, 2.5), partial(rates, period=2), same=first_rate),
    "CosineRestartsOptions.decay": Case((1.0, 0.5), rates, same=first_rate),
    "CosineRestartsOptions.floor": Case((0.0, 0.5), rates, same=first_rate),
    "OneCycleOptions.rise": Case((0.3, 0.5), rates, same=first_rate),
    "OneCycleOptions.start": Case((0.04, 0.5), first_rate, (0.04, 0.5)),
    "OneCycleOptions.floor": Case((0.0, 0.5), rates, same=first_rate),
    "OneCycleOptions.shape": Case(("cosine", "linear"), rates, same=first_rate),
    "PlateauOptions.factor": Case((0.5, 0.1), rates, same=first_rate),
    "PlateauOptions.patience": Case((3, 0), rates, same=first_rate),
    "PlateauOptions.floor": Case((0.001, 0.9), rates, same=first_rate),
}
PARTS = {**DECODERS, **NECKS, **LOSSES, **OPTIMISERS, **SCHEDULES}

"""What each field of a recipe changes, seen on tiny trainings and on what they are made of."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from engine_support import recipe
from knobs_support import Case, Scene, merged, refused, setting, small, trained
from torch import Tensor, nn
from tuning_support import FROZEN, tuned

from iterate_core.data.loading import ahead
from iterate_core.data.loading.batch import Batch
from iterate_core.device import fabric_for
from iterate_core.engine import fit
from iterate_core.engine.build import build_model, shared_backbone
from iterate_core.engine.features import keeping
from iterate_core.engine.order import evaluation_course, training_course
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.engine.setup import Setup
from iterate_core.engine.trainer import Trainer
from iterate_core.engine.views import augmentations


def prepared(scene: Scene, **others: Any) -> Prepared:
    """The small recipe with the option at its value, its dataset opened."""
    return prepare(small(**merged(others, setting(scene.knob.name, scene.value))))


def results(scene: Scene, **others: Any) -> Any:
    """All metrics of a training and of its test."""
    return trained(scene, **others)


def roughly(scene: Scene) -> Any:
    """The same without what the order of sums decides."""
    found = trained(scene)
    return [
        {name: round(value, 3) for name, value in metrics.items()}
        for metrics in (*found.epochs, found.test)
    ]


def first_epoch(scene: Scene, **others: Any) -> Any:
    """Metrics of the first epoch."""
    return trained(scene, **others).epochs[0]


def training_loss(scene: Scene) -> list[float]:
    """Of each epoch."""
    return [epoch["train/loss"] for epoch in trained(scene).epochs]


def epochs_trained(scene: Scene, **others: Any) -> int:
    """How many there were."""
    return len(trained(scene, **others).epochs)


def shots(scene: Scene) -> list[int]:
    """How many training samples there are of each class that has two."""
    found = prepared(scene, data={"samples": [40, 4, 4]})
    targets = np.array(found.pack.targets("train"))
    drawn = np.bincount(targets[found.training], minlength=len(found.info.classes))
    return [int(count) for count in drawn[np.bincount(targets) > 1][:4]]


def objective(scene: Scene) -> Any:
    """What is optimised, and what it came to."""
    chosen = small(**setting(scene.knob.name, scene.value))
    report = next(fit.epochs(prepare(chosen), scene.folder))
    return prepare(chosen).recipe.objective, report.value


def model(scene: Scene) -> list[str]:
    """The parts of the model."""
    found = prepare(
        recipe(**setting(scene.knob.name, {"name": scene.value, **RANDOM[scene.knob.field]}))
    )
    return [type(one).__name__ for one in build_model(found, meta=True).modules()]


def neck(scene: Scene) -> list[str]:
    """The parts beside backbone and decoder that train."""
    maps = recipe("segmentation", **setting(scene.knob.name, {"name": scene.value}))
    head = build_model(prepare(maps), meta=True).head
    return [name for name, part in head.items() if name != "decoder" and list(part.parameters())]


def part(scene: Scene) -> str:
    """Which optimiser or schedule a training has."""
    trainer = Trainer(prepare(small(**setting(scene.knob.name, {"name": scene.value}))))
    learning = trainer.learner.learning
    made = learning.optimiser if scene.knob.name == "optimiser" else learning.schedule
    return f"{type(made).__name__} {made.__dict__.keys()} {getattr(made, 'factor', None)}"


def learned(scene: Scene) -> bool:
    """Whether the backbone is among what a training changes."""
    names = Setup(prepare(small(**setting(scene.knob.name, {"name": scene.value})))).trained()
    return any(name.startswith("backbone.") for name in names)


def stages(scene: Scene) -> set[str]:
    """The stages of the backbone that are among what a training changes."""
    chosen = small(tuning={"name": scene.knob.component, scene.knob.field: scene.value})
    names = Setup(prepare(chosen)).trained()
    return {name.split(".")[2] for name in names if name.startswith("backbone.")}


def rates(scene: Scene) -> list[float]:
    """The shares of the learning rate, from the input on, that a tuning gives the backbone."""
    chosen = small(tuning={"name": scene.knob.component, scene.knob.field: scene.value})
    built = build_model(prepare(chosen), meta=True)
    assert built.backbone is not None
    return [share for share, _ in built.tuning.groups(built.backbone)]


def first_rates(scene: Scene) -> list[float]:
    """All but the last block's."""
    return rates(scene)[:-1]


def last_rates(scene: Scene) -> float:
    """That of the last block."""
    return rates(scene)[-1]


def batches(scene: Scene) -> Any:
    """What the steps of the first epoch see."""
    found = prepared(scene)
    return Setup(found).supplies.batches("train", training_course(found, 1, drop_single=False))


def inputs(scene: Scene) -> Any:
    """The images of the first epoch."""
    return [batch.inputs.tolist() for batch in batches(scene)]


def labels(scene: Scene) -> Any:
    """The targets of the first epoch."""
    return [batch.targets.tolist() for batch in batches(scene)]


def changes(scene: Scene) -> bool:
    """Whether a part of the augmentation changes an image of the first epoch."""
    plain = replace(scene, knob=replace(scene.knob, name="seed"), value=0)
    return bool(inputs(scene) != inputs(plain))


def paces(scene: Scene) -> list[float]:
    """The shares of the schedule's learning rate in each of five epochs."""
    tuning = tuned(scene.knob.component, **{scene.knob.field: scene.value})
    return [tuning.pace(epoch, 5) for epoch in range(1, 6)]


def loss(scene: Scene) -> str:
    """By what it learns."""
    task = Setup(prepare(small(**setting(scene.knob.name, {"name": scene.value})))).module
    return type(task.loss).__name__


def steps(scene: Scene) -> int:
    """Of an epoch."""
    return Trainer(prepared(scene)).learner.steps_per_epoch


def at_once(scene: Scene) -> set[int]:
    """How many samples go through the model at once in training."""
    trainer, seen = Trainer(prepared(scene)), set[int]()
    step = trainer.setup.module.training_step

    def training_step(batch: Batch, number: int) -> dict[str, Tensor]:
        seen.add(len(batch.inputs))
        return step(batch, number)

    trainer.setup.module.training_step = training_step
    trainer.learner.learn(1)
    return seen


def compiled(scene: Scene, only: str = "", **others: Any) -> set[str]:
    """Which parts of the model would be compiled when they are first called."""
    parts = Setup(prepared(scene, **others)).module.model.named_children()
    found = {name for name, part in parts if part._compiled_call_impl is not None}
    return found & {only} if only else found


def evaluation_steps(scene: Scene) -> int:
    """Of an evaluation of the validation split."""
    return len(evaluation_course(prepared(scene), "val").chunks)


def workers(scene: Scene) -> set[int]:
    """The numbers of processes that read for a training."""
    asked: set[int] = set()

    class Loader(ahead.DataLoader):  # type: ignore[type-arg]
        def __init__(self, *args: Any, num_workers: int, **options: Any) -> None:
            asked.add(num_workers)
            super().__init__(*args, num_workers=num_workers, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "DataLoader", Loader)
        fit.fit(prepare(small(**setting(scene.knob.name, scene.value))), scene.folder)
    return asked


def kept_as(scene: Scene) -> set[str]:
    """In what types a frozen backbone's features lie on the disk."""
    chosen = prepared(scene, tuning=FROZEN, augmentation=UNTURNED)
    fit.fit(chosen, scene.folder)
    place = keeping.Place(chosen, torch.device("cpu"))
    return {np.load(path, mmap_mode="r").dtype.name for path in place.folder.glob("*.npy")}


def frozen(scene: Scene) -> Any:
    """What a frozen backbone's decoder comes to, to three digits."""
    found = trained(scene, tuning=FROZEN, augmentation=UNTURNED)
    return [{name: round(value, 3) for name, value in epoch.items()} for epoch in found.epochs]


def deterministic(scene: Scene) -> set[bool]:
    """Whether only deterministic algorithms are allowed while layers compute."""
    found: set[bool] = set()

    def note(*_: Any) -> None:
        found.add(torch.are_deterministic_algorithms_enabled())

    handle = nn.modules.module.register_module_forward_hook(note)
    try:
        fit.fit(prepare(small(**setting(scene.knob.name, scene.value))), scene.folder)
    finally:
        handle.remove()
    return found


def threads(scene: Scene) -> set[int]:
    """With how many threads layers compute."""
    found: set[int] = set()
    handle = nn.modules.module.register_module_forward_hook(
        lambda *_: found.add(torch.get_num_threads())
    )
    try:
        fit.fit(prepare(small(**setting(scene.knob.name, scene.value))), scene.folder)
    finally:
        handle.remove()
    return found


def device(scene: Scene) -> str:
    """Where it trains; a GPU that is not there is refused."""
    trainer = prepared(scene).recipe.trainer
    return fabric_for(trainer.accelerator, trainer.precision).device.type


UNTURNED = {"flip": False, "rotate": False}
RANDOM = {"backbone": {"weights": "none"}, "decoder": {}}
STILL = {"epochs": 4, "min_delta": 10.0}
DOWN = {"trainer": {"epochs": 4, "patience": 1}, "objective": {"metric": "loss", "split": "train"}}
RGB = {"bands": ["red", "green", "blue"], "normalisation": "backbone"}

RECIPE: dict[str, Case] = {
    "DataSection.bands": Case(
        (["red"], ["nir", "red"]), lambda s: [band.common for band in prepared(s).bands],
        (["red"], ["nir", "red"]),
    ),
    "DataSection.batch_size": Case((4, 8), steps, (2, 1)),
    "DataSection.eval_batch_size": Case((None, 1), evaluation_steps, (1, 4), same=roughly),
    "DataSection.tile": Case((None, 24), lambda s: prepared(s).size, ((16, 16), (24, 24))),
    "DataSection.image_size": Case((None, 32), lambda s: prepared(s).size, ((16, 16), (32, 32))),
    "DataSection.normalisation": Case(("dataset", "none"), results),
    "DataSection.units": Case(
        ({"red": "dn"}, {"red": "reflectance"}), partial(results, data=RGB)
    ),
    "DataSection.share": Case((None, 0.5), lambda s: len(prepared(s).training), (8, 4)),
    "DataSection.shots": Case((1, 2), shots, ([1, 1, 1, 1], [2, 2, 2, 2])),
    "DataSection.epoch_samples": Case((None, 4), steps, (2, 1)),
    "DataSection.workers": Case((0, 1), workers, (set(), {1}), same=results),
    "model.backbone": Case(("test_resnet", "test_vit"), model),
    "model.decoder": Case(("linear", "mlp"), model),
    "model.neck": Case(("resize", "fpn"), neck, ([], ["neck"])),
    "tuning": Case(("full", "frozen"), learned, (True, False)),
    "LayerwiseOptions.decay": Case((0.5, 0.9), first_rates, same=last_rates),
    "GradualOptions.share": Case((0.4, 0.6), paces, ([1, 1, 0.1, 0.1, 0.1], [1, 1, 1, 0.1, 0.1])),
    "GradualOptions.rate": Case((0.5, 1.0), paces, ([1, 0.5, 0.5, 0.5, 0.5], [1, 1, 1, 1, 1])),
    "LastKOptions.k": Case((1, 2), stages, ({"layer4"}, {"layer3", "layer4"})),
    "model.frames": Case(
        ("mean", "concat"),
        lambda s: shared_backbone(prepared(s, data={"frames": 2}), meta=True).shape,
    ),
    "loss": Case(("default", "focal"), loss, ("CrossEntropy", "Focal")),
    "optimiser": Case(("adamw", "sgd"), part),
    "scheduler": Case(("cosine", "plateau"), part),
    "augmentation.flip": Case((False, True), lambda s: len(augmentations(prepared(s))), (1, 4)),
    "augmentation.rotate": Case((False, True), lambda s: len(augmentations(prepared(s))), (1, 4)),
    "AugmentationOptions.probability": Case((0.0, 1.0), changes, (False, True), same=labels),
    "TurnOptions.degrees": Case((5.0, 90.0), inputs, same=labels),
    "ScaleOptions.lowest": Case((0.5, 0.8), inputs, same=labels),
    "ScaleOptions.highest": Case((1.2, 2.0), inputs, same=labels),
    "CropOptions.smallest": Case((0.2, 0.8), inputs, same=labels),
    "CropOptions.ratio": Case((1.0, 2.0), inputs, same=labels),
    "BandOptions.most": Case((0.1, 0.5), inputs, same=labels),
    "BandOptions.per_band": Case((True, False), inputs, same=labels),
    "NoiseOptions.std": Case((0.1, 0.5), inputs, same=labels),
    "MixupOptions.alpha": Case((0.2, 2.0), inputs),
    "CutmixOptions.alpha": Case((0.2, 2.0), inputs),
    "MixOptions.probability": Case((0.0, 1.0), changes, (False, True)),
    "BandDropoutOptions.share": Case((0.1, 0.9), inputs, same=labels),
    "trainer.epochs": Case((2, 3), epochs_trained, (2, 3), same=first_epoch),
    "trainer.patience": Case(
        (1, 2), partial(epochs_trained, trainer=STILL), (2, 3),
        same=partial(first_epoch, trainer=STILL),
    ),
    "trainer.min_delta": Case(
        (0.0, 10.0), partial(epochs_trained, **DOWN), (4, 2), same=partial(first_epoch, **DOWN)
    ),
    "trainer.precision": Case(("32-true", "bf16-mixed"), results),
    "trainer.accumulate": Case((1, 2), steps, (2, 1)),
    "trainer.micro_batch": Case((None, 2), at_once, ({4}, {2}), same=steps),
    "trainer.features": Case(
        ("float32", "float16"), kept_as, ({"float32"}, {"float16", "int16"}), same=frozen
    ),
    "trainer.compile": Case(
        (False, True), compiled, (set(), {"backbone", "decoder"}),
        same=partial(compiled, tuning=FROZEN, only="backbone"),
    ),
    "trainer.gradient_clip": Case((None, 1e-3), results),
    "trainer.ema": Case((None, 0.5), results, same=training_loss),
    "trainer.swa": Case((None, 1.0), results, same=training_loss),
    "trainer.swa_rate": Case((None, 0.5), partial(results, trainer={"swa": 0.5}),
                             same=partial(first_epoch, trainer={"swa": 0.5})),
    "trainer.accelerator": Case(("cpu", "gpu"), refused(device)),
    "trainer.threads": Case((1, 2), threads, ({1}, {2})),
    "trainer.deterministic": Case((True, False), deterministic, ({True}, {False}), same=results),
    "objective.metric": Case(("accuracy", "loss"), objective),
    "objective.split": Case(("val", "train"), objective),
    "objective.mode": Case(("max", "min"), refused(objective)),
    "seed": Case((0, 1), results),
}  # fmt: skip

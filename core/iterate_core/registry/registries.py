"""The registries of everything a recipe chooses by name. They are filled when first asked."""

from __future__ import annotations

from iterate_core.registry.registry import Registry
from iterate_core.registry.user_code import own_entry

datasets = Registry(
    "dataset reader",
    "iterate.datasets",
    "iterate_core.data.catalogue:register",
    "iterate_core.data.options:DataSection",
    own_entry,
    ("section",),
)
backbones = Registry(
    "backbone",
    "iterate.backbones",
    "iterate_core.models.backbones.catalogue:register",
    "iterate_core.models.backbones.options:BackboneOptions",
    own_entry,
    ("options", "inputs", "meta"),
)
necks = Registry(
    "neck",
    "iterate.necks",
    "iterate_core.models.necks.catalogue:register",
    "iterate_core.models.necks.options:NeckOptions",
    own_entry,
    ("options", "shape"),
)
decoders = Registry(
    "decoder",
    "iterate.decoders",
    "iterate_core.models.decoders.catalogue:register",
    "iterate_core.registry.options:Component",
    own_entry,
    ("options", "shape", "classes"),
)
tunings = Registry(
    "way to fine-tune",
    "iterate.tunings",
    "iterate_core.models.tuning.catalogue:register",
    "iterate_core.models.tuning.options:TuningOptions",
    own_entry,
    ("options",),
)
augmentations = Registry(
    "augmentation",
    "iterate.augmentations",
    "iterate_core.data.augmentation.catalogue:register",
    "iterate_core.data.augmentation.options:AugmentationOptions",
    call=("options",),
)
losses = Registry(
    "loss",
    "iterate.losses",
    "iterate_core.losses.catalogue:register",
    "iterate_core.losses.options:LossOptions",
    own_entry,
    ("options", "training"),
)
optimisers = Registry(
    "optimiser", "iterate.optimisers", "iterate_core.optimisation.catalogue:register_optimisers"
)
schedulers = Registry(
    "learning-rate schedule",
    "iterate.schedulers",
    "iterate_core.optimisation.catalogue:register_schedules",
)
tasks = Registry("task", "iterate.tasks", "iterate_core.tasks.catalogue:register")

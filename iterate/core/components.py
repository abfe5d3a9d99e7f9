"""The registries of everything a recipe chooses by name. They are filled when first asked."""

from __future__ import annotations

from iterate.core.own import own_entry
from iterate.core.registry import Registry

datasets = Registry(
    "dataset reader",
    "iterate.datasets",
    "iterate.core.data.catalogue:register",
    "iterate.core.data.options:DataSection",
    own_entry,
    ("section",),
)
backbones = Registry(
    "backbone",
    "iterate.backbones",
    "iterate.core.models.backbones.catalogue:register",
    "iterate.core.models.backbones.options:BackboneOptions",
    own_entry,
    ("options", "inputs", "meta"),
)
decoders = Registry(
    "decoder",
    "iterate.decoders",
    "iterate.core.models.decoders.catalogue:register",
    "iterate.core.section:Component",
    own_entry,
    ("options", "shape", "classes"),
)
optimisers = Registry(
    "optimiser", "iterate.optimisers", "iterate.core.optimisation_catalogue:register_optimisers"
)
schedulers = Registry(
    "learning-rate schedule",
    "iterate.schedulers",
    "iterate.core.optimisation_catalogue:register_schedules",
)
tasks = Registry("task", "iterate.tasks", "iterate.core.tasks.catalogue:register")

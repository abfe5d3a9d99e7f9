"""A package of somebody else's that counts objects in images: a part of every kind.

Nothing of the product names it: its entry points do. Only names and options are here; what needs
torch or Optuna is imported when it is built.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from iterate_core.data.augmentation.options import AugmentationOptions
from iterate_core.data.options import DataSection
from iterate_core.losses.options import LossOptions
from iterate_core.models.backbones.options import BackboneOptions
from iterate_core.models.necks.options import NeckOptions
from iterate_core.models.tuning.options import TuningOptions
from iterate_core.optimisation.options import OptimiserOptions
from iterate_core.registry.options import Component, Section
from iterate_core.registry.registry import Entry, Registry


class Dots(DataSection):
    """Drawn images with bright dots."""

    samples: tuple[int, int, int] = (16, 8, 8)
    most: Annotated[int, Field(gt=0)] = 3


class Patches(BackboneOptions):
    """A convolution over patches."""

    width: Annotated[int, Field(gt=0)] = 8


class Gains(NeckOptions):
    """Each channel times a number of its own."""

    first: Annotated[float, Field(gt=0)] = 1.0


class Gated(Component):
    """A linear decoder of gated features, the largest of each map."""

    hidden: Annotated[int, Field(gt=0)] = 8


class Norms(TuningOptions):
    """The layers of normalisation train."""


class Deviance(LossOptions):
    """Poisson's deviance."""

    weight: Annotated[float, Field(gt=0)] = 1.0


class Signs(OptimiserOptions):
    """Every step is as long as the learning rate."""


class Stairs(Component):
    """The learning rate falls from epoch to epoch."""

    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5


class Dusk(AugmentationOptions):
    """Less light."""

    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5


class Halton(Component):
    """A Halton sequence."""

    name: str = "halton"


class Upper(Component):
    """Stops what is not among the best share so far."""

    name: str = "upper"
    percentile: float = 50.0


def add_dataset(registry: Registry) -> None:
    registry.register(Entry("dots", Dots, "counting.dots:DotsReader"))


def add_task(registry: Registry) -> None:
    from counting.declaration import COUNTING

    facts = {"declaration": COUNTING, "target": "counting.task:CountTarget"}
    registry.register(Entry("counting", Section, "counting.task:CountingTask", facts=facts))


def add_backbone(registry: Registry) -> None:
    registry.register(Entry("patches", Patches, "counting.models:build_patches"))


def add_neck(registry: Registry) -> None:
    registry.register(Entry("gains", Gains, "counting.models:GainsNeck"))


def add_decoder(registry: Registry) -> None:
    builder, maps = "counting.models:build_gated", {"maps": True}
    registry.register(Entry("gated", Gated, builder, ("vector",), maps))


def add_tuning(registry: Registry) -> None:
    registry.register(Entry("norms", Norms, "counting.models:NormsTuning"))


def add_loss(registry: Registry) -> None:
    registry.register(Entry("deviance", Deviance, "counting.learning:DevianceLoss", ("counting",)))


def add_optimiser(registry: Registry) -> None:
    registry.register(Entry("signs", Signs, "counting.learning:build_signs"))


def add_schedule(registry: Registry) -> None:
    registry.register(Entry("stairs", Stairs, "counting.learning:build_stairs"))


def add_augmentation(registry: Registry) -> None:
    registry.register(Entry("dusk", Dusk, "counting.learning:Dim"))


def add_sampler(registry: Registry) -> None:
    registry.register(Entry("halton", Halton, "counting.search:halton"))


def add_scheduler(registry: Registry) -> None:
    registry.register(Entry("upper", Upper, "counting.search:upper"))

"""A package of somebody else's that counts objects in images: a part of every kind.

Nothing of the product names it: its entry points do. Only names and options are here; what needs
torch or Optuna is imported when it is built.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from iterate_core.data.options import DataSection
from iterate_core.models.tuning.options import TuningOptions
from iterate_core.registry.options import Component, Section
from iterate_core.registry.registry import Entry, Registry


class Dots(DataSection):
    """Drawn images with bright dots."""

    samples: tuple[int, int, int] = (16, 8, 8)
    most: Annotated[int, Field(gt=0)] = 3


class Gated(Component):
    """A linear decoder of gated features."""

    hidden: Annotated[int, Field(gt=0)] = 8


class Norms(TuningOptions):
    """The layers of normalisation train."""


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


def add_decoder(registry: Registry) -> None:
    registry.register(Entry("gated", Gated, "counting.models:build_gated", ("vector",)))


def add_tuning(registry: Registry) -> None:
    registry.register(Entry("norms", Norms, "counting.models:NormsTuning"))


def add_sampler(registry: Registry) -> None:
    registry.register(Entry("halton", Halton, "counting.search:halton"))


def add_scheduler(registry: Registry) -> None:
    registry.register(Entry("upper", Upper, "counting.search:upper"))

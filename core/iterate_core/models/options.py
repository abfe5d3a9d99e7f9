"""The model section of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import SerializeAsAny

from iterate_core.models.necks.options import NeckOptions, ResizeOptions
from iterate_core.registry import registries
from iterate_core.registry.marks import AddedLater, AfterBackbone
from iterate_core.registry.options import Component, Section
from iterate_core.registry.parsing import Chosen

FrameMerge = Literal["mean", "max", "concat", "difference"]


class ModelSection(Section):
    """A backbone, and the decoder (head) that turns its features into predictions.

    Attributes:
        neck: What makes other maps of the backbone's before they are decoded, where they are maps.
        frames: How the features of several dates are merged, for a backbone that takes one date
            at a time: their ``mean`` or ``max``, ``concat``: all of them, or ``difference``: how
            far each date's are from those of the date before. Where the backbone takes several it
            has no effect; where there is one date, all but the default is refused.
    """

    backbone: Annotated[SerializeAsAny[Component], Chosen(registries.backbones)]
    decoder: Annotated[SerializeAsAny[Component], Chosen(registries.decoders), AfterBackbone]
    neck: Annotated[
        SerializeAsAny[NeckOptions], Chosen(registries.necks), AfterBackbone, AddedLater
    ] = ResizeOptions(name="resize")
    frames: FrameMerge = "mean"

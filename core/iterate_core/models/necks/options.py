"""Options of necks. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from iterate_core.registry.options import Component

Width = Annotated[int, Field(gt=0)]


class NeckOptions(Component):
    """What every neck declares.

    Attributes:
        idle: Whether it does nothing by itself, so that it may stand where there are no maps.
    """

    idle: ClassVar[bool] = False


class ResizeOptions(NeckOptions):
    """Nothing by itself: a decoder that reads a pyramid resizes a plain transformer's maps.

    See `iterate_core.models.necks.pyramid.PyramidNeck`.
    """

    idle: ClassVar[bool] = True


class LearnedOptions(NeckOptions):
    """A pyramid of a plain transformer's maps by transposed and strided convolutions.

    Attributes:
        channels: Width of its maps.
    """

    channels: Width = 256


class FeaturePyramidOptions(NeckOptions):
    """A feature pyramid network (Lin et al. 2017): coarse maps are added to the finer ones.

    Attributes:
        channels: Width of its maps.
        plain: How the maps of a plain transformer, all of one stride, become a pyramid first:
            ``resize``, bilinearly, or ``learned``, as the neck of that name.
    """

    channels: Width = 256
    plain: Literal["resize", "learned"] = "resize"

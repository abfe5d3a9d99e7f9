"""A feature pyramid network as a neck."""

from __future__ import annotations

from torch import Tensor
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork

from iterate_core.errors import Problem, RequestError
from iterate_core.models.necks.base import Neck
from iterate_core.models.necks.options import FeaturePyramidOptions
from iterate_core.models.necks.plain import LearnedPyramid, PlainPyramid, ResizedPyramid
from iterate_core.models.necks.pyramid import NECK_STRIDES
from iterate_core.models.shapes import Maps


class FeaturePyramid(Neck):
    """torchvision's, over the maps at strides 4 to 32 that a backbone has.

    Args:
        options: Its options.
        shape: The maps that come in; a plain transformer's become maps of these strides first.

    Raises:
        RequestError: The backbone has no map of these strides.
    """

    def __init__(self, options: FeaturePyramidOptions, shape: Maps) -> None:
        before = _made(options, shape) if shape.plain else None
        inner = shape if before is None else before.shape
        by_stride = dict(zip(inner.strides, inner.channels, strict=True))
        strides = tuple(stride for stride in NECK_STRIDES if stride in by_stride)
        if not strides:
            given, legal = (", ".join(map(str, one)) for one in (inner.strides, NECK_STRIDES))
            what = f"{options.name!r} reads maps of stride {legal}, and the backbone has {given}."
            raise RequestError(Problem("model.neck.name", what, "Choose resize."))
        multiple = None if before is None else before.multiple
        super().__init__(Maps((options.channels,) * len(strides), strides), multiple)
        self.given = inner.strides
        self.before = before
        widths = [by_stride[stride] for stride in strides]
        self.network = FeaturePyramidNetwork(widths, options.channels)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> list[Tensor]:
        """See `Neck.forward`."""
        if self.before is not None:
            maps = self.before(maps, size)
        by_stride = dict(zip(self.given, maps, strict=True))
        read = {str(stride): by_stride[stride] for stride in self.shape.strides}
        return list(self.network(read).values())


def _made(options: FeaturePyramidOptions, shape: Maps) -> PlainPyramid:
    """The pyramid of a plain transformer's maps."""
    if options.plain == "learned":
        return LearnedPyramid(shape, options.channels)
    return ResizedPyramid(shape)

"""Several dates for backbones that take one at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.options import FrameMerge
from iterate_core.models.shapes import Maps, Shape


class Framewise(Backbone):
    """Runs a backbone on each date by itself, as if it were a sample, and merges the features.

    What the backbone declares (padding, normalisation, …) holds for each date. Batch normalisation
    sees samples times dates.

    Args:
        inner: The backbone.
        frames: Dates of a sample.
        merge: ``mean`` and ``max`` of the dates' features, or ``concat``: all of them side by
            side, date after date, which multiplies their channels. ``difference``: the absolute
            difference of each date's to those of the date before, side by side. Of two dates the
            last two are the siamese networks of Daudt, Le Saux & Boulch, "Fully Convolutional
            Siamese Networks for Change Detection", 2018.
    """

    takes_frames = True

    def __init__(self, inner: Backbone, frames: int, merge: FrameMerge) -> None:
        super().__init__(_merged(inner.shape, frames, merge), inner.multiple)
        for name in Backbone.__annotations__.keys() - {"shape", "fixed", "takes_frames"}:
            setattr(self, name, getattr(inner, name))
        self.inner = inner
        self.frames = frames
        self.merge = merge

    def blocks(self) -> list[list[nn.Module]]:
        """See `Backbone.blocks`."""
        return self.inner.blocks()

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor | list[Tensor]:
        """See `Backbone.forward`; images are (n, bands, frames, height, width)."""
        folded = images.movedim(2, 1).flatten(0, 1)
        folded = folded.contiguous(memory_format=torch.channels_last)
        features = self.inner(folded, None if context is None else self._of_each(context))
        if isinstance(features, Tensor):
            return self._merge(features)
        return [self._merge(level) for level in features]

    def _of_each(self, context: Context) -> Context:
        """The context of (n × frames) samples of one date."""
        dates, places = context.dates, context.places
        return Context(
            None if dates is None else dates.flatten(0, 1)[:, None],
            None if places is None else places.repeat_interleave(self.frames, dim=0),
        )

    def _merge(self, features: Tensor) -> Tensor:
        dated = features.reshape(-1, self.frames, *features.shape[1:])
        if self.merge == "mean":
            return dated.mean(dim=1)
        if self.merge == "max":
            return dated.amax(dim=1)
        if self.merge == "difference":
            dated = (dated[:, 1:] - dated[:, :-1]).abs()
        return dated.flatten(1, 2)


def _merged(shape: Shape, frames: int, merge: FrameMerge) -> Shape:
    times = {"concat": frames, "difference": frames - 1}.get(merge, 1)
    if isinstance(shape, Maps):
        return Maps(tuple(channels * times for channels in shape.channels), shape.strides)
    return type(shape)(shape.width * times)

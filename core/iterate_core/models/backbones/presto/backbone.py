"""Presto as a backbone: pixel by pixel over (n, bands, dates, height, width)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.blocks import Blocks, transformer_blocks
from iterate_core.models.backbones.presto.card import CARD
from iterate_core.models.backbones.presto.encoder import FRAMES, GROUPS, WIDTH, Presto, load_presto
from iterate_core.models.backbones.presto.options import PrestoOptions
from iterate_core.models.backbones.transformer.backbone import ready
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled


class PrestoBackbone(Backbone):
    """A map of every pixel's vector, or their mean.

    Pixels are encoded in chunks. In training a chunk is encoded again for its gradient, so that
    memory does not grow with the image (Chen et al., "Training Deep Nets with Sublinear Memory
    Cost", 2016).

    Args:
        encoder: The encoder.
        inputs: What it is built for.
        options: See `PrestoOptions`.
    """

    takes_frames = True

    def __init__(self, encoder: Presto, inputs: Inputs, options: PrestoOptions) -> None:
        super().__init__(Maps((WIDTH,), (1,)) if inputs.dense else Pooled(WIDTH), 1)
        self.encoder = encoder
        self.groups = inputs.modalities
        self.options = options
        names = {name for name, _ in self.groups}
        names |= {"NDVI"} if {"S2_RGB", "S2_NIR_10m"} <= names else set()
        for name in GROUPS.keys() - names:
            encoder.eo_patch_embed[name].requires_grad_(False)
        encoder.dw_embed.requires_grad_(False)

    def blocks(self) -> Blocks:
        """See `Backbone.blocks`."""
        return transformer_blocks(self.encoder)

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor | list[Tensor]:
        """See `Backbone.forward`."""
        series = images if images.ndim == 5 else images[:, :, None]
        count, _, dates, height, width = series.shape
        told = context if self.options.coordinates else None
        months = self._months(None if told is None else told.dates, count, dates, images)
        places = images.new_full((count, 2), torch.nan)
        if told is not None and told.places is not None:
            places = told.places.to(images.dtype)
        pixels = series.permute(0, 3, 4, 2, 1).reshape(count * height * width, dates, -1)
        each = height * width
        whole = (pixels, *(known.repeat_interleave(each, dim=0) for known in (months, places)))
        if torch.compiler.is_exporting():  # of a batch whose size is not known yet
            vectors = self._encoded(*whole)
        else:
            chunks = zip(*(torch.split(part, self.options.chunk) for part in whole), strict=True)
            vectors = torch.cat([self._encoded(*chunk) for chunk in chunks])
        maps = vectors.view(count, height, width, WIDTH)
        return maps.mean(dim=(1, 2)) if isinstance(self.shape, Pooled) else [maps.movedim(3, 1)]

    def _encoded(self, pixels: Tensor, months: Tensor, places: Tensor) -> Tensor:
        if torch.is_grad_enabled() and any(p.requires_grad for p in self.encoder.parameters()):
            found: Tensor = checkpoint(
                self._vectors, pixels, months, places, use_reentrant=False, preserve_rng_state=False
            )
            return found
        return self._vectors(pixels, months, places)

    def _vectors(self, pixels: Tensor, months: Tensor, places: Tensor) -> Tensor:
        parts = torch.split(pixels, [count for _, count in self.groups], dim=-1)
        groups = {name: part for (name, _), part in zip(self.groups, parts, strict=True)}
        vectors: Tensor = self.encoder(groups, months, places)
        return vectors

    def _months(self, days: Tensor | None, count: int, dates: int, images: Tensor) -> Tensor:
        """(n, dates) months from 0; those that are unknown follow `options.month`."""
        steps = torch.arange(dates, device=images.device)
        assumed = ((self.options.month - 1 + steps) % 12).expand(count, -1)
        if days is None:
            return assumed
        known = ~days.isnan().any(dim=-1)
        return torch.where(known, month_of(days.nan_to_num(1.0)), assumed)


def month_of(dates: Tensor) -> Tensor:
    """Months from 0: (…) whole numbers from (…, 2) years and days of the year."""
    year, day = dates.unbind(-1)
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    ends = torch.tensor([31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334], device=dates.device)
    later = ends + (leap[..., None] & (ends > 31))
    return (day[..., None] > later).sum(dim=-1)


def build(options: PrestoOptions, inputs: Inputs, meta: bool) -> PrestoBackbone:
    """Build Presto as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model, or there are too many dates.
    """
    if inputs.frames > FRAMES:
        what = f"Presto takes up to {FRAMES} dates, and the dataset has {inputs.frames}."
        raise RequestError(Problem("model.backbone.name", what))
    encoder = ready(Presto, load_presto, options, CARD, meta=meta)
    return PrestoBackbone(encoder, inputs, options)

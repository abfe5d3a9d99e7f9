"""Tessera as a backbone: pixel by pixel over (n, bands, dates, height, width)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torchgeo.models
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.checkpoints import load_strictly
from iterate_core.models.backbones.tessera.card import CARDS, OPTICAL_BANDS, PARTS, WIDTHS
from iterate_core.models.backbones.tessera.options import TesseraOptions
from iterate_core.models.backbones.transformer.backbone import ready
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled

_DAYS = 365


class TesseraBackbone(Backbone):
    """A map of every pixel's vector, or their mean.

    Pixels are encoded in chunks. In training a chunk is encoded again for its gradient, with the
    same dropout, so that memory does not grow with the image (Chen et al., "Training Deep Nets
    with Sublinear Memory Cost", 2016).

    Args:
        encoder: Tessera, or its encoder of one sensor, as TorchGeo builds it.
        inputs: What it is built for.
        options: See `TesseraOptions`.
    """

    takes_frames = True

    def __init__(self, encoder: nn.Module, inputs: Inputs, options: TesseraOptions) -> None:
        width = WIDTHS[options.name]
        super().__init__(Maps((width,), (1,)) if inputs.dense else Pooled(width), 1)
        self.encoder = encoder
        self.options = options
        self.width = width
        # The model of both sensors takes the days behind each sensor's bands.
        self.joint = PARTS[options.name] is None

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor | list[Tensor]:
        """See `Backbone.forward`."""
        series = images if images.ndim == 5 else images[:, :, None]
        count, _, dates, height, width = series.shape
        told = context.dates if context is not None and self.options.coordinates else None
        days = days_of(told, count, dates, images)
        pixels = series.permute(0, 3, 4, 2, 1).reshape(count * height * width, dates, -1)
        when = days.repeat_interleave(height * width, dim=0)[..., None]
        # The meta device has no memory to save, and every chunk takes time; of a batch whose size
        # is not known yet there are none.
        if images.is_meta or torch.compiler.is_exporting():
            vectors = self._encoded(pixels, when)
        else:
            chunk = self.options.chunk
            chunks = zip(torch.split(pixels, chunk), torch.split(when, chunk), strict=True)
            vectors = torch.cat([self._encoded(*chunk) for chunk in chunks])
        maps = vectors.view(count, height, width, self.width)
        return maps.mean(dim=(1, 2)) if isinstance(self.shape, Pooled) else [maps.movedim(3, 1)]

    def _encoded(self, pixels: Tensor, days: Tensor) -> Tensor:
        if torch.is_grad_enabled() and any(p.requires_grad for p in self.encoder.parameters()):
            found: Tensor = checkpoint(self._vectors, pixels, days, use_reentrant=False)
            return found
        return self._vectors(pixels, days)

    def _vectors(self, pixels: Tensor, days: Tensor) -> Tensor:
        parts = [pixels, days]
        if self.joint:
            parts = [pixels[..., :OPTICAL_BANDS], days, pixels[..., OPTICAL_BANDS:], days]
        vectors: Tensor = self.encoder(torch.cat(parts, dim=-1))
        return vectors


def days_of(told: Tensor | None, count: int, dates: int, images: Tensor) -> Tensor:
    """Days of the year, (n, dates); unknown ones lie in the middle of equal parts of the year.

    Args:
        told: (n, dates, 2) year and day of the year, NaN where unknown; or None.
        count: n.
        dates: Of a sample.
        images: Give device and type.
    """
    steps = torch.arange(dates, device=images.device, dtype=images.dtype)
    spread = (((steps + 0.5) * _DAYS / dates).floor() + 1).expand(count, -1)
    if told is None:
        return spread
    days = told[..., 1].to(images.dtype)
    return torch.where(days.isnan(), spread, days)


def build(options: TesseraOptions, inputs: Inputs, meta: bool) -> TesseraBackbone:
    """Build Tessera, or its encoder of one sensor, as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model.
    """
    make = partial(_make, PARTS[options.name])
    encoder = ready(make, _load, options, CARDS[options.name], meta=meta)
    return TesseraBackbone(encoder, inputs, options)


def _make(part: str | None) -> nn.Module:
    models: Any = torchgeo.models
    whole: nn.Module = models.Tessera()
    return whole if part is None else whole.get_submodule(part)


def _load(encoder: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    load_strictly(encoder, tensors, source)

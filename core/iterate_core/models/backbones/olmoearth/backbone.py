"""OlmoEarth as a backbone: several sensors and dates of (n, bands, dates, height, width)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.base import Context
from iterate_core.models.backbones.olmoearth.card import CARDS, CONFIGURATIONS, PARTS
from iterate_core.models.backbones.olmoearth.encoder import OlmoEarth, load_olmoearth
from iterate_core.models.backbones.olmoearth.options import OlmoEarthOptions
from iterate_core.models.backbones.presto.backbone import month_of
from iterate_core.models.backbones.transformer.backbone import (
    TokenBackbone,
    configured,
    ready,
    taps_within,
)
from iterate_core.models.inputs import Inputs

_METRES = 10.0
_YEAR, _MIDDLE = 2020, 15
"""Year and day of the month that unknown dates are given; only their distances count."""


class OlmoEarthBackbone(TokenBackbone):
    """OlmoEarth; see `TokenBackbone`."""

    encoder: OlmoEarth
    takes_frames = True

    def __init__(self, encoder: OlmoEarth, inputs: Inputs, options: OlmoEarthOptions) -> None:
        width = encoder.configuration.width
        taps = taps_within(options, encoder.configuration.depth)
        super().__init__(encoder, inputs, taps, width, width)
        self.options = options
        self.counts = [count for _, count in inputs.modalities]

    def tokens(self, images: Tensor, context: Context | None) -> list[Tensor]:
        """See `TokenBackbone.tokens`."""
        series = images if images.ndim == 5 else images[:, :, None]
        told = context.dates if context is not None and self.options.coordinates else None
        assumed = assumed_timestamps(self.options.month, series.shape[2], images.device)
        timestamps = assumed.expand(len(series), -1, -1)
        if told is not None:
            known = ~told.isnan().any(dim=-1, keepdim=True)
            timestamps = torch.where(known, timestamps_of(told.nan_to_num(1.0)), timestamps)
        parts = torch.split(series, self.counts, dim=1)
        outputs: list[Tensor] = self.encoder(parts, timestamps)
        return outputs

    def vector(self, tokens: Tensor) -> Tensor:
        """See `TokenBackbone.vector`: the mean of all tokens."""
        return tokens.mean(dim=1)


def timestamps_of(dates: Tensor) -> Tensor:
    """Days of the month from 1, months from 0 and years: (…, 3) from (…, 2) years and days."""
    year, day = dates.unbind(-1)
    month = month_of(dates)
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    starts = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
    before = torch.tensor(starts, device=dates.device)[month] + (leap & (month > 1))
    return torch.stack([day.long() - before, month, year.long()], dim=-1)


def assumed_timestamps(month: int, dates: int, device: torch.device) -> Tensor:
    """(1, dates, 3): middles of months, from the first one's number on."""
    months = month - 1 + torch.arange(dates, device=device)
    days = torch.full_like(months, _MIDDLE)
    return torch.stack([days, months % 12, _YEAR + months // 12], dim=-1)[None]


def build(options: OlmoEarthOptions, inputs: Inputs, meta: bool) -> OlmoEarthBackbone:
    """Build OlmoEarth as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model, or a sensor is asked for twice.
    """
    configuration = replace(configured(options, CONFIGURATIONS), patch=options.patch)
    names = [name for name, _ in inputs.modalities]
    sensors = [PARTS[configuration.version][name].sensor for name in names]
    if len(set(sensors)) < len(sensors):
        what = f"{' and '.join(names)} are bands of one sensor, which the model takes once."
        raise RequestError(Problem("model.backbone.modalities", what))
    metres = options.metres or inputs.metres or _METRES
    make = partial(OlmoEarth, configuration, names, metres, options.drop_path)
    encoder = ready(make, load_olmoearth, options, CARDS[options.name], meta=meta)
    return OlmoEarthBackbone(encoder, inputs, options)

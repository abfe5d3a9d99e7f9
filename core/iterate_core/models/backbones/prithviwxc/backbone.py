"""Prithvi-WxC as a backbone: fields of the weather of (n, bands, dates, height, width)."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from iterate_core.data.merra2 import FIELDS, STATIC
from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.base import Context
from iterate_core.models.backbones.prithviwxc.card import (
    CARDS,
    CLIMATOLOGY,
    CONFIGURATIONS,
    DATES,
    SURFACE,
    WEATHER,
)
from iterate_core.models.backbones.prithviwxc.encoder import PrithviWxcEncoder, load_prithviwxc
from iterate_core.models.backbones.prithviwxc.options import PrithviWxcOptions
from iterate_core.models.backbones.transformer.backbone import (
    TokenBackbone,
    configured,
    ready,
    taps_within,
)
from iterate_core.models.inputs import Inputs

_METRES_A_DEGREE = 111_320.0
"""Along a meridian, and along the equator."""


class PrithviWxcBackbone(TokenBackbone):
    """Prithvi-WxC; see `TokenBackbone`."""

    encoder: PrithviWxcEncoder
    takes_frames = True

    def __init__(
        self, encoder: PrithviWxcEncoder, inputs: Inputs, options: PrithviWxcOptions
    ) -> None:
        width = encoder.configuration.width
        taps = taps_within(options, encoder.configuration.depth)
        super().__init__(encoder, inputs, taps, width, width)
        self.options = options
        self.modalities = dict(inputs.modalities)
        self.metres = inputs.metres
        self.size = inputs.size

    def tokens(self, images: Tensor, context: Context | None) -> list[Tensor]:
        """See `TokenBackbone.tokens`."""
        series = images if images.ndim == 5 else images[:, :, None]
        parts = torch.split(series, list(self.modalities.values()), dim=1)
        given = dict(zip(self.modalities, parts, strict=True))
        weather = given[WEATHER].expand(-1, -1, DATES, -1, -1)
        last = {name: part[:, :, -1] for name, part in given.items()}
        told = context if self.options.coordinates else None
        dates = None if told is None else told.dates
        static = self._static(last, dates, weather)
        places = self._places(None if told is None else told.places, weather)
        outputs: list[Tensor] = self.encoder(weather, static, places, self._hours(dates, weather))
        return outputs

    def vector(self, tokens: Tensor) -> Tensor:
        """See `TokenBackbone.vector`: the mean of all tokens."""
        return tokens.mean(dim=1)

    def _static(self, last: dict[str, Tensor], dates: Tensor | None, weather: Tensor) -> Tensor:
        """(n, 168, height, width): codes of time, what lies there, the climate; zeros if unknown.

        The library puts the cosine first.
        """
        count, _, _, height, width = weather.shape
        codes = weather.new_zeros((count, 4))
        if dates is not None:
            turns = dates[:, -1, 1] / 366
            codes[:, 0] = (2 * math.pi * turns).cos().nan_to_num(0.0)
            codes[:, 1] = (2 * math.pi * turns).sin().nan_to_num(0.0)
        if self.options.hour is not None:
            angle = 2 * math.pi * self.options.hour / 24
            codes[:, 2], codes[:, 3] = math.cos(angle), math.sin(angle)
        parts = [codes[..., None, None].expand(-1, -1, height, width)]
        for name, fields in ((SURFACE, STATIC), (CLIMATOLOGY, FIELDS)):
            unknown = weather.new_zeros(()).expand(count, len(fields), height, width)
            parts.append(last.get(name, unknown))
        return torch.cat(parts, dim=1)

    def _hours(self, dates: Tensor | None, weather: Tensor) -> Tensor:
        """(n, 2): between the dates, and to what is predicted."""
        assumed = weather.new_tensor([self.options.input_hours, self.options.lead_hours])
        hours = assumed.expand(len(weather), -1)
        if dates is None or dates.shape[1] < DATES:
            return hours
        between = 24 * (days_of(dates[:, 1]) - days_of(dates[:, 0]))[:, None].to(hours.dtype)
        told = torch.where(between > 0, between, hours[:, :1])  # not where one is unknown
        return torch.cat([told, hours[:, 1:]], dim=1)

    def _places(self, places: Tensor | None, weather: Tensor) -> Tensor:
        """(n, 2, height, width) latitudes and longitudes of every pixel; NaN where unknown."""
        shape = (len(weather), *weather.shape[-2:])
        if places is None:
            return weather.new_full((shape[0], 2, *shape[1:]), math.nan)
        latitude, longitude = places.to(weather.dtype)[..., None, None].unbind(1)
        south, east = self._steps(latitude)
        # Of the image's middle; padding lies below it and to its right.
        height, width = self.size
        rows = torch.arange(shape[1], device=weather.device)[:, None] - (height - 1) / 2
        columns = torch.arange(shape[2], device=weather.device) - (width - 1) / 2
        axes = latitude - rows * south, longitude + columns * east
        return torch.stack([axis.expand(shape) for axis in axes], dim=1)

    def _steps(self, latitude: Tensor) -> tuple[float | Tensor, float | Tensor]:
        """Degrees from a row to the next, and from a column to the next."""
        if self.options.degrees is not None:
            return self.options.degrees
        step = (self.metres or 0.0) / _METRES_A_DEGREE
        return step, step / latitude.deg2rad().cos().clamp(min=1e-2)


def days_of(dates: Tensor) -> Tensor:
    """Days since 2001 began, in the Gregorian calendar: (…) from (…, 2) years and days."""
    year, day = dates.unbind(-1)
    before = year - 2001
    return 365 * before + before // 4 - before // 100 + before // 400 + day


def build(options: PrithviWxcOptions, inputs: Inputs, meta: bool) -> PrithviWxcBackbone:
    """Build Prithvi-WxC as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model, there are too many dates, or no
            field of the weather is among the bands.
    """
    if inputs.frames > DATES:
        what = f"Prithvi-WxC takes one date or two, and the dataset has {inputs.frames}."
        raise RequestError(Problem("model.backbone.name", what))
    if WEATHER not in dict(inputs.modalities):
        what = f"must name {WEATHER!r}, the fields that the model reads at each date."
        raise RequestError(Problem("model.backbone.modalities", what))
    configuration = configured(options, CONFIGURATIONS)
    make = partial(PrithviWxcEncoder, configuration, options.unit, options.shift, options.drop_path)
    encoder = ready(make, load_prithviwxc, options, CARDS[options.name], meta=meta)
    return PrithviWxcBackbone(encoder, inputs, options)

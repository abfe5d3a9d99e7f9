"""Clay as a backbone."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from iterate_core.models.backbones.base import Context
from iterate_core.models.backbones.clay.card import CARDS, CONFIGURATIONS
from iterate_core.models.backbones.clay.encoder import Clay, load_clay
from iterate_core.models.backbones.clay.options import ClayOptions
from iterate_core.models.backbones.transformer.backbone import (
    TokenBackbone,
    configured,
    metres_of,
    ready,
    taps_within,
)
from iterate_core.models.inputs import Inputs

_WEEKS = 52


class ClayBackbone(TokenBackbone):
    """Clay; see `TokenBackbone`."""

    encoder: Clay

    def __init__(self, encoder: Clay, inputs: Inputs, options: ClayOptions, metres: float) -> None:
        width = encoder.configuration.width
        super().__init__(
            encoder, inputs, taps_within(options, encoder.configuration.depth), width, width
        )
        self.options = options
        self.metres = metres
        self.wavelengths = [band.wavelength or 0.0 for band in inputs.bands]

    def tokens(self, images: Tensor, context: Context | None) -> list[Tensor]:
        """See `TokenBackbone.tokens`."""
        time = place = None
        if context is not None and self.options.coordinates:
            time = None if context.dates is None else week_code(context.dates[:, 0])
            place = None if context.places is None else place_code(context.places)
        return self.encoder(images, self.wavelengths, self.metres, time, place)  # type: ignore[no-any-return]

    def vector(self, tokens: Tensor) -> Tensor:
        """See `TokenBackbone.vector`."""
        return self.encoder.pooled(tokens, self.options.pooling)


def week_code(dates: Tensor) -> Tensor:
    """Sine and cosine of the week, and zeros for the hour, which datasets do not tell.

    Args:
        dates: (n, 2) year and day of the year; NaN gives zeros, as the model takes what is absent.

    Returns:
        (n, 4).
    """
    week = torch.div(dates[:, 1] - 1, 7, rounding_mode="floor") + 1
    angle = 2 * math.pi * week / _WEEKS
    hour = torch.zeros_like(angle)
    return torch.stack([angle.sin(), angle.cos(), hour, hour], dim=1).nan_to_num(0.0)


def place_code(places: Tensor) -> Tensor:
    """Sines and cosines of latitude, then of longitude: (n, 2) degrees to (n, 4); NaN to zeros."""
    north, east = torch.deg2rad(places).unbind(1)
    return torch.stack([north.sin(), north.cos(), east.sin(), east.cos()], dim=1).nan_to_num(0.0)


def build(options: ClayOptions, inputs: Inputs, meta: bool) -> ClayBackbone:
    """Build a Clay encoder as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model, or the ground size of a pixel is
            unknown.
    """
    metres = metres_of(options.metres, inputs, "Clay")
    configuration = configured(options, CONFIGURATIONS)
    make = partial(Clay, configuration)
    encoder = ready(make, load_clay, options, CARDS[options.name], meta=meta)
    return ClayBackbone(encoder, inputs, options, metres)

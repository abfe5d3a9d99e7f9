"""Prithvi-EO as a backbone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from iterate_core.models.backbones.base import Context
from iterate_core.models.backbones.prithvi.card import CARDS, CONFIGURATIONS, PRITHVI_BANDS
from iterate_core.models.backbones.prithvi.encoder import Prithvi, load_prithvi
from iterate_core.models.backbones.prithvi.options import PrithviOptions
from iterate_core.models.backbones.transformer.backbone import (
    TokenBackbone,
    configured,
    ready,
    taps_within,
)
from iterate_core.models.inputs import Inputs

_PATCHES = "patch_embed.proj.weight"


class PrithviBackbone(TokenBackbone):
    """Prithvi-EO; see `TokenBackbone`."""

    encoder: Prithvi
    takes_frames = True

    def __init__(self, encoder: Prithvi, inputs: Inputs, options: PrithviOptions) -> None:
        configuration = encoder.configuration
        width = configuration.width
        taps = taps_within(options, configuration.depth)
        super().__init__(encoder, inputs, taps, inputs.frames * width, width)
        self.options = options

    def tokens(self, images: Tensor, context: Context | None) -> list[Tensor]:
        """See `TokenBackbone.tokens`; only "TL" models are told dates and places."""
        told = self.options.coordinates and self.encoder.configuration.coordinates
        if context is None or not told:
            return self.encoder(images)  # type: ignore[no-any-return]
        return self.encoder(images, context.dates, context.places)  # type: ignore[no-any-return]

    def vector(self, tokens: Tensor) -> Tensor:
        """See `TokenBackbone.vector`."""
        return self.encoder.pooled(tokens, self.options.pooling)


def build(options: PrithviOptions, inputs: Inputs, meta: bool) -> PrithviBackbone:
    """Build a Prithvi-EO encoder as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model.
    """
    channels = len(inputs.bands)
    configuration = configured(options, CONFIGURATIONS)
    make = partial(Prithvi, configuration, inputs.frames, channels, options.drop_path)
    load = partial(_load, channels - len(PRITHVI_BANDS))
    encoder = ready(make, load, options, CARDS[options.name], meta=meta)
    return PrithviBackbone(encoder, inputs, options)


def _load(added: int, encoder: Prithvi, tensors: Mapping[str, Tensor], source: str) -> None:
    """As `load_prithvi`, with random weights for channels that pretraining did not have."""
    grown: dict[str, Any] = dict(tensors)
    for name, weight in tensors.items():
        if added and name.endswith(_PATCHES) and weight.ndim == 5:
            fresh = torch.empty(len(weight), added, *weight.shape[2:])
            nn.init.xavier_uniform_(fresh.view(len(weight), -1))
            grown[name] = torch.cat([weight, fresh], dim=1)
    load_prithvi(encoder, grown, source)

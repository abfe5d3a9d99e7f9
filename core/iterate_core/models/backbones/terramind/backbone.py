"""TerraMind as a backbone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from iterate_core.models.backbones.base import Context
from iterate_core.models.backbones.terramind.card import CARDS, CONFIGURATIONS
from iterate_core.models.backbones.terramind.encoder import TerraMind, load_terramind
from iterate_core.models.backbones.terramind.options import TerraMindOptions
from iterate_core.models.backbones.transformer.backbone import (
    TokenBackbone,
    configured,
    ready,
    taps_within,
)
from iterate_core.models.inputs import Inputs


class TerraMindBackbone(TokenBackbone):
    """TerraMind; see `TokenBackbone`."""

    encoder: TerraMind

    def __init__(self, encoder: TerraMind, inputs: Inputs, options: TerraMindOptions) -> None:
        taps = taps_within(options, encoder.configuration.depth)
        super().__init__(encoder, inputs, taps, encoder.width, encoder.width)
        self.counts = [count for _, count in inputs.modalities]

    def tokens(
        self,
        images: Tensor | Mapping[str, Tensor],
        context: Context | None,  # noqa: ARG002
    ) -> list[Tensor]:
        """See `TokenBackbone.tokens`."""
        if isinstance(images, Tensor):
            parts = torch.split(images, self.counts, dim=1)
            images = dict(zip(self.encoder.modalities, parts, strict=True))
        return self.encoder(images)  # type: ignore[no-any-return]

    def vector(self, tokens: Tensor) -> Tensor:
        """See `TokenBackbone.vector`."""
        return self.encoder.pooled(tokens)


def build(options: TerraMindOptions, inputs: Inputs, meta: bool) -> TerraMindBackbone:
    """Build a TerraMind encoder as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model.
    """
    configuration = configured(options, CONFIGURATIONS)
    make = partial(
        TerraMind,
        configuration,
        [name for name, _ in inputs.modalities],
        options.merging,
        options.modality_dropout,
        options.drop_path,
    )
    encoder = ready(make, load_terramind, options, CARDS[options.name], meta=meta)
    return TerraMindBackbone(encoder, inputs, options)

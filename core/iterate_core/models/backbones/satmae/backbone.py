"""SatMAE as a backbone."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from iterate_core.models.backbones.base import Context
from iterate_core.models.backbones.satmae.card import CARDS, CONFIGURATIONS, SATMAE_GROUPS
from iterate_core.models.backbones.satmae.encoder import SatMae, load_satmae
from iterate_core.models.backbones.satmae.options import SatMaeOptions
from iterate_core.models.backbones.transformer.backbone import (
    TokenBackbone,
    configured,
    ready,
    taps_within,
)
from iterate_core.models.inputs import Inputs


class SatMaeBackbone(TokenBackbone):
    """SatMAE with group channels; see `TokenBackbone`."""

    encoder: SatMae

    def __init__(self, encoder: SatMae, inputs: Inputs, options: SatMaeOptions) -> None:
        width = encoder.configuration.width
        channels = width * (len(SATMAE_GROUPS) if options.grouping == "concat" else 1)
        super().__init__(
            encoder, inputs, taps_within(options, encoder.configuration.depth), channels, width
        )
        self.options = options

    def tokens(self, images: Tensor, context: Context | None) -> list[Tensor]:  # noqa: ARG002
        """See `TokenBackbone.tokens`."""
        return self.encoder(images)  # type: ignore[no-any-return]

    def vector(self, tokens: Tensor) -> Tensor:
        """See `TokenBackbone.vector`."""
        return self.encoder.pooled(tokens, self.options.pooling)

    def map(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """See `TokenBackbone.map`."""
        return self.encoder.feature_map(tokens, size, self.options.grouping)


def build(options: SatMaeOptions, inputs: Inputs, meta: bool) -> SatMaeBackbone:
    """Build a SatMAE encoder as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model.
    """
    configuration = configured(options, CONFIGURATIONS)
    make = partial(SatMae, configuration, options.drop_path)
    encoder = ready(make, load_satmae, options, CARDS[options.name], meta=meta)
    return SatMaeBackbone(encoder, inputs, options)

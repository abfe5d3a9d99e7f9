"""DOFA as a backbone."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from iterate_core.models.backbones.base import Context
from iterate_core.models.backbones.dofa.card import CARDS, CONFIGURATIONS
from iterate_core.models.backbones.dofa.encoder import Dofa, load_dofa
from iterate_core.models.backbones.dofa.options import DofaOptions
from iterate_core.models.backbones.transformer.backbone import (
    TokenBackbone,
    configured,
    ready,
    taps_within,
)
from iterate_core.models.inputs import Inputs


class DofaBackbone(TokenBackbone):
    """DOFA; see `TokenBackbone`."""

    encoder: Dofa

    def __init__(self, encoder: Dofa, inputs: Inputs, options: DofaOptions) -> None:
        width = encoder.configuration.width
        super().__init__(
            encoder, inputs, taps_within(options, encoder.configuration.depth), width, width
        )
        self.wavelengths = [band.wavelength or 0.0 for band in inputs.bands]

    def tokens(self, images: Tensor, context: Context | None) -> list[Tensor]:  # noqa: ARG002
        """See `TokenBackbone.tokens`."""
        return self.encoder(images, self.wavelengths)  # type: ignore[no-any-return]

    def vector(self, tokens: Tensor) -> Tensor:
        """See `TokenBackbone.vector`."""
        return self.encoder.pooled(tokens)


def build(options: DofaOptions, inputs: Inputs, meta: bool) -> DofaBackbone:
    """Build a DOFA encoder as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model.
    """
    configuration = configured(options, CONFIGURATIONS)
    make = partial(Dofa, configuration, options.drop_path)
    encoder = ready(make, load_dofa, options, CARDS[options.name], meta=meta)
    if inputs.dense:
        encoder.set_submodule("fc_norm", nn.Identity())  # norms the pooled vector alone
    return DofaBackbone(encoder, inputs, options)

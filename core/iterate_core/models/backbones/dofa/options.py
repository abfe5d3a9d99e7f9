"""What a recipe may say of DOFA. Imports no torch."""

from __future__ import annotations

from iterate_core.models.backbones.transformer.options import EncoderOptions, Rate


class DofaOptions(EncoderOptions):
    """DOFA.

    Attributes:
        drop_path: Rate of stochastic depth at the last block.
    """

    drop_path: Rate = 0.0

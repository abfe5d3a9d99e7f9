"""Learning rates that fall from block to block."""

from __future__ import annotations

from torch import nn

from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.blocks import named_blocks
from iterate_core.models.tuning.full import Full
from iterate_core.models.tuning.options import LayerwiseOptions


class Layerwise(Full):
    """All of the backbone trains, the slower the nearer to the input.

    The rate of block i of n, counted from 1 at the input, is decay^(n − i) of the decoder's, and
    what comes before the blocks (patches, positions, a stem) has decay^n: Clark et al., "ELECTRA",
    2020, and Bao et al., "BEiT", 2022, who count the decoder as one more layer.
    """

    def __init__(self, options: LayerwiseOptions) -> None:
        super().__init__(options)
        self._decay = options.decay

    def prepare(self, backbone: Backbone) -> Backbone:
        """See `Tuning.prepare`.

        Raises:
            RequestError: The backbone names no blocks.
        """
        named_blocks(backbone, "by which learning rates could fall")
        return super().prepare(backbone)

    def groups(self, backbone: Backbone) -> list[tuple[float, list[nn.Parameter]]]:
        """See `Tuning.groups`: from the input on, a group a block."""
        blocks = backbone.blocks()
        number = {
            value: count
            for count, block in enumerate(blocks, start=1)
            for module in block
            for value in module.parameters()
        }
        found: dict[int, list[nn.Parameter]] = {}
        for value in backbone.parameters():
            if value.requires_grad:
                found.setdefault(number.get(value, 0), []).append(value)
        return [(self._decay ** (len(blocks) - count), found[count]) for count in sorted(found)]

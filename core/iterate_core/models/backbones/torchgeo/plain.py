"""What TorchGeo's plain vision transformers have in common as backbones."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor, nn

from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.blocks import Blocks, transformer_blocks
from iterate_core.models.backbones.transformer.backbone import taps_within
from iterate_core.models.backbones.transformer.options import EncoderOptions
from iterate_core.models.backbones.transformer.tokens import grid_of, to_map
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled


class PlainBackbone(Backbone):
    """Maps of a vision transformer after some of its blocks, or its pooled vector.

    Maps are the blocks' outputs as they are, but the last block's, which `finish` normalises.
    Blocks behind the last that is asked for are left out.

    Args:
        model: Has `blocks`, and tokens of one class token and the patches, row by row.
        norm: Name of the model's last norm; None for a model that norms pooled vectors alone.
        inputs: What it is built for.
        options: Which maps are wanted.
        patch: Side of a patch in pixels.
        width: Length of a token.
    """

    def __init__(
        self,
        model: nn.Module,
        norm: str | None,
        inputs: Inputs,
        options: EncoderOptions,
        patch: int,
        width: int,
    ) -> None:
        blocks: Any = model.blocks
        taps = taps_within(options, len(blocks))
        maps = Maps((width,) * len(taps), (patch,) * len(taps))
        super().__init__(maps if inputs.dense else Pooled(width), patch)
        self.normed = norm is not None and (not inputs.dense or len(blocks) - 1 in taps)
        if inputs.dense:
            model.blocks = blocks[: max(taps) + 1]
            if norm is not None and not self.normed:
                model.set_submodule(norm, nn.Identity())
        self.model = model
        self.norm = norm
        self.patch = patch
        self.taps = taps

    def blocks(self) -> Blocks:
        """See `Backbone.blocks`."""
        return transformer_blocks(self.model)

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor | list[Tensor]:
        """See `Backbone.forward`."""
        padded = self.pad(images)
        grid = grid_of((padded.shape[-2], padded.shape[-1]), self.patch)
        tokens = self.embed(padded, context)
        outputs = []
        blocks: Any = self.model.blocks
        for block in blocks:
            tokens = block(tokens)
            outputs.append(tokens)
        if self.normed and self.norm is not None:
            outputs[-1] = self.model.get_submodule(self.norm)(tokens)
        if isinstance(self.shape, Pooled):
            return self.vector(outputs[-1])
        return [to_map(outputs[tap], grid, prefix=1) for tap in self.taps]

    @abstractmethod
    def embed(self, images: Tensor, context: Context | None) -> Tensor:
        """(n, 1 + rows·columns, width): the tokens that enter the first block."""

    @abstractmethod
    def vector(self, tokens: Tensor) -> Tensor:
        """(n, width) from the last block's tokens, normed if the model has a norm for them."""

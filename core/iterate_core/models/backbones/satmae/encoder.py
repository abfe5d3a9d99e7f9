"""SatMAE for multispectral images: groups of bands become tokens of their own.

Cong et al., "SatMAE: Pre-training Transformers for Temporal and Multi-Spectral Satellite
Imagery" (2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn

from iterate_core.models.backbones.checkpoints import load_strictly, without
from iterate_core.models.backbones.satmae.card import (
    SATMAE_BANDS,
    SATMAE_GROUPS,
)
from iterate_core.models.backbones.transformer.card import Configuration
from iterate_core.models.backbones.transformer.positions import index_codes, resize_table, table_2d
from iterate_core.models.backbones.transformer.tokens import (
    Pooling,
    check_channels,
    grid_of,
    pool,
    run_blocks,
    to_map,
    vit_blocks,
)

_EPS = 1e-6
_GROUP_CODE = 256
Grouping = Literal["mean", "concat"]


class SatMae(nn.Module):
    """The multispectral encoder of SatMAE with group channels.

    Args:
        configuration: Its size.
        drop_path: Rate of stochastic depth at the last block.
    """

    def __init__(self, configuration: Configuration, drop_path: float = 0.0) -> None:
        super().__init__()
        width, side = configuration.width, configuration.size
        self.configuration = configuration
        self.native = grid_of((side, side), configuration.patch)
        self.patch_embed = nn.ModuleList(
            PatchEmbed(None, configuration.patch, len(group), width) for group in SATMAE_GROUPS
        )
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        nn.init.normal_(self.cls_token, std=0.02)
        place = width - _GROUP_CODE
        table = table_2d(place, self.native, columns_first=True)
        table = torch.cat([torch.zeros(1, 1, place), table], dim=1)
        groups = index_codes(len(SATMAE_GROUPS), _GROUP_CODE).float()[None]
        self.pos_embed = nn.Parameter(table, requires_grad=False)
        self.channel_embed = nn.Parameter(groups, requires_grad=False)
        self.channel_cls_embed = nn.Parameter(torch.zeros(1, 1, _GROUP_CODE), requires_grad=False)
        self.blocks = vit_blocks(
            width, configuration.depth, configuration.heads, _EPS, drop_path=drop_path
        )
        self.norm = nn.LayerNorm(width, eps=_EPS)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Tokens after each block.

        Args:
            images: (n, 10, height, width), bands as `SATMAE_BANDS`.

        Returns:
            For each block (n, 1 + 3·rows·columns, width), the class token first and the group of
            bands varying slowest; those of the last block are normed.

        Raises:
            RequestError: Bands or size do not fit.
        """
        check_channels(images, len(SATMAE_BANDS), self.configuration.name)
        grid = self.grid((images.shape[-2], images.shape[-1]))
        groups = [
            embed(images[:, list(group)])
            for embed, group in zip(self.patch_embed, SATMAE_GROUPS, strict=True)
        ]
        tokens = torch.cat(groups, dim=1) + self._positions(grid)
        first_position = torch.cat([self.pos_embed[:, :1], self.channel_cls_embed], dim=-1)
        first = (self.cls_token + first_position).expand(tokens.shape[0], -1, -1)
        return run_blocks(self.blocks, self.norm, torch.cat([first, tokens], dim=1))

    def _positions(self, grid: tuple[int, int]) -> Tensor:
        places = resize_table(self.pos_embed[:, 1:], self.native, grid, "bicubic", False)
        groups = self.channel_embed.shape[1]
        by_place = places[:, None].expand(-1, groups, -1, -1)
        by_group = self.channel_embed[:, :, None].expand(-1, -1, places.shape[1], -1)
        return torch.cat([by_place, by_group], dim=-1).flatten(1, 2)

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of patches in an image of `size` (height, width)."""
        return grid_of(size, self.configuration.patch)

    def feature_map(
        self, tokens: Tensor, size: tuple[int, int], grouping: Grouping = "mean"
    ) -> Tensor:
        """(n, channels, rows, columns) from one block's tokens of images of `size`.

        The three groups' tokens of a patch are averaged (channels = width) or stand side by side
        (channels = 3·width).
        """
        stacked = to_map(tokens, self.grid(size), prefix=1)
        if grouping == "concat":
            return stacked
        groups = stacked.tensor_split(len(SATMAE_GROUPS), dim=1)
        return torch.stack(groups).mean(dim=0)

    def pooled(self, tokens: Tensor, pooling: Pooling = "mean") -> Tensor:
        """(n, width) from one block's tokens: the mean of the patches, or the class token."""
        return pool(tokens, pooling)


def load_satmae(encoder: SatMae, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill an encoder from a published checkpoint of the pretrained autoencoder.

    Args:
        encoder: What to fill.
        tensors: The checkpoint's ``model``.
        source: The file they came from, for messages.

    Raises:
        RequestError: A weight is missing, left over or of another shape.
    """
    kept = without(tensors, "decoder", "mask_token")
    # The autoencoder adds nothing to its class token; the classifier adds these zeros.
    nothing = {"channel_cls_embed": torch.zeros(1, 1, _GROUP_CODE)}
    load_strictly(encoder, kept, source, defaults=nothing)

"""DOFA: a vision transformer whose patch embedding is generated from wavelengths.

Xiong et al., "Neural Plasticity-Inspired Multimodal Foundation Model for Earth Observation"
(2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from iterate_core.models.backbones.checkpoints import load_strictly, without
from iterate_core.models.backbones.transformer.card import Configuration
from iterate_core.models.backbones.transformer.positions import resize_table, sincos, table_2d
from iterate_core.models.backbones.transformer.tokens import (
    grid_of,
    pool,
    run_blocks,
    to_map,
    vit_blocks,
)
from iterate_core.models.backbones.transformer.wavelengths import (
    CODE_WIDTH,
    WeightGenerator,
    band_wavelengths,
)

_EPS = 1e-6
_SCALE = 0.01


class Dofa(nn.Module):
    """The encoder of DOFA.

    Args:
        configuration: Its size.
        drop_path: Rate of stochastic depth at the last block.
    """

    def __init__(self, configuration: Configuration, drop_path: float = 0.0) -> None:
        super().__init__()
        width = configuration.width
        self.configuration = configuration
        self.native = grid_of((configuration.size, configuration.size), configuration.patch)
        self.patch_embed = DofaEmbedding(width, configuration.patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        nn.init.normal_(self.cls_token, std=0.02)
        table = table_2d(width, self.native, columns_first=True)
        first = torch.zeros(1, 1, width)
        self.pos_embed = nn.Parameter(torch.cat([first, table], dim=1), requires_grad=False)
        self.blocks = vit_blocks(
            width, configuration.depth, configuration.heads, _EPS, drop_path=drop_path
        )
        self.fc_norm = nn.LayerNorm(width, eps=_EPS)

    def forward(self, images: Tensor, wavelengths: Tensor | Sequence[float]) -> list[Tensor]:
        """Tokens after each block.

        Args:
            images: (n, bands, height, width).
            wavelengths: Centre of each band in µm; Sentinel-1's C band is 5.405.

        Returns:
            For each block (n, 1 + rows·columns, width), the class token first, none of them
            normed.

        Raises:
            RequestError: Bands or size do not fit.
        """
        grid = self.grid((images.shape[-2], images.shape[-1]))
        tokens = self.patch_embed(images, band_wavelengths(wavelengths, images))
        positions = self.pos_embed
        places = resize_table(positions[:, 1:], self.native, grid, "bilinear", False)
        first = (self.cls_token + positions[:, :1]).expand(tokens.shape[0], -1, -1)
        return run_blocks(self.blocks, None, torch.cat([first, tokens + places], dim=1))

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of patches in an image of `size` (height, width)."""
        return grid_of(size, self.configuration.patch)

    def feature_map(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """(n, width, rows, columns) from one block's tokens of images of `size`."""
        return to_map(tokens, self.grid(size), prefix=1)

    def pooled(self, tokens: Tensor) -> Tensor:
        """(n, width): the normed mean of one block's tokens without the class token."""
        vector: Tensor = self.fc_norm(pool(tokens, "mean"))
        return vector


class DofaEmbedding(nn.Module):
    """(n, bands, height, width) and (bands,) wavelengths in µm to (n, rows·columns, width)."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.width, self.patch = width, patch
        self.weight_generator = WeightGenerator(patch * patch * width, width, "transformer_encoder")
        self.fclayer = DofaResidual()

    def forward(self, images: Tensor, wavelengths: Tensor) -> Tensor:
        """See the class."""
        # The codes are of nanometres, and too fine for half precision.
        codes = self.fclayer(sincos(wavelengths * 1000, CODE_WIDTH).to(images.dtype))
        weights, bias = self.weight_generator(codes)
        kernel = weights.view(-1, self.patch, self.patch, self.width).permute(3, 0, 1, 2)
        patches = functional.conv2d(
            images, kernel * _SCALE, bias * _SCALE, stride=self.patch, padding=1
        )
        return patches.flatten(2).transpose(1, 2)


class DofaResidual(nn.Module):
    """Two layers with ReLU beside a shortcut: (bands, 128) to the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Linear(CODE_WIDTH, CODE_WIDTH)
        self.w2 = nn.Linear(CODE_WIDTH, CODE_WIDTH)

    def forward(self, codes: Tensor) -> Tensor:
        """See the class."""
        return codes + functional.relu(self.w2(functional.relu(self.w1(codes))))


def load_dofa(encoder: Dofa, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill an encoder from a published checkpoint.

    The file holds no norm for the pooled vector, whose scale is then 1 and shift 0; a classifier
    in it is left out.

    Args:
        encoder: What to fill.
        tensors: As published.
        source: The file they came from, for messages.

    Raises:
        RequestError: A weight is missing, left over or of another shape.
    """
    width = encoder.configuration.width
    norm = {"fc_norm.weight": torch.ones(width), "fc_norm.bias": torch.zeros(width)}
    load_strictly(encoder, without(tensors, "head."), source, defaults=norm)

"""TerraMind v1: one transformer over the patches of several sensors' images.

Jakubik et al., "TerraMind: Large-Scale Generative Multimodality for Earth Observation" (2025).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from timm.layers.attention import Attention
from timm.layers.drop import DropPath
from timm.layers.mlp import Mlp
from torch import Tensor, nn
from torch.nn import functional

from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.models.backbones.checkpoints import load_strictly, without
from iterate_core.models.backbones.terramind.card import (
    TERRAMIND_MODALITIES,
    TerraMindConfiguration,
)
from iterate_core.models.backbones.transformer.positions import resize_table, table_2d
from iterate_core.models.backbones.transformer.tokens import (
    WHERE,
    check_channels,
    drop_rates,
    grid_of,
    pool,
    run_blocks,
    to_map,
)

Merging = Literal["mean", "max", "concat"]
_NATIVE = (14, 14)
_EPS = 1e-6


class TerraMind(nn.Module):
    """The encoder of TerraMind v1 on images of one or several modalities of one place.

    Args:
        configuration: Its size.
        modalities: Those that images may have: S2L2A, S2L1C, S1GRD, S1RTC, RGB, DEM.
        merging: How the modalities' tokens of one patch become one: their mean, their maximum,
            or side by side in the order of `modalities`, where a learned token stands for one
            that is absent.
        modality_dropout: In training, all but one modality are each left out at this rate.
        drop_path: Rate of stochastic depth at the last block.

    Raises:
        RequestError: A modality is unknown, given twice, or there is none.
    """

    def __init__(
        self,
        configuration: TerraMindConfiguration,
        modalities: Sequence[str] = ("S2L2A",),
        merging: Merging = "mean",
        modality_dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.configuration = configuration
        self.modalities = _checked(modalities)
        self.merging = merging
        self.modality_dropout = modality_dropout
        width = configuration.width
        self.encoder_embeddings = nn.ModuleDict(
            {
                (known := TERRAMIND_MODALITIES[name]).key: ImageEmbedding(
                    len(known.bands), width, configuration.patch
                )
                for name in self.modalities
            }
        )
        if merging == "concat":
            self.missing_mod_token = nn.Parameter(torch.zeros(width))
        self.encoder = nn.ModuleList(
            TerraMindBlock(width, configuration.heads, configuration.gated, rate)
            for rate in drop_rates(drop_path, configuration.depth)
        )
        self.encoder_norm = FixedBiasNorm(width)

    @property
    def width(self) -> int:
        """Length of a merged token."""
        return self.configuration.width * (len(self.modalities) if self.merging == "concat" else 1)

    def forward(self, images: Tensor | Mapping[str, Tensor]) -> list[Tensor]:
        """Merged tokens after each block.

        Args:
            images: (n, bands, height, width) by modality; one tensor alone is of the first.

        Returns:
            For each block (n, rows·columns, `width`); those of the last block are normed.

        Raises:
            RequestError: A modality is not the model's, or sizes or channels do not fit.
        """
        given = {self.modalities[0]: images} if isinstance(images, Tensor) else dict(images)
        self._check(given)
        if self.training and self.modality_dropout:
            given = self._dropped(given)
        embedded = [self._embedding(name)(image) for name, image in given.items()]
        outputs = run_blocks(self.encoder, self.encoder_norm, torch.cat(embedded, dim=1))
        return [self._merged(tokens, tuple(given)) for tokens in outputs]

    def _embedding(self, name: str) -> nn.Module:
        return self.encoder_embeddings[TERRAMIND_MODALITIES[name].key]

    def _check(self, given: Mapping[str, Tensor]) -> None:
        unknown = [name for name in given if name not in self.modalities]
        if unknown or not given:
            what = f"the model was not built for {', '.join(unknown) or 'images of no modality'}."
            raise RequestError(Problem(WHERE, what, f"It has {', '.join(self.modalities)}."))
        sizes = {name: f"{image.shape[-2]}×{image.shape[-1]}" for name, image in given.items()}
        if len(set(sizes.values())) > 1:
            what = f"modalities differ in size ({sizes}) and cannot be merged patch by patch."
            raise RequestError(Problem(WHERE, what, "Resample them to one size."))
        for name, image in given.items():
            check_channels(image, len(TERRAMIND_MODALITIES[name].bands), name)

    def _dropped(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        spared = int(torch.randint(len(given), ()))
        draws = torch.rand(len(given)).tolist()
        return {
            name: image
            for index, (name, image) in enumerate(given.items())
            if index == spared or draws[index] >= self.modality_dropout
        }

    def _merged(self, tokens: Tensor, names: Sequence[str]) -> Tensor:
        count, length, width = tokens.shape
        apart = tokens.reshape(count, len(names), length // len(names), width)
        if self.merging == "mean":
            return apart.mean(dim=1)
        if self.merging == "max":
            return apart.amax(dim=1)
        absent = self.missing_mod_token.expand_as(apart[:, 0])
        by_name = dict(zip(names, apart.unbind(dim=1), strict=True))
        return torch.cat([by_name.get(name, absent) for name in self.modalities], dim=-1)

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of patches in an image of `size` (height, width)."""
        return grid_of(size, self.configuration.patch)

    def feature_map(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """(n, `width`, rows, columns) from one block's merged tokens of images of `size`."""
        return to_map(tokens, self.grid(size))

    def pooled(self, tokens: Tensor) -> Tensor:
        """(n, `width`), the mean of one block's merged tokens; there is no class token."""
        return pool(tokens, "mean", prefix=0)


class ImageEmbedding(nn.Module):
    """Patches of one modality: (n, channels, height, width) to (n, rows·columns, width).

    Pixels enter the projection with the channel varying fastest. The position table's first half
    follows the row.
    """

    def __init__(self, channels: int, width: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.proj = nn.Linear(patch * patch * channels, width, bias=False)
        nn.init.xavier_uniform_(self.proj.weight)
        self.mod_emb = nn.Parameter(torch.zeros(1, 1, width))
        nn.init.normal_(self.mod_emb, std=0.02)
        self.register_buffer("pos_emb", table_2d(width, _NATIVE, columns_first=False))

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        grid = grid_of((images.shape[-2], images.shape[-1]), self.patch)
        cells = images.reshape(*images.shape[:2], grid[0], self.patch, grid[1], self.patch)
        patches = cells.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
        table = resize_table(self.get_buffer("pos_emb"), _NATIVE, grid, "bicubic", False)
        tokens: Tensor = self.proj(patches) + (self.mod_emb + table)
        return tokens


class FixedBiasNorm(nn.Module):
    """A layer norm whose bias is zero and not learned, though the checkpoint names it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.register_buffer("bias", torch.zeros(width))

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., width) to the same shape."""
        bias = self.get_buffer("bias")
        return functional.layer_norm(tokens, self.weight.shape, self.weight, bias, _EPS)


class GatedMlp(nn.Module):
    """SwiGLU without biases (Shazeer, 2020); its inner width is two thirds of a plain MLP's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = int(2 * 4 * width / 3)
        self.fc1 = nn.Linear(width, inner, bias=False)
        self.fc2 = nn.Linear(inner, width, bias=False)
        self.fc3 = nn.Linear(width, inner, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., width) to the same shape."""
        gated: Tensor = self.fc2(functional.silu(self.fc1(tokens)) * self.fc3(tokens))
        return gated


class TerraMindBlock(nn.Module):
    """A pre-norm block; a gated one has no biases."""

    def __init__(self, width: int, heads: int, gated: bool, drop_path: float) -> None:
        super().__init__()
        self.norm1 = FixedBiasNorm(width)
        self.attn = Attention(width, heads, qkv_bias=not gated, proj_bias=not gated)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()
        self.norm2 = FixedBiasNorm(width)
        self.mlp = GatedMlp(width) if gated else Mlp(width, 4 * width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, tokens, width) to the same shape."""
        attended: Tensor = tokens + self.drop_path(self.attn(self.norm1(tokens)))
        mixed: Tensor = attended + self.drop_path(self.mlp(self.norm2(attended)))
        return mixed


def load_terramind(encoder: TerraMind, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill an encoder from a published checkpoint.

    Embeddings of modalities that the encoder was not built for, and the decoder, are left out.
    The token for absent modalities was not pretrained and starts at zero.

    Args:
        encoder: What to fill.
        tensors: As published.
        source: The file they came from, for messages.

    Raises:
        RequestError: A weight is missing, left over or of another shape.
    """
    own = tuple(f"encoder_embeddings.{key}." for key in encoder.encoder_embeddings)
    kept = without(tensors, "decoder", "mask_token", "tokenizer")
    kept = {
        name: tensor
        for name, tensor in kept.items()
        if not name.startswith("encoder_embeddings.") or name.startswith(own)
    }
    zero = {"missing_mod_token": torch.zeros(encoder.configuration.width)}
    load_strictly(encoder, kept, source, defaults=zero if encoder.merging == "concat" else None)


def _checked(modalities: Sequence[str]) -> tuple[str, ...]:
    if not modalities or len(set(modalities)) != len(modalities):
        what = f"modalities must be one or more different names, but got {list(modalities)}."
        raise RequestError(Problem(WHERE, what))
    unknown = [name for name in modalities if name not in TERRAMIND_MODALITIES]
    if unknown:
        problems = [
            Problem(
                WHERE,
                f"TerraMind has no image modality {name!r}.",
                nearest(name, TERRAMIND_MODALITIES),
            )
            for name in unknown
        ]
        raise RequestError(problems)
    return tuple(modalities)

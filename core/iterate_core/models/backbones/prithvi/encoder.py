"""Prithvi-EO 1.0 and 2.0: a masked autoencoder's encoder over frames of HLS reflectance.

Jakubik et al., "Foundation Models for Generalist Geospatial Artificial Intelligence" (2023), and
Szwarcman et al., "Prithvi-EO-2.0: A Versatile Multi-Temporal Foundation Model for Earth
Observation Applications" (2024).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.checkpoints import load_strictly, strip, without
from iterate_core.models.backbones.prithvi.card import PRITHVI_BANDS, PrithviConfiguration
from iterate_core.models.backbones.transformer.positions import index_codes, resize_table, sincos
from iterate_core.models.backbones.transformer.tokens import (
    WHERE,
    Pooling,
    check_channels,
    grid_of,
    pool,
    run_blocks,
    to_map,
    vit_blocks,
)


class Prithvi(nn.Module):
    """The encoder of Prithvi-EO.

    The position table is that of `frames` and the training size; other numbers of frames and
    other sizes are met as the original does (see `positions`).

    Args:
        configuration: Its size.
        frames: Frames that images will usually have.
        channels: Bands of a frame.
        drop_path: Rate of stochastic depth at the last block.
    """

    def __init__(
        self,
        configuration: PrithviConfiguration,
        frames: int = 1,
        channels: int = len(PRITHVI_BANDS),
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        width = configuration.width
        self.configuration = configuration
        self.frames = frames
        self.channels = channels
        self.patch_embed = PatchEmbedding(channels, width, configuration.patch)
        if configuration.coordinates:
            self.temporal_embed_enc = CoordinateCode(width)
            self.location_embed_enc = CoordinateCode(width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        nn.init.normal_(self.cls_token, std=0.02)
        self.native = grid_of((configuration.size, configuration.size), configuration.patch)
        self.register_buffer("pos_embed", position_table(width, (frames, *self.native)))
        self.blocks = vit_blocks(
            width, configuration.depth, configuration.heads, eps=1e-5, drop_path=drop_path
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self, images: Tensor, time: Tensor | None = None, place: Tensor | None = None
    ) -> list[Tensor]:
        """Tokens after each block.

        Args:
            images: (n, channels, height, width), or (n, channels, frames, height, width).
            time: (n, frames, 2) year and day of the year (1 to 366), as numbers.
            place: (n, 2) latitude and longitude in degrees.

        Returns:
            For each block (n, 1 + frames·rows·columns, width), the class token first and time
            varying slowest; those of the last block are normed.

        Raises:
            RequestError: Channels, size or coordinates do not fit the model.
        """
        images = images[:, :, None] if images.ndim == 4 else images
        check_channels(images, self.channels, self.configuration.name)
        frames = images.shape[2]
        grid = self.grid((images.shape[-2], images.shape[-1]))
        positions = self.positions(frames, grid)
        tokens = self.patch_embed(images) + positions[:, 1:]
        tokens = self._with_coordinates(tokens, frames, time, place)
        first = (self.cls_token + positions[:, :1]).expand(tokens.shape[0], -1, -1)
        return run_blocks(self.blocks, self.norm, torch.cat([first, tokens], dim=1))

    def positions(self, frames: int, grid: tuple[int, int]) -> Tensor:
        """(1, 1 + frames·rows·columns, width) position codes.

        Another number of frames takes a new table of the training grid; another grid resizes
        each frame's table bicubically with aligned corners.
        """
        table: Tensor = self.get_buffer("pos_embed")
        if frames != self.frames:
            table = position_table(table.shape[-1], (frames, *self.native)).to(table)
        if grid == self.native:
            return table
        by_frame = table[0, 1:].reshape(frames, -1, table.shape[-1])
        resized = resize_table(by_frame, self.native, grid, "bicubic", align_corners=True)
        return torch.cat([table[:, :1], resized.flatten(0, 1)[None]], dim=1)

    def _with_coordinates(
        self, tokens: Tensor, frames: int, time: Tensor | None, place: Tensor | None
    ) -> Tensor:
        if (time is not None or place is not None) and not self.configuration.coordinates:
            what = f"{self.configuration.name} was trained without time and location."
            hint = "Leave them out, or take a model whose name ends in -TL."
            raise RequestError(Problem(WHERE, what, hint))
        if time is not None:
            if time.shape != (tokens.shape[0], frames, 2):
                what = f"time is {tuple(time.shape)} instead of {(tokens.shape[0], frames, 2)}."
                raise RequestError(Problem(WHERE, what, "Give (year, day of the year) a frame."))
            code = self.temporal_embed_enc(time)
            tokens = tokens + code.repeat_interleave(tokens.shape[1] // frames, dim=1)
        if place is not None:
            if place.shape != (tokens.shape[0], 2):
                what = f"place is {tuple(place.shape)} instead of {(tokens.shape[0], 2)}."
                raise RequestError(Problem(WHERE, what, "Give (latitude, longitude) an image."))
            tokens = tokens + self.location_embed_enc(place)[:, None]
        return tokens

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of patches in an image of `size` (height, width)."""
        return grid_of(size, self.configuration.patch)

    def feature_map(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """(n, frames·width, rows, columns) from one block's tokens of images of `size`."""
        return to_map(tokens, self.grid(size), prefix=1)

    def pooled(self, tokens: Tensor, pooling: Pooling = "cls") -> Tensor:
        """(n, width) from one block's tokens: the class token, or the mean of the others."""
        return pool(tokens, pooling)


class PatchEmbedding(nn.Module):
    """(n, channels, frames, height, width) to (n, frames·rows·columns, width), time slowest."""

    def __init__(self, channels: int, width: int, patch: int) -> None:
        super().__init__()
        kernel = (1, patch, patch)
        self.proj = nn.Conv3d(channels, width, kernel_size=kernel, stride=kernel)
        # As a linear layer over the patch, not as a convolution.
        nn.init.xavier_uniform_(self.proj.weight.view(width, -1))

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        patches: Tensor = self.proj(images)
        return patches.flatten(2).transpose(1, 2)


class CoordinateCode(nn.Module):
    """Codes of two numbers side by side, times a learned scale: (..., 2) to (..., width).

    What is unknown (NaN) adds nothing.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.scale = nn.Parameter(torch.full((1,), 0.1))

    def forward(self, coordinates: Tensor) -> Tensor:
        """See the class."""
        # Years need single precision even where the rest runs in half.
        codes = sincos(coordinates.float(), self.width // 2).nan_to_num(0.0)
        return self.scale * codes.flatten(-2).to(self.scale.dtype)


def position_table(width: int, grid: tuple[int, int, int]) -> Tensor:
    """(1, 1 + frames·rows·columns, width) codes: column 6/16, row 6/16, frame 4/16 of the width.

    The class token's row, the first, is zero.
    """
    frames, rows, columns = grid
    unit = width // 16
    by_column = index_codes(columns, 6 * unit)[None, None].expand(frames, rows, -1, -1)
    by_row = index_codes(rows, 6 * unit)[None, :, None].expand(frames, -1, columns, -1)
    by_frame = index_codes(frames, 4 * unit)[:, None, None].expand(-1, rows, columns, -1)
    table = torch.cat([by_column, by_row, by_frame], dim=-1).reshape(1, -1, width).float()
    return torch.cat([torch.zeros(1, 1, width), table], dim=1)


def load_prithvi(encoder: Prithvi, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill an encoder from a published checkpoint of the whole autoencoder.

    Args:
        encoder: What to fill.
        tensors: As published: 2.0 with ``encoder.`` and ``decoder.`` in front, 1.0 flat.
        source: The file they came from, for messages.

    Raises:
        RequestError: A weight is missing, left over or of another shape.
    """
    named = {name.replace("_timm_module.", ""): tensor for name, tensor in tensors.items()}
    if any(name.startswith("encoder.") for name in named):
        others = without(named, "encoder.", "decoder.")
        named = {**strip(named, "encoder."), **others}
    kept = without(named, "decoder", "mask_token", "pos_embed")
    # The table depends on frames and size, so that the file's is replaced by the model's own.
    table = position_table(encoder.configuration.width, (encoder.frames, *encoder.native))
    load_strictly(encoder, {**kept, "pos_embed": table}, source)

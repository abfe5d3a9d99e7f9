"""Clay v1 and v1.5: a transformer over patches of any bands, given by wavelength.

Clay Foundation Model, github.com/Clay-foundation/model; the model cards of v1 and v1.5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.checkpoints import load_strictly, strip
from iterate_core.models.backbones.transformer.card import Configuration
from iterate_core.models.backbones.transformer.tokens import WHERE, Pooling, grid_of, pool, to_map
from iterate_core.models.backbones.transformer.wavelengths import (
    CODE_WIDTH,
    WeightGenerator,
    band_wavelengths,
)

_HEAD = 64
_TIME = _PLACE = 4
_WEIGHT_SCALE = 0.02


class Clay(nn.Module):
    """The encoder of Clay; v1 and v1.5 differ in size alone.

    Images of any size that divides into patches are read. (The original's v1 is tied to 256
    pixels; its position codes are computed, so that other sizes need nothing new.)

    Args:
        configuration: Its size.
    """

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        width = configuration.width
        self.configuration = configuration
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        nn.init.normal_(self.cls_token, std=0.02)
        self.patch_embedding = ClayEmbedding(width, configuration.patch)
        self.transformer = ClayTransformer(width, configuration.depth, configuration.heads)

    def forward(
        self,
        images: Tensor,
        wavelengths: Tensor | Sequence[float],
        gsd: float = 1.0,
        time: Tensor | None = None,
        place: Tensor | None = None,
    ) -> list[Tensor]:
        """Tokens after each block.

        Args:
            images: (n, bands, height, width).
            wavelengths: Centre of each band in µm; the radar bands VV and VH are 3.5 and 4.0.
            gsd: Ground sample distance in metres per pixel.
            time: (n, 4) sine and cosine of the week, then of the hour, as `time_code` gives them.
            place: (n, 4) sines and cosines of latitude, then of longitude; see `place_code`.

        Returns:
            For each block (n, 1 + rows·columns, width), the class token first; those of the last
            block are normed.

        Raises:
            RequestError: Bands, size or metadata do not fit.
        """
        if not gsd > 0:
            what = f"gsd must be above 0 metres per pixel, but got {gsd}."
            raise RequestError(Problem(WHERE, what))
        grid = self.grid((images.shape[-2], images.shape[-1]))
        tokens = self.patch_embedding(images, band_wavelengths(wavelengths, images))
        tokens = tokens + self._positions(tokens, grid, gsd, time, place)
        first = self.cls_token.expand(tokens.shape[0], -1, -1)
        outputs: list[Tensor] = self.transformer(torch.cat([first, tokens], dim=1))
        return outputs

    def _positions(
        self,
        tokens: Tensor,
        grid: tuple[int, int],
        gsd: float,
        time: Tensor | None,
        place: Tensor | None,
    ) -> Tensor:
        count = tokens.shape[0]
        grid_code = scaled_table(tokens.shape[-1] - _TIME - _PLACE, grid, gsd, tokens.device)
        extra = []
        for name, values, width in (("time", time, _TIME), ("place", place, _PLACE)):
            given = tokens.new_zeros(count, width) if values is None else values.to(tokens)
            if given.shape != (count, width):
                what = f"{name} is {tuple(given.shape)} instead of {(count, width)}."
                raise RequestError(Problem(WHERE, what, f"{name}_code gives it."))
            extra.append(given[:, None].expand(-1, grid[0] * grid[1], -1))
        shared = grid_code.to(tokens.dtype)[None].expand(count, -1, -1)
        return torch.cat([shared, *extra], dim=-1)

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of patches in an image of `size` (height, width)."""
        return grid_of(size, self.configuration.patch)

    def feature_map(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """(n, width, rows, columns) from one block's tokens of images of `size`."""
        return to_map(tokens, self.grid(size), prefix=1)

    def pooled(self, tokens: Tensor, pooling: Pooling = "cls") -> Tensor:
        """(n, width) from one block's tokens: the class token, or the mean of the others."""
        return pool(tokens, pooling)


class ClayEmbedding(nn.Module):
    """(n, bands, height, width) and (bands,) wavelengths in µm to (n, rows·columns, width)."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.width, self.patch = width, patch
        self.weight_generator = WeightGenerator(width * patch * patch, width, "encoder")
        self.fclayer = ClayResidual()

    def forward(self, images: Tensor, wavelengths: Tensor) -> Tensor:
        """See the class."""
        codes = self.fclayer(wavelength_code(wavelengths).to(images.dtype))
        weights, bias = self.weight_generator(codes)
        kernel = weights.view(-1, self.width, self.patch, self.patch).transpose(0, 1)
        patches = functional.conv2d(images, kernel * _WEIGHT_SCALE, bias, stride=self.patch)
        return patches.flatten(2).transpose(1, 2)


class ClayResidual(nn.Module):
    """Two layers with GELU beside a shortcut: (bands, 128) to the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.l1 = nn.Linear(CODE_WIDTH, CODE_WIDTH)
        self.l2 = nn.Linear(CODE_WIDTH, CODE_WIDTH)

    def forward(self, codes: Tensor) -> Tensor:
        """See the class."""
        return codes + functional.gelu(self.l2(functional.gelu(self.l1(codes))))


class ClayTransformer(nn.Module):
    """Pre-norm blocks and a final norm; returns the tokens after each block."""

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(
            nn.ModuleList([ClayAttention(width, heads), ClayFeedForward(width)])
            for _ in range(depth)
        )

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """(n, tokens, width) to one such tensor a block, the last normed."""
        outputs: list[Tensor] = []
        for layer in self.layers:
            for part in layer.children():
                tokens = tokens + part(tokens)
            outputs.append(tokens)
        outputs[-1] = self.norm(tokens)
        return outputs


class ClayAttention(nn.Module):
    """Self-attention with its norm in front, without biases, heads of 64."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * heads * _HEAD, bias=False)
        self.to_out = nn.Linear(heads * _HEAD, width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, tokens, width) to the same shape."""
        parts = self.to_qkv(self.norm(tokens)).unflatten(-1, (3, self.heads, _HEAD))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value)
        mixed: Tensor = self.to_out(attended.transpose(1, 2).flatten(2))
        return mixed


class ClayFeedForward(nn.Module):
    """Norm, and an MLP with GELU of four times the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, tokens, width) to the same shape."""
        mixed: Tensor = self.net(tokens)
        return mixed


def wavelength_code(wavelengths: Tensor) -> Tensor:
    """(bands, 128): [sin(λ·ω) | cos(λ·ω)] with ω_k = 10000^(−k/63), λ in µm.

    The exponent runs to exactly −1, other than in `codes.sincos`.
    """
    half = CODE_WIDTH // 2
    steps = torch.arange(half, dtype=wavelengths.dtype, device=wavelengths.device)
    frequencies = 1.0 / 10000 ** (steps / (half - 1))
    angles = wavelengths[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def scaled_table(
    width: int, grid: tuple[int, int], gsd: float, device: torch.device | None = None
) -> Tensor:
    """Codes of a grid's cells, scaled by the ground sample distance.

    [sin x | cos x | sin y | cos y] of y the row and x the column, each times
    ω_k = gsd / 10000^(2·e_k/width) with e_k = k/(width/4 − 1) of at most 1. All frequencies are
    therefore nearly equal, which the trained weights rely on.

    Returns:
        (rows·columns, width) in single precision.
    """
    quarter = width // 4
    steps = torch.arange(quarter, dtype=torch.float32, device=device) / (quarter - 1)
    # In this order of rounding: the angles run to hundreds, where single precision is coarse.
    frequencies = 1.0 / 10000 ** (2 * steps / width) * gsd
    rows, columns = (
        torch.arange(side, dtype=torch.float32, device=device)[:, None] * frequencies
        for side in grid
    )
    by_column = torch.cat([columns.sin(), columns.cos()], dim=-1)[None].expand(grid[0], -1, -1)
    by_row = torch.cat([rows.sin(), rows.cos()], dim=-1)[:, None].expand(-1, grid[1], -1)
    return torch.cat([by_column, by_row], dim=-1).flatten(0, 1)


def time_code(week: float, hour: float) -> tuple[float, float, float, float]:
    """Sine and cosine of the ISO week (1 to 53) in a year of 52, then of the hour in a day."""
    weekly, hourly = 2 * math.pi * week / 52, 2 * math.pi * hour / 24
    return math.sin(weekly), math.cos(weekly), math.sin(hourly), math.cos(hourly)


def place_code(latitude: float, longitude: float) -> tuple[float, float, float, float]:
    """Sine and cosine of the latitude, then of the longitude, both in degrees."""
    north, east = math.radians(latitude), math.radians(longitude)
    return math.sin(north), math.cos(north), math.sin(east), math.cos(east)


def load_clay(encoder: Clay, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill an encoder from a published checkpoint of the whole training module.

    Args:
        encoder: What to fill.
        tensors: The checkpoint's ``state_dict``, of which ``model.encoder.*`` is taken.
        source: The file they came from, for messages.

    Raises:
        RequestError: A weight is missing, left over or of another shape.
    """
    load_strictly(encoder, strip(tensors, "model.encoder."), source)

"""Prithvi-WxC's encoder, made of the library's parts, with the tokens after each block.

Schmude et al., "Prithvi WxC: Foundation Model for Weather and Climate" (2024). Its names of weights
are those of the published model.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from iterate_core.data.merra2 import FIELDS, STATIC
from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.checkpoints import load_strictly, without
from iterate_core.models.backbones.options import WHERE
from iterate_core.models.backbones.prithviwxc.card import DATES, LIBRARY
from iterate_core.models.backbones.transformer.card import Configuration
from iterate_core.models.backbones.transformer.tokens import grid_of, to_map

_TIMES = 4
"""Sines and cosines of the day of the year and of the hour, which stand before what lies there."""

_LEFT_OUT = ("decoder", "unembed.", "mask_token", "encoder_shifter.", "encoder.lgl_block.shifter.")
_SCALERS = ("input_scalers_", "static_input_scalers_", "output_scalers")


class PrithviWxcEncoder(nn.Module):
    """The encoder of the model, without what masks its input or predicts the weather.

    Args:
        configuration: Its size.
        unit: Rows and columns of a mask unit in pixels, multiples of the patch.
        shift: Whether the grid moves by half a unit after every second block.
        drop_path: Rate of stochastic depth of every block.
    """

    def __init__(
        self,
        configuration: Configuration,
        unit: tuple[int, int] = (30, 32),
        shift: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        library = _library()
        width, patch = configuration.width, configuration.patch
        self.configuration = configuration
        self.unit = (unit[0] // patch, unit[1] // patch)
        self.shift = shift
        side = (patch, patch)
        self.patch_embedding = library.PatchEmbed(side, DATES * len(FIELDS), width)
        self.patch_embedding_static = library.PatchEmbed(
            side, len(FIELDS) + _TIMES + len(STATIC), width
        )
        self.input_time_embedding = nn.Linear(1, width // 4)
        self.lead_time_embedding = nn.Linear(1, width // 4)
        blocks = nn.ModuleList(
            _block(library, configuration, drop_path) for _ in range(configuration.depth)
        )
        self.encoder = nn.ModuleDict({"lgl_block": nn.ModuleDict({"transformers": blocks})})

    def forward(
        self, weather: Tensor, static: Tensor, places: Tensor, hours: Tensor
    ) -> list[Tensor]:
        """The tokens (n, rows · columns, width) after every block.

        Args:
            weather: (n, 160, 2, height, width) fields at two dates, normalised; sides are multiples
                of the patch.
            static: (n, 168, height, width): codes of the day of the year and of the hour, what lies
                there, and the climate of each field, normalised.
            places: (n, 2, height, width) latitudes and longitudes in degrees; NaN where unknown.
            hours: (n, 2): between the dates, and from the last to what is predicted.
        """
        size = (weather.shape[-2], weather.shape[-1])
        embedded: Tensor = self.patch_embedding(self._whole(weather.movedim(2, 1).flatten(1, 2)))
        embedded = embedded + self.patch_embedding_static(self._whole(static))
        embedded = embedded + self._place_code(self._whole(places)) + self._time_code(hours)
        tokens = self._in_units(embedded)
        outputs: list[Tensor] = []
        moved = False
        local_and_global: Any = self.encoder["lgl_block"]
        for index, block in enumerate(local_and_global["transformers"]):
            if index % 2:
                tokens = block((tokens.transpose(1, 2), None)).transpose(1, 2)
            else:
                tokens = block((tokens, None))
            grid = self._in_grid(tokens, embedded.shape)
            if index % 2 and self.shift:
                # Only every second time do tokens stand where they belong.
                grid = self._rolled(grid, back=moved)
                moved = not moved
                tokens = self._in_units(grid)
            rows, columns = grid_of(size, self.configuration.patch)
            settled = self._rolled(grid, back=True) if moved else grid
            outputs.append(settled[..., :rows, :columns].flatten(2).transpose(1, 2))
        return outputs

    def feature_map(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """(n, width, rows, columns) from one block's tokens of images of `size`."""
        return to_map(tokens, grid_of(size, self.configuration.patch))

    def _whole(self, images: Tensor) -> Tensor:
        """Images with their last row and column repeated up to whole units."""
        patch = self.configuration.patch
        below, right = (
            -side % (unit * patch) for side, unit in zip(images.shape[-2:], self.unit, strict=True)
        )
        return functional.pad(images, (0, right, 0, below), mode="replicate")

    def _place_code(self, places: Tensor) -> Tensor:
        """(n, width, rows, columns): Fourier codes of places; zeros where they are unknown."""
        angles = functional.avg_pool2d(places / 360 * 2 * math.pi, self.configuration.patch)
        modes = torch.arange(self.configuration.width // 4, device=places.device)[:, None, None] + 1
        latitudes, longitudes = angles[:, :1] * modes, angles[:, 1:] * modes
        waves = [latitudes.sin(), longitudes.sin(), latitudes.cos(), longitudes.cos()]
        return torch.cat(waves, dim=1).nan_to_num(0.0)

    def _time_code(self, hours: Tensor) -> Tensor:
        """(n, width, 1, 1) from hours between the dates and to what is predicted."""
        between = self.input_time_embedding(hours[:, :1])
        ahead = self.lead_time_embedding(hours[:, 1:])
        waves = [between.cos(), ahead.cos(), between.sin(), ahead.sin()]
        return torch.cat(waves, dim=1)[..., None, None]

    def _in_units(self, grid: Tensor) -> Tensor:
        """(n, units, patches of each, width) of (n, width, rows, columns)."""
        count, width, rows, columns = grid.shape
        tall, wide = self.unit
        parts = grid.reshape(count, width, rows // tall, tall, columns // wide, wide)
        return parts.permute(0, 2, 4, 3, 5, 1).flatten(3, 4).flatten(1, 2)

    def _in_grid(self, tokens: Tensor, shape: torch.Size) -> Tensor:
        """The reverse of `_in_units`, to a grid of that shape."""
        count, width, rows, columns = shape
        tall, wide = self.unit
        parts = tokens.reshape(count, rows // tall, columns // wide, tall, wide, width)
        return parts.permute(0, 5, 1, 3, 2, 4).reshape(shape)

    def _rolled(self, grid: Tensor, *, back: bool) -> Tensor:
        """The grid moved by half a unit; the first half leaves its end and enters at the start."""
        half = [side // 2 for side in self.unit]
        return torch.roll(grid, [-step if back else step for step in half], (-2, -1))


class Attention(nn.Module):
    """The library's attention with its weights, by whatever kernel the device has.

    The library's own allows two kernels alone, of which the meta device has none.

    Args:
        theirs: The library's `MultiheadAttention`.
    """

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self.heads: int = theirs.n_heads
        self.qkv_layer = theirs.qkv_layer
        self.w_layer = theirs.w_layer

    def forward(self, given: tuple[Tensor, None]) -> Tensor:
        """(…, sequence, width) from the same, and from a mask that the library does not use."""
        tokens = given[0]
        flat = tokens.flatten(0, -3)
        each = self.qkv_layer(flat).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        mixed = functional.scaled_dot_product_attention(*each.chunk(3, dim=-1))
        found: Tensor = self.w_layer(mixed.transpose(1, 2).flatten(2)).view_as(tokens)
        return found


def _library() -> Any:
    return importlib.import_module(f"{LIBRARY}.model")


def _block(library: Any, configuration: Configuration, drop_path: float) -> nn.Module:
    block: Any = library.Transformer(
        features=configuration.width,
        mlp_multiplier=4,
        n_heads=configuration.heads,
        dropout=0.0,
        drop_path=drop_path,
    )
    block.attention[1] = Attention(block.attention[1])
    made: nn.Module = block
    return made


def load_prithviwxc(encoder: PrithviWxcEncoder, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill an encoder from a published checkpoint, whose other parts are left out.

    Its means and deviations are left out too: pixels come normalised.

    Args:
        encoder: What to fill.
        tensors: As published, or the encoder's alone.
        source: The file they came from, for messages.

    Raises:
        RequestError: A weight is missing, left over or of another shape, or the file is of a model
            that granitewxc fine-tuned.
    """
    if any(name.startswith("backbone.lgl_block.") for name in tensors):
        what = f"{source} is of a model that granitewxc fine-tuned, which embeds other fields."
        raise RequestError(Problem(WHERE, what, "Take the pretrained model's file."))
    load_strictly(encoder, without(tensors, *_LEFT_OUT, *_SCALERS), source)

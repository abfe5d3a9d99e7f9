"""Presto: a small transformer over the time series of single pixels.

Tseng et al., "Lightweight, Pre-trained Transformers for Remote Sensing Timeseries" (2023). Each
group of bands of each date is a token; groups that are absent have none. State-dict compatible
with the published encoder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.checkpoints import load_strictly, strip, without
from iterate_core.models.backbones.transformer.tokens import WHERE, run_blocks, vit_blocks

GROUPS = {
    "S1": ("vv", "vh"),
    "S2_RGB": ("blue", "green", "red"),
    "S2_Red_Edge": ("red_edge_1", "red_edge_2", "red_edge_3"),
    "S2_NIR_10m": ("nir",),
    "S2_NIR_20m": ("nir_narrow",),
    "S2_SWIR": ("swir_1", "swir_2"),
    "ERA5": ("temperature_2m", "total_precipitation"),
    "SRTM": ("elevation", "slope"),
    "NDVI": ("ndvi",),
}
"""Bands that share a token, in the order of the tokens and of their bands."""
STATIC = "SRTM"
"""The group that does not change in time and has one token in all."""
WIDTH, DEPTH, HEADS, FRAMES = 128, 2, 8, 24
_LAND_COVERS = 9
_EPS = 1e-5
_PLACE, _MONTH, _GROUP = 64, 32, 32
"""Parts of a token's code: its date's number, its month, its group."""


class Presto(nn.Module):
    """The encoder of Presto.

    Args:
        depth: Number of blocks.
    """

    def __init__(self, depth: int = DEPTH) -> None:
        super().__init__()
        self.eo_patch_embed = nn.ModuleDict(
            {name: nn.Linear(len(bands), WIDTH) for name, bands in GROUPS.items()}
        )
        self.dw_embed = nn.Embedding(_LAND_COVERS + 1, WIDTH)
        self.latlon_embed = nn.Linear(3, WIDTH)
        self.blocks = vit_blocks(WIDTH, depth, HEADS, _EPS)
        self.norm = nn.LayerNorm(WIDTH)
        self.pos_embed = nn.Parameter(_places()[None], requires_grad=False)
        self.month_embed = nn.Embedding(12, _MONTH)
        self.month_embed.weight = nn.Parameter(_months(), requires_grad=False)
        self.channel_embed = nn.Embedding(len(GROUPS) + 1, _GROUP)

    def forward(
        self,
        groups: Mapping[str, Tensor],
        months: Tensor,
        places: Tensor | None = None,
        land_cover: Tensor | None = None,
    ) -> Tensor:
        """One vector a pixel: the normed mean of its tokens.

        Args:
            groups: (n, dates, bands) of each group in `GROUPS` that is known, normalised; of the
                static one the first date counts. Without NDVI it follows from red and near
                infrared where both are there.
            months: (n, dates) whole numbers from 0.
            places: (n, 2) latitude and longitude in degrees; NaN, or None, where unknown.
            land_cover: (n, dates) classes of Dynamic World, 0 to 8.

        Returns:
            (n, 128).

        Raises:
            RequestError: There are more than 24 dates, or no group.
        """
        vector: Tensor = self.norm(self.tokens(groups, months, places, land_cover).mean(dim=1))
        return vector

    def tokens(
        self,
        groups: Mapping[str, Tensor],
        months: Tensor,
        places: Tensor | None = None,
        land_cover: Tensor | None = None,
    ) -> Tensor:
        """(n, tokens, 128), not normed: the place's token, then group by group; see `forward`."""
        dates = months.shape[1]
        if dates > FRAMES or not groups:
            what = f"Presto takes up to {FRAMES} dates of one group of bands or more, but got "
            raise RequestError(Problem(WHERE, f"{what}{dates} dates of {len(groups)} groups."))
        dated = self.pos_embed[:, :dates].expand(months.shape[0], -1, -1)
        when = torch.cat([self.month_embed(months), dated], -1)
        known = with_ndvi(groups)
        found = [self._place(places, when)]
        for index, name in enumerate(GROUPS):
            if name in known:
                values = known[name][:, :1] if name == STATIC else known[name]
                found.append(self.eo_patch_embed[name](values) + self._code(index, name, when))
        if land_cover is not None:
            code = self._code(len(GROUPS), "", when)
            found.append(self.dw_embed(land_cover) + code)
        return run_blocks(self.blocks, None, torch.cat(found, dim=1))[-1]

    def _code(self, index: int, name: str, when: Tensor) -> Tensor:
        """(n, dates, 128), or (1, 1, 128) of the static group, which belongs to no date."""
        group = self.channel_embed.weight[index]
        if name == STATIC:
            nothing = torch.zeros_like
            return torch.cat([nothing(when[0, 0, :_MONTH]), group, nothing(when[0, 0, _MONTH:])])[
                None, None
            ]
        month, place = when.split([_MONTH, _PLACE], dim=-1)  # type: ignore[no-untyped-call]
        return torch.cat([month, group.expand(*when.shape[:2], -1), place], dim=-1)

    def _place(self, places: Tensor | None, when: Tensor) -> Tensor:
        """(n, 1, 128): of the place as a point of the unit sphere, or its centre where unknown."""
        if places is None:
            point = when.new_zeros(when.shape[0], 3)
        else:
            north, east = torch.deg2rad(places).unbind(1)
            axes = [north.cos() * east.cos(), north.cos() * east.sin(), north.sin()]
            point = torch.stack(axes, dim=-1).nan_to_num(0.0).to(when.dtype)
        token: Tensor = self.latlon_embed(point)
        return token[:, None]


def with_ndvi(groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The groups, and the vegetation index where red and near infrared are among them.

    It is that of reflectances, which lies between −1 and 1; whatever else it is made of is cut.
    """
    found = dict(groups)
    if "NDVI" in found or "S2_RGB" not in found or "S2_NIR_10m" not in found:
        return found
    red, infrared = found["S2_RGB"][..., 2:], found["S2_NIR_10m"]
    both = red + infrared
    index = (infrared - red) / torch.where(both > 0, both, 1.0)
    return {**found, "NDVI": torch.where(both > 0, index, 0.0).clamp(-1, 1)}


def _places() -> Tensor:
    """(24, 64): sines and cosines by turns, of the dates' numbers."""
    index = torch.arange(_PLACE, dtype=torch.float64)
    periods = 1000 ** (2 * (index // 2) / _PLACE)
    angles = torch.arange(FRAMES, dtype=torch.float64)[:, None] / periods
    return torch.where(index % 2 == 0, angles.sin(), angles.cos()).float()


def _months() -> Tensor:
    """(12, 32): the sine of the month's angle 16 times, then its cosine."""
    angles = torch.arange(12, dtype=torch.float64)[:, None] * (2 * math.pi / 12)
    half = _MONTH // 2
    return torch.cat([angles.sin().expand(-1, half), angles.cos().expand(-1, half)], 1).float()


def load_presto(encoder: Presto, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill an encoder from the published checkpoint, whose decoder is left out.

    Args:
        encoder: What to fill.
        tensors: As published, or the encoder's alone.
        source: The file they came from, for messages.

    Raises:
        RequestError: A weight is missing, left over or of another shape.
    """
    published = any(name.startswith("encoder.") for name in tensors)
    if published:
        rest = without(tensors, "encoder.", "decoder.")
        tensors = {**strip(tensors, "encoder."), **rest}
    load_strictly(encoder, tensors, source)

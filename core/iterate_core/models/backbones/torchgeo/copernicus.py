"""Copernicus-FM as a backbone: any spectral bands, and where, when and how large patches are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torchgeo.models
from torch import Tensor, nn
from torch.nn import functional
from torchgeo.models.copernicusfm import resize_abs_pos_embed

from iterate_core.data.dataset import Band
from iterate_core.device import exact_device
from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.base import Context
from iterate_core.models.backbones.torchgeo.cards import PUBLISHED
from iterate_core.models.backbones.torchgeo.loading import load
from iterate_core.models.backbones.torchgeo.options import CopernicusOptions
from iterate_core.models.backbones.torchgeo.plain import PlainBackbone
from iterate_core.models.backbones.transformer.backbone import kept_depth, ready
from iterate_core.models.backbones.transformer.tokens import grid_of, pool
from iterate_core.models.inputs import Inputs

_CENTRES, _WIDTHS = (100.0, 1e9), (1.0, 1e9)
_DEGREES, _AREAS, _DAYS = (0.0001, 720.0), (0.001, 5.1e8), (1.0, 365.25)
"""Shortest and longest period of the codes of each quantity."""
_SENTINEL = {
    "coastal": 20.0,
    "blue": 65.0,
    "green": 35.0,
    "red": 30.0,
    "red_edge_1": 15.0,
    "red_edge_2": 15.0,
    "red_edge_3": 20.0,
    "nir": 115.0,
    "nir_narrow": 20.0,
    "water_vapour": 20.0,
    "cirrus": 30.0,
    "swir_1": 90.0,
    "swir_2": 180.0,
    "vv": 1e9,
    "vh": 1e9,
    "hh": 1e9,
    "hv": 1e9,
}
_LANDSAT_8 = {
    "coastal": 16.0,
    "blue": 60.0,
    "green": 57.0,
    "red": 37.0,
    "nir": 28.0,
    "swir_1": 85.0,
    "swir_2": 187.0,
    "pan": 172.0,
    "cirrus": 20.0,
    "tir_1": 590.0,
    "tir_2": 1010.0,
}


class CopernicusBackbone(PlainBackbone):
    """Copernicus-FM; see `PlainBackbone`. What is unknown of a sample has a code of its own."""

    def __init__(
        self,
        model: nn.Module,
        inputs: Inputs,
        options: CopernicusOptions,
        patch: int,
        width: int,
    ) -> None:
        super().__init__(model, None, inputs, options, patch, width)
        if inputs.dense:
            model.set_submodule("fc_norm", nn.Identity())  # norms the pooled vector alone
        self.coordinates = options.coordinates
        self.lengths = [(band.wavelength or 0.0) * 1000 for band in inputs.bands]
        self.bandwidths = bandwidths(inputs.bands, options.bandwidths)
        metres = options.metres or inputs.metres
        self.area = None if metres is None else (patch * metres / 1000) ** 2
        unknown: Any = model.scale_token
        unknown.requires_grad_(self.area is None)
        side = PUBLISHED[options.name].architecture.size // patch
        self.native = (side, side)

    def embed(self, images: Tensor, context: Context | None) -> Tensor:
        """See `PlainBackbone.embed`."""
        model: Any = self.model
        patches = self._patches(images)
        grid = grid_of((images.shape[-2], images.shape[-1]), self.patch)
        places = resize_abs_pos_embed(model.pos_embed, grid, self.native)
        first = model.cls_token.expand(images.shape[0], -1, -1)
        told = self._told(images, context if self.coordinates else None)
        return torch.cat([first, patches], dim=1) + (places + told)

    def vector(self, tokens: Tensor) -> Tensor:
        """See `PlainBackbone.vector`."""
        norm: Any = self.model.fc_norm
        vector: Tensor = norm(pool(tokens, "mean"))
        return vector

    def _patches(self, images: Tensor) -> Tensor:
        embedding: Any = self.model.patch_embed_spectral
        centres, widths = (
            torch.tensor(values, dtype=torch.float64, device=exact_device(images.device))
            for values in (self.lengths, self.bandwidths)
        )
        codes = periodic(centres, _CENTRES, embedding.hyper_dim)
        codes = codes + periodic(widths, _WIDTHS, embedding.hyper_dim)
        weight, bias = embedding.weight_generator(embedding.fclayer(codes.to(images)))
        side = self.patch
        kernel = weight.view(len(self.lengths), side, side, -1).permute(3, 0, 1, 2)
        convolved = functional.conv2d(
            *(images, kernel * embedding.scaler, bias.flatten() * embedding.scaler),
            stride=side,
            padding=1,
        )
        return convolved.flatten(2).transpose(1, 2)

    def _told(self, images: Tensor, context: Context | None) -> Tensor:
        """(n or 1, 1, width): where, how large and when."""
        model: Any = self.model
        width: int = model.cls_token.shape[-1]
        exact = exact_device(images.device)
        context = None if context is None else context.to(exact)
        dates = None if context is None else context.dates
        places = None if context is None else context.places
        where: Tensor = model.coord_token
        if places is not None:
            # Shifted in single precision, as the original does: its code tells 10 metres apart.
            north, east = places.float().unbind(1)
            shifted = ((east + 180).double(), (north + 90).double())
            halves = [periodic(degrees, _DEGREES, width // 2) for degrees in shifted]
            where = _known(torch.cat(halves, dim=-1), model.coord_token)
        when: Tensor = model.time_token
        if dates is not None:
            when = _known(periodic(days(dates[:, 0]), _DAYS, width), model.time_token)
        large: Tensor = model.scale_token
        if self.area is not None:
            area = torch.tensor([self.area], dtype=torch.float64, device=exact)
            large = periodic(area, _AREAS, width)[:, None].to(large)
        told: Tensor = model.coord_fc(where) + model.scale_fc(large) + model.time_fc(when)
        return told


def _known(codes: Tensor, unknown: Tensor) -> Tensor:
    """(n, 1, width): a sample's code, or the model's code of "unknown" where it is NaN."""
    codes = codes.to(unknown.device)
    absent = codes.isnan().any(dim=-1, keepdim=True)
    told = torch.where(absent, unknown[0], codes.nan_to_num().to(unknown.dtype))
    return told[:, None]


def days(dates: Tensor) -> Tensor:
    """Days since the first of January 1970, in double precision: (n,) from (n, 2) year and day."""
    year, day = dates.double().unbind(1)
    return 365 * (year - 1970) + torch.floor((year - 1969) / 4) + day - 1


def periodic(values: Tensor, periods: tuple[float, float], width: int) -> Tensor:
    """Sines, then cosines, of values with periods spaced evenly on a logarithmic scale.

    Bodnar et al., "Aurora" (2024), whose code Copernicus-FM takes.

    Args:
        values: (n,), in double precision.
        periods: The shortest and the longest.
        width: Length of a code, even.

    Returns:
        (n, width) in single precision.
    """
    low, high = (math.log10(period) for period in periods)
    lengths = torch.logspace(
        low, high, width // 2, base=10, dtype=torch.float64, device=values.device
    )
    angles = values[:, None] * (2 * math.pi / lengths)
    return torch.cat([angles.sin(), angles.cos()], dim=-1).float()


def bandwidths(bands: Sequence[Band], stated: Mapping[str, float]) -> list[float]:
    """The width of each band in nm: stated, else its sensor's, else that of Sentinel-2's namesake.

    Sentinels' are those that the authors give; Landsat 8's are full widths at half maximum (Barsi
    et al., "The Spectral Response of the Landsat-8 Operational Land Imager", 2014).

    Raises:
        RequestError: The width of a band is known from nowhere; all such are named.
    """
    found: list[float] = []
    unknown: list[str] = []
    for band in bands:
        common = band.common or ""
        table = _LANDSAT_8 if (band.sensor or "").startswith("landsat-8") else {}
        width = stated.get(band.name) or table.get(common) or _SENTINEL.get(common)
        if width is None:
            unknown.append(band.name)
        else:
            found.append(float(width))
    if unknown:
        what = f"Copernicus-FM needs the width of {', '.join(unknown)}."
        raise RequestError(Problem("model.backbone.bandwidths", what, "Set it, in nm."))
    return found


def build(options: CopernicusOptions, inputs: Inputs, meta: bool) -> CopernicusBackbone:
    """Build Copernicus-FM as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model, or a band's width is unknown.
    """
    published = PUBLISHED[options.name]
    network = published.architecture
    assert network.patch is not None  # noqa: S101 - for the type checker
    make = partial(_make, kept_depth(options, network.depth), network.width)
    model = ready(make, _load, options, published.card, meta=meta)
    return CopernicusBackbone(model, inputs, options, network.patch, network.width)


def _make(depth: int, width: int) -> nn.Module:
    model: nn.Module = torchgeo.models.CopernicusFM(
        embed_dim=width, depth=depth, num_heads=width // 64
    )
    del model.patch_embed_variable  # takes variables by codes of a language model
    return model


def _load(model: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill it; the published file has no norm of the pooled vector, which changes nothing then."""
    norm: Any = model.fc_norm
    width = norm.normalized_shape
    defaults = {"fc_norm.weight": torch.ones(width), "fc_norm.bias": torch.zeros(width)}
    load(model, {**defaults, **tensors}, source, left_over=("patch_embed_variable.",))

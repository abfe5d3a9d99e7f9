"""Panopticon as a backbone: channels of any sensor, told apart by wavelength or polarisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torchgeo.models
from torch import Tensor, nn
from torchgeo.models.copernicusfm import resize_abs_pos_embed

from iterate_core.data.dataset import Band
from iterate_core.models.backbones.base import Context
from iterate_core.models.backbones.torchgeo.cards import PUBLISHED
from iterate_core.models.backbones.torchgeo.loading import load
from iterate_core.models.backbones.torchgeo.options import PanopticonOptions
from iterate_core.models.backbones.torchgeo.plain import PlainBackbone
from iterate_core.models.backbones.transformer.backbone import kept_depth, ready
from iterate_core.models.backbones.transformer.positions import sincos
from iterate_core.models.backbones.transformer.tokens import grid_of, pool
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import padded

_PUBLISHED_GRID = 37
_POLARISATIONS = {"vv": (0, 0), "vh": (0, 1), "hh": (1, 1), "hv": (1, 0)}
"""Sent and received: 0 vertical, 1 horizontal."""


class PanopticonBackbone(PlainBackbone):
    """Panopticon; see `PlainBackbone`. What is known of the orbit is not told to it."""

    def __init__(
        self, model: nn.Module, inputs: Inputs, options: PanopticonOptions, patch: int, width: int
    ) -> None:
        super().__init__(model, "norm", inputs, options, patch, width)
        self.pooling = options.pooling
        self.bands = inputs.bands
        codes: Any = self.model.get_submodule("patch_embed.chnfus.chnemb")
        if not any(band.common in _POLARISATIONS for band in inputs.bands):
            codes.requires_grad_(False)  # codes of radar bands alone

    def embed(self, images: Tensor, context: Context | None) -> Tensor:  # noqa: ARG002
        """See `PlainBackbone.embed`."""
        model: Any = self.model
        embedding = model.patch_embed
        places, _, _ = embedding.conv3d(images)  # (n, bands, patches, inner)
        fusion = embedding.chnfus
        told = places + channel_codes(fusion.chnemb, self.bands).to(places.dtype)[:, None]
        each = told.transpose(1, 2).flatten(0, 1)  # (n · patches, bands, inner)
        query = fusion.query.expand(each.shape[0], -1, -1)
        patches = fusion.xattn(query, each, each).reshape(images.shape[0], -1, each.shape[-1])
        tokens = embedding.proj(patches)
        first = model.cls_token.expand(images.shape[0], -1, -1)
        return torch.cat([first, tokens], dim=1) + model.pos_embed  # type: ignore[no-any-return]

    def vector(self, tokens: Tensor) -> Tensor:
        """See `PlainBackbone.vector`."""
        return pool(tokens, self.pooling)


def channel_codes(embedding: Any, bands: Sequence[Band]) -> Tensor:
    """(bands, inner): codes of wavelengths in whole nm, or of polarisations.

    Args:
        embedding: The model's codes of radar bands.
        bands: The channels; radar bands are known by their common names.
    """
    codes = []
    for band in bands:
        polarisation = _POLARISATIONS.get(band.common or "")
        if polarisation is None:
            nanometres = torch.tensor(
                float(round((band.wavelength or 0.0) * 1000)), device=embedding.embed_orbit.device
            )
            codes.append(sincos(nanometres, embedding.embed_dim))
        else:
            sent, received = polarisation
            parts = (
                embedding.embed_transmit[sent],
                embedding.embed_receive[received],
                embedding.embed_orbit.mean(dim=0),
            )
            codes.append(torch.cat(parts))
    return torch.stack(codes)


def build(options: PanopticonOptions, inputs: Inputs, meta: bool) -> PanopticonBackbone:
    """Build Panopticon as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model.
    """
    published = PUBLISHED[options.name]
    network = published.architecture
    assert network.patch is not None  # noqa: S101 - for the type checker
    grid = grid_of(padded(inputs.size, network.patch), network.patch)
    make = partial(_make, kept_depth(options, network.depth), grid, network.width)
    model = ready(make, partial(_load, grid), options, published.card, meta=meta)
    return PanopticonBackbone(model, inputs, options, network.patch, network.width)


def _make(depth: int, grid: tuple[int, int], width: int) -> nn.Module:
    model: Any = torchgeo.models.Panopticon().model
    model.blocks = model.blocks[:depth]
    model.pos_embed = nn.Parameter(0.02 * torch.randn(1, 1 + grid[0] * grid[1], width))
    found: nn.Module = model
    return found


def _load(
    grid: tuple[int, int], model: nn.Module, tensors: Mapping[str, Tensor], source: str
) -> None:
    """Fill it, with the position table at the images' grid, as TorchGeo does."""
    fitted = dict(tensors)
    table = fitted.get("pos_embed")
    if table is not None and table.shape[:2] == (1, 1 + _PUBLISHED_GRID**2):
        fitted["pos_embed"] = resize_abs_pos_embed(table, grid, _PUBLISHED_GRID)
    load(model, fitted, source, left_over=("mask_token",))

"""Plain vision transformers of TorchGeo as backbones, Scale-MAE among them."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torchgeo.models
from torch import Tensor, nn

from iterate_core.models.backbones.base import Context
from iterate_core.models.backbones.torchgeo.cards import PUBLISHED
from iterate_core.models.backbones.torchgeo.loading import load
from iterate_core.models.backbones.torchgeo.options import ScaleMaeOptions, VitOptions
from iterate_core.models.backbones.torchgeo.plain import PlainBackbone
from iterate_core.models.backbones.torchgeo.published import Published
from iterate_core.models.backbones.transformer.backbone import kept_depth, metres_of, ready
from iterate_core.models.backbones.transformer.positions import sincos
from iterate_core.models.backbones.transformer.tokens import pool
from iterate_core.models.inputs import Inputs

_PATCHES = "patch_embed.proj.weight"


class VitBackbone(PlainBackbone):
    """A timm vision transformer; see `PlainBackbone`.

    Its position table is interpolated to the image's grid as timm does (bicubic, smoothed).
    """

    def __init__(
        self, model: nn.Module, inputs: Inputs, options: VitOptions, published: Published
    ) -> None:
        network = published.architecture
        assert network.patch is not None  # noqa: S101 - for the type checker
        super().__init__(model, "norm", inputs, options, network.patch, network.width)
        self.pooling = options.pooling

    def embed(self, images: Tensor, context: Context | None) -> Tensor:  # noqa: ARG002
        """See `PlainBackbone.embed`."""
        model: Any = self.model
        tokens: Tensor = model._pos_embed(model.patch_embed(images))
        return tokens

    def vector(self, tokens: Tensor) -> Tensor:
        """See `PlainBackbone.vector`."""
        return pool(tokens, self.pooling)


class ScaleMae(torchgeo.models.ScaleMAE):
    """TorchGeo's Scale-MAE for images of any size and form."""

    def _pos_embed(self, x: Tensor) -> Tensor:
        """Codes of each patch's distance from the first one, in units of its ground size."""
        rows, columns = x.shape[1], x.shape[2]
        places = place_codes((rows, columns), self.embed_dim, self.res, x)
        first: Any = self.cls_token
        return torch.cat([first.expand(x.shape[0], -1, -1), x.flatten(1, 2) + places], dim=1)


def place_codes(grid: tuple[int, int], width: int, metres: float, like: Tensor) -> Tensor:
    """(1, rows·columns, width): half of each code follows the column, half the row.

    Reed et al., "Scale-MAE" (2023): positions are multiplied by the ground size of a pixel.
    """
    rows, columns = (
        sincos(torch.arange(count, dtype=torch.float32, device=like.device) * metres, width // 2)
        for count in grid
    )
    by_column = columns[None].expand(grid[0], -1, -1)
    by_row = rows[:, None].expand(-1, grid[1], -1)
    return torch.cat([by_column, by_row], dim=-1).reshape(1, -1, width).to(like.dtype)


def build(options: VitOptions, inputs: Inputs, meta: bool) -> VitBackbone:
    """Build a vision transformer as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model.
    """
    published = PUBLISHED[options.name]
    make = partial(
        getattr(torchgeo.models, published.architecture.builder), **_sizes(options, inputs)
    )
    return _filled(make, options, inputs, published, ("head.",), meta)


def build_scalemae(options: ScaleMaeOptions, inputs: Inputs, meta: bool) -> VitBackbone:
    """Build Scale-MAE as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model, or the ground size of a pixel is
            unknown.
    """
    metres = metres_of(options.metres, inputs, "Scale-MAE")
    published = PUBLISHED[options.name]
    norm: Any = partial(nn.LayerNorm, eps=1e-6)
    network = published.architecture
    make = partial(
        ScaleMae,
        res=metres,
        patch_size=network.patch,
        embed_dim=network.width,
        num_heads=network.width // 64,
        norm_layer=norm,
        **_sizes(options, inputs),
    )
    left_over = ("head.", "fc_norm.", "decoder", "mask_token")
    return _filled(make, options, inputs, published, left_over, meta)


def _sizes(options: VitOptions, inputs: Inputs) -> dict[str, Any]:
    network = PUBLISHED[options.name].architecture
    return {
        "in_chans": len(inputs.bands),
        "num_classes": 0,
        "img_size": network.size,
        "dynamic_img_size": True,
        "depth": kept_depth(options, network.depth),
        "drop_path_rate": options.drop_path,
    }


def _filled(
    make: Any,
    options: VitOptions,
    inputs: Inputs,
    published: Published,
    left_over: tuple[str, ...],
    meta: bool,
) -> VitBackbone:
    added = len(inputs.bands) - len(published.modalities[0].bands)
    fill = partial(load, first=_PATCHES, added=added, left_over=left_over)
    model = ready(make, fill, options, published.card, meta=meta)
    return VitBackbone(model, inputs, options, published)

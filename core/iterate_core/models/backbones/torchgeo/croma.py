"""CROMA as a backbone: Sentinel-1, Sentinel-2, or both together."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torchgeo.models
from torch import Tensor, nn

from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.blocks import LAST, Blocks, Place, blocks_of
from iterate_core.models.backbones.torchgeo.cards import PUBLISHED
from iterate_core.models.backbones.torchgeo.loading import load
from iterate_core.models.backbones.torchgeo.options import CromaOptions
from iterate_core.models.backbones.transformer.backbone import kept_depth, ready, taps_within
from iterate_core.models.backbones.transformer.tokens import grid_of, to_map
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled

_HEADS = 16
_PARTS = {"sar": ("s1_encoder", "s1_GAP_FFN"), "optical": ("s2_encoder", "s2_GAP_FFN")}
_JOINT = "joint_encoder"
_LAYER = re.compile(r"(joint|s\d)_encoder\.(?:transformer\.)?layers\.(\d+)\.")


class CromaBackbone(Backbone):
    """Maps of CROMA after some blocks of its last encoder, or its pooled vector.

    The last encoder is the joint one if both sensors are given. The last block's map is normed.

    Args:
        model: CROMA for the sensors of `inputs`.
        inputs: What it is built for.
        options: Which maps are wanted.
        patch: Side of a patch in pixels.
        width: Length of a token.
    """

    def __init__(
        self, model: nn.Module, inputs: Inputs, options: CromaOptions, patch: int, width: int
    ) -> None:
        sensors = inputs.modalities
        parts: Any = model
        if len(sensors) > 1:
            blocks = parts.joint_encoder.layers
        else:
            blocks = getattr(parts, _PARTS[sensors[0][0]][0]).transformer.layers
        taps = taps_within(options, len(blocks))
        maps = Maps((width,) * len(taps), (patch,) * len(taps))
        super().__init__(maps if inputs.dense else Pooled(width), patch)
        self.model = model
        self.sensors = sensors
        self.taps = taps
        self.unused = len(blocks) - 1 - max(taps) if inputs.dense else 0
        self.patch = patch

    def blocks(self) -> Blocks:
        """See `Backbone.blocks`."""
        last = f"{_JOINT}." if len(self.sensors) > 1 else ""

        def place(name: str) -> Place | None:
            if found := _LAYER.match(name):
                return (float(found[1] == "joint"), int(found[2]))
            behind = name.startswith(last) and ("norm_out" in name or "_GAP_FFN" in name)
            return LAST if behind else None

        blocks = blocks_of(self.model, place)
        return blocks[: len(blocks) - self.unused]

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor | list[Tensor]:  # noqa: ARG002
        """See `Backbone.forward`."""
        whole = self.pad(images)
        grid = grid_of((whole.shape[-2], whole.shape[-1]), self.patch)
        bias = attention_bias(grid, whole)
        counts = [count for _, count in self.sensors]
        parts = zip(self.sensors, torch.split(whole, counts, dim=1), strict=True)
        model: Any = self.model
        encoded = {
            name: self._encoded(getattr(model, _PARTS[name][0]), part, bias)
            for (name, _), part in parts
        }
        if len(encoded) > 1:
            outputs = self._joined(encoded["sar"][-1], encoded["optical"][-1], bias)
        else:
            outputs = next(iter(encoded.values()))
        if isinstance(self.shape, Pooled):
            return self._vector(outputs[-1])
        return [to_map(outputs[tap], grid) for tap in self.taps]

    def _encoded(self, encoder: Any, images: Tensor, bias: Tensor) -> list[Tensor]:
        """One sensor's tokens after each block."""
        tokens = encoder.linear_input(_patches(images, self.patch))
        outputs = []
        for attend, feed in encoder.transformer.layers:
            tokens = tokens + attend(tokens, bias)
            tokens = tokens + feed(tokens)
            outputs.append(tokens)
        outputs[-1] = encoder.transformer.norm_out(tokens)
        return outputs

    def _joined(self, radar: Tensor, optical: Tensor, bias: Tensor) -> list[Tensor]:
        """Both sensors' tokens after each joint block, radar asking optical."""
        joint: Any = self.model.joint_encoder
        tokens, outputs = radar, []
        for attend, ask, feed in joint.layers:
            tokens = tokens + attend(tokens, bias)
            tokens = tokens + ask(tokens, optical, bias)
            tokens = tokens + feed(tokens)
            outputs.append(tokens)
        outputs[-1] = joint.norm_out(tokens)
        return outputs

    def _vector(self, tokens: Tensor) -> Tensor:
        mean = tokens.mean(dim=1)
        if len(self.sensors) > 1:
            return mean
        head: Any = getattr(self.model, _PARTS[self.sensors[0][0]][1])
        vector: Tensor = head(mean)
        return vector


def _patches(images: Tensor, patch: int) -> Tensor:
    """(n, rows·columns, bands·patch²): the pixels of each patch, band by band."""
    tiles = images.unfold(2, patch, patch).unfold(3, patch, patch)
    return tiles.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


def attention_bias(grid: tuple[int, int], like: Tensor) -> Tensor:
    """(1, heads, tokens, tokens): minus the patches' distance, times each head's slope.

    Press et al., "ALiBi" (2022), in two dimensions, as CROMA has it.
    """
    places = torch.cartesian_prod(
        *(torch.arange(side, dtype=torch.float32, device=like.device) for side in grid)
    )
    distances = (places[:, None] - places[None]).square().sum(dim=-1).sqrt()
    steepest = 2 ** -(2 ** -(math.log2(_HEADS) - 3))
    slopes = torch.tensor([steepest ** (head + 1) for head in range(_HEADS)], device=like.device)
    bias = -distances * slopes[:, None, None]
    return bias[None].to(like.dtype)


def build(options: CromaOptions, inputs: Inputs, meta: bool) -> CromaBackbone:
    """Build CROMA as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model.
    """
    published = PUBLISHED[options.name]
    network = published.architecture
    assert network.patch is not None  # noqa: S101 - for the type checker
    depth = kept_depth(options, network.depth)
    sensors = [name for name, _ in inputs.modalities]
    make = partial(_make, sensors, network.width, depth, network.patch, inputs.dense)
    fill = partial(_load, depth, network.depth)
    # Each of its encoders has another number of blocks; `_load` sees to that.
    whole = options.model_copy(update={"depth": None})
    model = ready(make, fill, whole, published.card, meta=meta)
    return CromaBackbone(model, inputs, options, network.patch, network.width)


def _make(sensors: list[str], width: int, depth: int, patch: int, dense: bool) -> nn.Module:
    # Its table of distances is made for one size; ours follows the image.
    model: nn.Module = torchgeo.models.CROMA(sensors, width, depth, _HEADS, patch, image_size=patch)
    del model.attn_bias
    if dense or len(sensors) > 1:
        for sensor in sensors:
            delattr(model, _PARTS[sensor][1])
    return model


def _load(
    depth: int, published: int, model: nn.Module, tensors: Mapping[str, Tensor], source: str
) -> None:
    """Fill what the model has of CROMA: sensors and blocks it was built without stay out."""
    parts = (*(name for names in _PARTS.values() for name in names), _JOINT)
    absent = [f"{part}." for part in parts if not hasattr(model, part)]
    for layers, share in (
        ("s1_encoder.transformer.layers", 2),
        ("s2_encoder.transformer.layers", 1),
        (f"{_JOINT}.layers", 2),
    ):
        absent += [f"{layers}.{index}." for index in range(depth // share, published // share)]
    load(model, tensors, source, left_over=absent)

"""Any encoder of terratorch's registry as a backbone."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from iterate_core.data.dataset import Band
from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.blocks import Blocks, transformer_blocks
from iterate_core.models.backbones.options import WHERE as WEIGHTS
from iterate_core.models.backbones.terratorch.names import PREFIX, WHERE, TerratorchOptions
from iterate_core.models.backbones.weights import read_weights
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled, evenly_spaced, padded

_MULTIPLES = (1, 8, 14, 16, 32)
_MISFITS = (
    *(RuntimeError, ValueError, AssertionError, TypeError, IndexError, KeyError),
    *(AttributeError, NotImplementedError),
)
"""What encoders answer to images they cannot take."""
_BANDS = {
    "coastal": "COASTAL_AEROSOL",
    "nir": "NIR_BROAD",
    "water_vapour": "WATER_VAPOR",
    "tir_1": "THERMAL_INFRARED_1",
    "tir_2": "THERMAL_INFRARED_2",
}
"""Where terratorch's name of a band is not ours in capitals."""


@dataclass(frozen=True)
class TerratorchLayout:
    """What an encoder was seen to deliver.

    Attributes:
        multiple: To what the image's sides are padded.
        maps: Channels and stride of each map that is used.
        levels: Which of its outputs those are.
    """

    multiple: int
    maps: Maps
    levels: tuple[int, ...]


class TerratorchBackbone(Backbone):
    """An encoder's maps, or the mean of the last one.

    On PyTorch's meta device it gives what it was seen to deliver, without running.

    Args:
        model: The encoder.
        layout: What it delivers.
        dense: Whether maps are wanted.
    """

    def __init__(self, model: nn.Module, layout: TerratorchLayout, dense: bool) -> None:
        super().__init__(
            layout.maps if dense else Pooled(layout.maps.channels[-1]), layout.multiple
        )
        self.model = model
        self.layout = layout

    def blocks(self) -> Blocks:
        """See `Backbone.blocks`."""
        return transformer_blocks(self.model)

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor | list[Tensor]:  # noqa: ARG002
        """See `Backbone.forward`."""
        whole = self.pad(images)
        if whole.is_meta:
            pairs = zip(self.layout.maps.channels, self.layout.maps.strides, strict=True)
            sides = whole.shape[-2:]
            maps = [whole.new_empty(whole.shape[0], c, *(n // s for n in sides)) for c, s in pairs]
        else:
            found = outputs(self.model, whole)
            maps = [found[level] for level in self.layout.levels]
        return maps[-1].mean(dim=(2, 3)) if isinstance(self.shape, Pooled) else maps


def build(options: TerratorchOptions, inputs: Inputs, meta: bool) -> TerratorchBackbone:
    """Build an encoder of terratorch as a backbone; see `Backbone`.

    Raises:
        RequestError: There is no such encoder, or it cannot be built for these bands, options and
            size.
    """
    name = options.name.removeprefix(PREFIX)
    registry: Any = importlib.import_module("terratorch.registry").BACKBONE_REGISTRY
    if name not in registry:
        names = [*registry["terratorch"]]
        raise RequestError(
            Problem(WHERE, f"terratorch has no encoder {name!r}.", nearest(name, names))
        )
    arguments = _arguments(registry, name, options, inputs, meta)
    try:
        model: nn.Module = registry.build(name, **arguments).eval()
    except Exception as error:
        what = f"terratorch cannot build {name!r} with {_told(arguments)} ({_first(error)})."
        raise RequestError(Problem(WHERE, what, "Set model.backbone.arguments.")) from error
    layout = _layout_of(model, name, inputs)
    model.train()
    return TerratorchBackbone(model.to("meta") if meta else model, layout, inputs.dense)


def band_names(bands: Sequence[Band]) -> list[str]:
    """The bands by terratorch's names; those it has none for by their own."""
    return [
        _BANDS.get(band.common, band.common.upper()) if band.common else band.name for band in bands
    ]


def outputs(model: Any, images: Tensor) -> list[Tensor]:
    """All maps of an encoder, (n, channels, rows, columns) each."""
    found = model(images)
    prepare = getattr(model, "prepare_features_for_image_model", None)
    if prepare is not None:
        found = prepare(found)
    levels = [found] if isinstance(found, Tensor) else list(found)
    told = list(getattr(model, "out_channels", ()))
    channels = told if len(told) == len(levels) else [None] * len(levels)
    return [_map(level, count) for level, count in zip(levels, channels, strict=True)]


def _map(level: Tensor, channels: int | None) -> Tensor:
    if level.ndim == 4:
        last = channels is not None and level.shape[1] != channels and level.shape[-1] == channels
        return level.movedim(-1, 1) if last else level
    if level.ndim != 3:
        raise ValueError(f"an output of shape {tuple(level.shape)} is no map")
    side = int(level.shape[1] ** 0.5)  # tokens, maybe behind some that belong to no place
    places = level[:, level.shape[1] - side * side :]
    return places.transpose(1, 2).reshape(level.shape[0], -1, side, side)


def _arguments(
    registry: Any, name: str, options: TerratorchOptions, inputs: Inputs, meta: bool
) -> dict[str, Any]:
    """What terratorch's builder is given: bands under the name it has for them, and weights."""
    own = registry["terratorch"]
    builder = own[name] if name in own else None  # noqa: SIM401 - it has no `get`
    takes = set(inspect.signature(builder).parameters) if builder is not None else {"in_chans"}
    names = band_names(inputs.bands)
    # Not every builder knows the word; all start from random weights where it is not said.
    given: dict[str, Any] = {"pretrained": True} if options.pretrained and not meta else {}
    bands: dict[str, Any] = {"model_bands": names, "bands": names, "in_chans": len(names)}
    given |= {key: value for key, value in bands.items() if key in takes}
    if options.file is not None:
        read_weights(options.file)  # nothing that is unsafe or damaged reaches terratorch
        given["ckpt_data" if "ckpt_data" in takes else "ckpt_path"] = str(options.file)
        if builder is None:
            what = f"terratorch takes no file of weights for {name!r}."
            raise RequestError(Problem(WEIGHTS, what, f"Name it without {PREFIX!r}."))
    return {**given, **options.arguments}


def _layout_of(model: nn.Module, name: str, inputs: Inputs) -> TerratorchLayout:
    """Run an encoder once, on images padded as little as it accepts."""
    reason = ""
    for multiple in _MULTIPLES:
        size = padded(inputs.size, multiple)
        try:
            with torch.no_grad():
                levels = outputs(model, torch.zeros(1, len(inputs.bands), *size))
        except _MISFITS as error:
            reason = _first(error)
            continue
        strides = [size[0] // level.shape[2] for level in levels]
        pairs = list(zip(levels, strides, strict=True))
        if all((n.shape[2] * s, n.shape[3] * s) == size for n, s in pairs):
            used = _levels(strides)
            channels = tuple(levels[index].shape[1] for index in used)
            return TerratorchLayout(
                multiple, Maps(channels, tuple(strides[index] for index in used)), used
            )
        reason = f"its maps do not divide {size[0]}×{size[1]} pixels"
    what = f"terratorch's {name!r} cannot take images of {inputs.size[0]}×{inputs.size[1]} pixels"
    raise RequestError(Problem(WHERE, f"{what} ({reason}).", "Set data.image_size."))


def _levels(strides: Sequence[int]) -> tuple[int, ...]:
    """The deepest map of each stride, or evenly spaced ones where all strides are equal."""
    if len(set(strides)) == 1:
        return evenly_spaced(len(strides))
    return tuple(sorted({stride: index for index, stride in enumerate(strides)}.values()))


def _first(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _told(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items())

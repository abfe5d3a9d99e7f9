"""A trained model as one: nothing of it is in a file elsewhere, and no path is of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from iterate_core.engine.build import build_model, shared_backbone
from iterate_core.engine.checkpoints import load_best
from iterate_core.engine.description import ModelDescription, read_description
from iterate_core.inference.described import described
from iterate_core.inference.predictor import WEIGHTS_FILE, fill
from iterate_core.models.backbones.base import Backbone
from iterate_core.storage.files import replacing

Weights = dict[str, Tensor]


def merged(folder: Path) -> tuple[ModelDescription, Weights]:
    """A training's model with all its weights, whatever tuning added folded in.

    Args:
        folder: Of a training, whose backbone's weights are at hand, or of an exported model.

    Raises:
        RequestError: The folder holds no model, or the backbone's weights are not at hand.
    """
    description = read_description(folder)
    if description.merged:
        return description, load_file(folder / WEIGHTS_FILE)
    trained, _ = load_best(folder, description.identity)
    prepared = described(description)
    model = build_model(prepared)
    fill(model, trained, whole=False)
    model.eval()
    plain = shared_backbone(prepared, meta=True)
    whole = model.tuning.merge(cast("Backbone", model.backbone))
    model.backbone = whole
    kept = {name: value.detach().clone().contiguous() for name, value in model.state_dict().items()}
    changes = {
        "recipe": without_paths(description.recipe),
        "info": replace(description.info, source=without_paths(description.info.source)),
        "merged": True,
        "folded": _shapes(whole) == _shapes(plain),
    }
    return description.model_copy(update=changes), kept


def _shapes(backbone: torch.nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in backbone.state_dict().items()}


def without_paths(value: Any) -> Any:
    """Plain JSON types, each path of this machine reduced to its last part."""
    if isinstance(value, Mapping):
        return {name: without_paths(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(each) for each in value]
    if isinstance(value, str) and (value.startswith("~") or PurePath(value).is_absolute()):
        return PurePath(value).name
    return value


def write_weights(folder: Path, weights: Mapping[str, Tensor], *, half: bool = False) -> None:
    """Write all weights of a model.

    Args:
        folder: Where to.
        weights: By name.
        half: Keep float32 as float16, in half the bytes; it is computed in float32 all the same.
    """
    kept = halved(weights) if half else dict(weights)
    needed = sum(value.nbytes for value in kept.values())
    with replacing(folder / WEIGHTS_FILE, needed) as part:
        save_file(kept, part, metadata={"format": "pt"})


def halved(weights: Mapping[str, Tensor]) -> Weights:
    """Floating-point weights as float16, cut off where that ends."""
    most = torch.finfo(torch.float16).max
    return {
        name: value.clamp(-most, most).half() if value.is_floating_point() else value
        for name, value in weights.items()
    }

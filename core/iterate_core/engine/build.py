"""From a recipe to its model."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

from iterate_core.data.target import Target
from iterate_core.engine.resolved import Prepared
from iterate_core.errors import Problem, RequestError
from iterate_core.fingerprint import seed_for
from iterate_core.models.assembly import Model
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.backbones.framewise import Framewise
from iterate_core.models.decoders.probes.fitted import Fitted
from iterate_core.models.necks.base import Neck
from iterate_core.models.shapes import Pooled, Shape
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.storage import memory

M = TypeVar("M", bound=nn.Module)


def build_model(prepared: Prepared, *, meta: bool = False, headless: bool = False) -> Model:
    """Build the model a recipe describes; global random state moves.

    Args:
        prepared: The recipe and its data.
        meta: Build on PyTorch's meta device: shapes, but neither weights nor memory.
        headless: Leave the backbone out, to decode features that were computed earlier.

    Raises:
        RequestError: Backbone, weights, decoder and bands do not fit each other.
    """
    recipe, target = prepared.recipe, prepared.target
    backbone = shared_backbone(prepared, meta=meta or headless)
    if not recipe.tuning.constant:
        backbone = _own(backbone, weights=not recipe.tuning.additive)
    entry = registries.decoders.get(recipe.model.decoder.name, "model.decoder.name")
    tuning = registries.tunings.get(recipe.tuning.name, "tuning.name").load()(recipe.tuning)
    with torch.device("meta" if meta else "cpu"):
        neck = _neck(recipe, backbone.shape)
        shape = backbone.shape if neck is None else neck.shape
        finer, grid = _laid_out(target, prepared.size)
        channels = target.channels * finer**2
        torch.manual_seed(seed_for(recipe.seed, "decoder"))
        decoder: nn.Module = entry.load()(recipe.model.decoder, shape, channels)
        torch.manual_seed(seed_for(recipe.seed, "tuning"))
        kept = None if headless else backbone
        model = Model(kept, channels_last(decoder), backbone.multiple, tuning, neck)
    for part in decoder.modules():
        if isinstance(part, Fitted):
            part.exclusive = target.exclusive
    model.finer, model.grid = finer, grid
    return model


def _neck(recipe: Recipe, shape: Shape) -> Neck | None:
    """The recipe's neck for a backbone's maps; vectors have none.

    Raises:
        RequestError: It does not suit the backbone's maps.
    """
    if isinstance(shape, Pooled):
        return None
    chosen = recipe.model.neck
    torch.manual_seed(seed_for(recipe.seed, "neck"))
    neck = registries.necks.get(chosen.name, "model.neck.name").load()(chosen, shape)
    if not isinstance(neck, Neck):
        what = f"{chosen.name!r} built a {type(neck).__name__}, no Neck."
        raise RequestError(Problem("model.neck.name", what))
    return channels_last(neck)


def _laid_out(target: Target, size: tuple[int, int]) -> tuple[int, tuple[int, int] | None]:
    """How many cells of a map a pixel of `size` is given a side, and the map's size if other."""
    grid = target.grid(size)
    finer = max(-(-cells // pixels) for cells, pixels in zip(grid, size, strict=True))
    return finer, None if grid == (size[0] * finer, size[1] * finer) else grid


def shared_backbone(prepared: Prepared, *, meta: bool = False) -> Backbone:
    """The recipe's backbone as loaded, kept between recipes; copy it before training it.

    Of its parameters `requires_grad` is whatever the last recipe to share them made it.
    """

    def make() -> Backbone:
        torch.manual_seed(seed_for(recipe.seed, "backbone"))
        build = registries.backbones.get(recipe.model.backbone.name).load()
        # Whoever asks first may be inferring; tensors made then could never be trained.
        with torch.inference_mode(mode=False):
            made: Backbone = build(recipe.model.backbone, prepared.inputs, meta)
            if not isinstance(made, Backbone):
                what = f"{recipe.model.backbone.name!r} built a {type(made).__name__}, no Backbone."
                raise RequestError(Problem("model.backbone.name", what))
            if prepared.info.frames > 1 and not made.takes_frames:
                made = Framewise(made, prepared.info.frames, recipe.model.frames)
            named = made.named_parameters()
            made.fixed = frozenset(name for name, value in named if not value.requires_grad)
            return channels_last(made)

    recipe = prepared.recipe
    return memory.backbones.get((prepared.backbone_key, meta), make, _size)


def _own(backbone: Backbone, *, weights: bool) -> Backbone:
    """A copy; without `weights` of its own its parameters and buffers are those of the original."""
    shared = [] if weights else [*backbone.parameters(), *backbone.buffers()]
    return copy.deepcopy(backbone, {id(tensor): tensor for tensor in shared})


def channels_last(module: M) -> M:
    """Lay out filters with their channels together, as batches are.

    Convolutions are then up to twice as fast on CPUs, and on GPUs in mixed precision.
    """
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def _size(module: nn.Module) -> int:
    tensors = [*module.parameters(), *module.buffers()]
    return sum(tensor.nbytes for tensor in tensors if tensor.device.type != "meta")

"""What a recipe costs to train, counted without training it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from iterate_core.data.selection import epoch_count
from iterate_core.engine.build import build_model
from iterate_core.engine.resolved import Prepared
from iterate_core.models.assembly import Model


def epoch_flops(prepared: Prepared) -> float:
    """Floating-point operations of one epoch: training samples trained on, validation ones scored.

    Counted on PyTorch's meta device for matrix products and convolutions, a multiplication and an
    addition each. The backward pass is estimated as the recipe's tuning does; features that are
    kept between epochs cost less than is counted.

    Raises:
        RequestError: The recipe does not fit its data.
    """
    model = _outline(prepared)
    forward = _forward_flops(prepared, model)
    assert model.backbone is not None  # noqa: S101 - an outline is whole
    step = 1.0 + model.tuning.backward_cost(model.backbone)
    trained = epoch_count(prepared.recipe.data, prepared.info)
    return forward * (step * trained + prepared.info.sizes["val"])


def image_flops(prepared: Prepared) -> float:
    """Floating-point operations of predicting one image, counted as `epoch_flops` counts them.

    Raises:
        RequestError: The recipe does not fit its data.
    """
    return _forward_flops(prepared, _outline(prepared))


class Parameters(NamedTuple):
    """How many parameters a model has, its backbone's and its decoder's.

    Attributes:
        trained: Those that ever take a gradient.
        total: All.
    """

    trained: int
    total: int


def parameters(prepared: Prepared) -> Parameters:
    """How many parameters the model has.

    Raises:
        RequestError: The recipe does not fit its data, or those are not there.
    """
    sizes = [(value.numel(), value.requires_grad) for value in _outline(prepared).parameters()]
    return Parameters(sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes))


def _forward_flops(prepared: Prepared, outline: Model) -> float:
    frames = () if prepared.info.frames == 1 else (prepared.info.frames,)
    image = torch.empty((1, len(prepared.bands), *frames, *prepared.size), device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        outline.eval()(image)
    return float(counter.get_total_flops())


def _outline(prepared: Prepared) -> Model:
    """The model without weights; random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        return build_model(prepared, meta=True)

"""What would fail in training is found before it begins."""

from __future__ import annotations

import torch

from iterate.core.check import complete
from iterate.core.data.dataset import SPLITS
from iterate.core.errors import Problem, RequestError
from iterate.core.models.building import build_model
from iterate.core.prepared import Prepared, prepare
from iterate.core.recipe import Recipe


def preflight(recipe: Recipe) -> None:
    """Try a recipe without training it.

    Every sample is read, once for all recipes that share dataset and bands: it is packed, which
    training would do anyway. The model is built on PyTorch's meta device, so it takes neither
    memory nor weights, and a batch's shape is sent through it.

    Raises:
        RequestError: Everything that `complete` finds, or what does not fit in the model.
        DataError: A sample is damaged.
    """
    prepared = prepare(complete(recipe))
    for split in SPLITS:
        if not prepared.pack.names(split):
            what = f"its {split} split is empty."
            raise RequestError(Problem(prepared.info.name, what))
    with torch.random.fork_rng(devices=[]):
        _send_shape(prepared)


def _send_shape(prepared: Prepared) -> None:
    model = build_model(prepared, meta=True).eval()
    batch = torch.empty((2, len(prepared.bands), *prepared.size), device="meta")
    try:
        with torch.no_grad():
            logits = model(batch)
    except (RuntimeError, ValueError) as error:
        name = prepared.recipe.model.backbone.name
        what = f"{name} does not take images of {_sizes(prepared)} ({str(error).splitlines()[0]})."
        hint = "Try another data.image_size."
        raise RequestError(Problem("data.image_size", what, hint)) from error
    classes = len(prepared.info.classes)
    expected = (2, classes, *prepared.size) if prepared.task.dense else (2, classes)
    if tuple(logits.shape) != expected:
        what = f"gives {tuple(logits.shape)} where {expected} is needed."
        raise RequestError(Problem("model.decoder.name", what))


def _sizes(prepared: Prepared) -> str:
    height, width = prepared.size
    return f"{len(prepared.bands)} × {height} × {width} pixels"

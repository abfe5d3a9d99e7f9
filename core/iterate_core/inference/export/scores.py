"""What a model scores on a split through whatever predicts: in fewer bits, or as a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iterate_core.data.dataset import Split
from iterate_core.data.loading.batch import Batch, Context
from iterate_core.data.loading.loader import PixelSupply, chunked
from iterate_core.data.loading.scaling import Scaling
from iterate_core.data.units import Channel
from iterate_core.engine.order import evaluation_course
from iterate_core.engine.resolved import Prepared
from iterate_core.engine.setup import built_task
from iterate_core.inference.export.graph import Answer, Arrays

Predict = Callable[[Tensor, Context | None], Any]
"""From images (n, bands, …, height, width) in stored units to what `Predictor.predict` gives."""

_LEAST = float(np.finfo(np.float32).tiny)


def scores_of(prepared: Prepared, predict: Predict, split: Split = "test") -> dict[str, float]:
    """The metrics of a split, without its name before them, on the grid of the stored images.

    Of models that find objects there is no loss.

    Raises:
        RequestError: The data are not at hand.
    """
    task = built_task(prepared, headless=True).eval()
    objects = prepared.target.gives == "objects"
    for batch in _batches(prepared, split):
        outputs = predict(batch.inputs, batch.context)
        with torch.no_grad():
            if objects:
                counted = torch.tensor(float(len(batch.targets)))
                task.scores.update(outputs, batch.targets, torch.zeros(()), counted)
                continue
            outputs = _undone(outputs, prepared)
            total, counted = task.losses(outputs, batch.targets)
            task.scores.update(outputs, batch.targets, total, counted)
    found = task.reported(task.scores)
    return {name: value for name, value in found.items() if not (objects and name == "loss")}


def calibration(prepared: Prepared, names: tuple[str, ...], count: int) -> Iterator[Arrays]:
    """What a graph is to be calibrated with: training samples from all over the split, one by one.

    Args:
        prepared: The recipe and its data.
        names: Of the graph's inputs.
        count: Samples, at most.
    """
    training = prepared.training
    chosen = training[np.unique(np.linspace(0, len(training) - 1, count).astype(np.int64))]
    supply = _supply(prepared, "train")
    for batch in supply.batches(chunked(chosen, 1, drop_single=False), None):
        yield arrays_of(batch.inputs, batch.context, names)


def arrays_of(images: Tensor, context: Context | None, names: tuple[str, ...]) -> Arrays:
    """Inputs of a graph by name; what is not known of a context is NaN."""
    given = {"images": images.numpy()}
    for name in set(names) - {"images"}:
        told = None if context is None else getattr(context, name)
        if told is None:
            frames = images.shape[2] if images.ndim == 5 else 1
            shape = (len(images), frames, 2) if name == "dates" else (len(images), 2)
            told = torch.full(shape, torch.nan)
        given[name] = told.numpy()
    return given


def by_answer(answer: Answer, names: tuple[str, ...]) -> Predict:
    """A graph as something that predicts."""

    def predict(images: Tensor, context: Context | None) -> Tensor:
        return torch.from_numpy(answer(arrays_of(images, context, names))[0])

    return predict


def _batches(prepared: Prepared, split: Split) -> Iterator[Batch]:
    chunks = evaluation_course(prepared, split).chunks
    yield from _supply(prepared, split).batches(chunks, None)


def _supply(prepared: Prepared, split: Split) -> PixelSupply:
    """Batches of images as they are stored."""
    info = prepared.info
    bands = len(prepared.pack.bands)
    as_stored = Scaling(tuple(Channel(band) for band in range(bands)), (info.height, info.width))
    cpu = torch.device("cpu")
    return PixelSupply(prepared.pack, split, as_stored, (), cpu, workers=0)


def _undone(predicted: Tensor, prepared: Prepared) -> Tensor:
    """Outputs that are scored as the predictions are: logits of probabilities."""
    if prepared.target.gives != "probabilities":
        return predicted
    if prepared.target.exclusive:
        return predicted.clamp(min=_LEAST).log()
    return predicted.double().clamp(1e-12, 1 - 1e-12).logit().float()

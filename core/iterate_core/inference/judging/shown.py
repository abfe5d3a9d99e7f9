"""Some samples of a split with what a model says of them, drawn and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from iterate_core.data.inspect.predictions import Picture, draw_predictions, quantity_range
from iterate_core.data.target import Target
from iterate_core.inference.judging.split import SplitPredictions

_HALF = 0.5


@dataclass(frozen=True)
class ShownSample:
    """A sample, its truth and its prediction.

    Attributes:
        index: In its split.
        name: Its identifier.
        truth: In words; None where only pictures tell it.
        told: What the model says, likewise.
        pictures: See `draw_predictions`.
        drawn_between: The quantities that are darkest and brightest in maps; None of all else.
    """

    index: int
    name: str
    truth: str | None
    told: str | None
    pictures: list[Picture]
    drawn_between: tuple[float, float] | None = None


def show(split: SplitPredictions, indices: Sequence[int]) -> list[ShownSample]:
    """Predict some samples and draw them.

    Args:
        split: The model on its data.
        indices: Of the samples; all of them are held at once.
    """
    if not indices:
        return []
    batch, target = split.of(indices), split.target
    packed = apply_to_collection(list(batch.targets), Tensor, Tensor.numpy)
    truths = [target.unpacked(each) for each in packed]
    told = [_as_given(each, target) for each in batch.predicted]
    pictures = draw_predictions(batch.images.numpy(), split.bands, truths, told, target)
    between = quantity_range(truths) if target.form == "map" else None
    return [
        ShownSample(
            index,
            split.names[index],
            target.title(truth),
            _words(said, one, target),
            row,
            between,
        )
        for index, truth, said, one, row in zip(
            indices, truths, batch.predicted, told, pictures, strict=True
        )
    ]


def _as_given(predicted: Any, target: Target) -> Any:
    """One sample's prediction in the form in which a reader gives targets."""
    if target.gives == "objects":
        sure = predicted["scores"] >= _HALF
        found = {name: each[sure] for name, each in predicted.items()}
        if "masks" in found:
            found["masks"] = found["masks"].bool()
        return target.unpacked({name: each.numpy() for name, each in found.items()})
    if target.gives == "probabilities":
        chosen = predicted.argmax(dim=0) if target.exclusive else predicted > _HALF
        return chosen.numpy()
    return predicted.squeeze(0).numpy() if target.form == "map" else predicted.numpy()


def _words(predicted: Any, given: Any, target: Target) -> str | None:
    """What is predicted of an image as a whole, and with what probability."""
    title = target.title(given)
    if title is None or target.gives != "probabilities":
        return title
    if target.exclusive:
        return f"{title} ({100 * float(torch.max(predicted)):.0f} %)"
    return title or "none"

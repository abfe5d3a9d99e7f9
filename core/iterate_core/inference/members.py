"""Trained models that predict together: one, or the repeats of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from iterate_core.data.augmentation.elements import IDENTITY, Element, elements
from iterate_core.data.loading.batch import Context
from iterate_core.device import ran_out_of_memory
from iterate_core.engine.description import ModelDescription
from iterate_core.errors import DeviceMemoryError, Problem, RequestError
from iterate_core.inference.predictor import Predictor, load_model
from iterate_core.inference.windows import unit_of

_PIXELS = {"cpu": 2**18}  # of a batch
_PIXELS_ELSEWHERE = 2**22


class Ensemble:
    """Models of one recipe, differing in what they were trained from.

    Args:
        models: At least one.
        flips: Whether each predicts all flips and quarter turns of an image, and the mean counts.

    Attributes:
        models: As given.
        first: Of them.
        flips: As given.

    Raises:
        RequestError: They take or give different things, or flips do not suit what is predicted.
    """

    def __init__(self, models: Sequence[Predictor], *, flips: bool = False) -> None:
        self.models, self.first, self.flips = tuple(models), models[0], flips
        for other in self.models[1:]:
            if _interface(other.description) != _interface(self.first.description):
                raise RequestError(Problem("--ensemble", "its models take or give other things."))
        self._turns: tuple[Element, ...] = (IDENTITY,)
        if flips:
            if self.first.target.gives not in ("probabilities", "quantities"):
                what = "are for numbers, whose mean is taken; what this model finds has none."
                raise RequestError(Problem("--flips", what, "Leave it out."))
            height, width = self.first.size
            self._turns = elements(flip=True, rotate=True, square=height == width)

    @property
    def description(self) -> ModelDescription:
        """What the first one is; they differ in nothing that their inputs or outputs show."""
        return self.first.description

    @property
    def unit(self) -> tuple[int, int]:
        """See `iterate_core.inference.windows.unit_of`."""
        return unit_of(self.first.model.multiple, self.first.seen, self.first.size)

    def batch(self, asked: int | None) -> int:
        """How many images go through a model at once, if `asked` does not say."""
        if asked is not None:
            return asked
        height, width = self.first.seen
        pixels = _PIXELS.get(self.first.device.type, _PIXELS_ELSEWHERE)
        return max(1, pixels // (height * width * self.description.info.frames))

    def predict(self, images: Tensor, context: Context | None = None) -> Tensor:
        """Numbers that each model predicts of images: (models, n, channels[, height, width]).

        Args:
            images: See `Predictor.predict`.
            context: Likewise.

        Raises:
            DeviceMemoryError: The GPU's memory holds not even one image.
        """
        try:
            return torch.stack([self._of(model, images, context).cpu() for model in self.models])
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
        if len(images) == 1:
            what = "the GPU's memory is too small for one window; take smaller ones (--window)."
            raise DeviceMemoryError(what)
        torch.cuda.empty_cache()
        half = len(images) // 2
        first, second = (_rows(context, part) for part in (slice(half), slice(half, None)))
        return torch.cat(
            (self.predict(images[:half], first), self.predict(images[half:], second)), dim=1
        )

    def _of(self, model: Predictor, images: Tensor, context: Context | None) -> Tensor:
        several = []
        for element in self._turns:
            found: Tensor = model.predict(element.apply(images), context)
            several.append(_undone(element).apply(found) if found.ndim == 4 else found)
        return several[0] if len(several) == 1 else torch.stack(several).mean(dim=0)


def _undone(element: Element) -> Element:
    """What takes an element back: a turn and a flip together take themselves back."""
    return element if element.flip else Element(-element.turns % 4, flip=False)


def _rows(context: Context | None, part: slice) -> Context | None:
    if context is None:
        return None
    both = (context.dates, context.places)
    return Context(*(None if each is None else each[part] for each in both))


def _interface(description: ModelDescription) -> tuple[object, ...]:
    info = description.info
    size = (info.height, info.width, info.frames, info.finer)
    return description.bands, info.task, info.classes, size


def load_ensemble(
    folders: Sequence[Path],
    *,
    accelerator: str = "auto",
    precision: str | None = None,
    window: int | None = None,
    flips: bool = False,
) -> Ensemble:
    """Load the models of folders; see `iterate_core.inference.predictor.load_model`.

    Raises:
        RequestError: See there and `Ensemble`.
    """
    models = [
        load_model(folder, accelerator=accelerator, precision=precision, window=window)
        for folder in folders
    ]
    return Ensemble(models, flips=flips)

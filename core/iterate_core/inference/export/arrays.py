"""A trained model between arrays: for callers who know no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from iterate_core.data.loading.batch import Context
from iterate_core.errors import Problem, RequestError
from iterate_core.inference.export.graph import inputs_of
from iterate_core.inference.predictor import Predictor

Arrays = Mapping[str, npt.NDArray[Any]]
_KNOWN = ("images", "dates", "places")


def predicted(predictor: Predictor, given: Arrays) -> Any:
    """What a model says of images.

    Args:
        predictor: The model.
        given: ``images`` (n, bands, …, height, width), and if it was told them ``dates`` (n,
            frames, 2) and ``places`` (n, 2): see `iterate_core.data.loading.batch.Context`.

    Returns:
        As `Predictor.predict`, as an array; of objects a list of dictionaries of plain lists.

    Raises:
        RequestError: Something is missing, of another shape, or not known.
    """
    odd = sorted(set(given) - set(_KNOWN))
    if odd or "images" not in given:
        what = f"takes {', '.join(_KNOWN)}, of which images must be there, but got {sorted(given)}."
        raise RequestError(Problem(predictor.description.info.name, what))
    images = torch.from_numpy(np.ascontiguousarray(given["images"], dtype=np.float32))
    _check(predictor, images)
    dates, places = (_tensor(given.get(name)) for name in _KNOWN[1:])
    context = None if dates is None and places is None else Context(dates, places)
    answer = predictor.predict(images, context)
    if isinstance(answer, Tensor):
        return answer.cpu().numpy()
    return [{name: one.cpu().tolist() for name, one in found.items()} for found in answer]


def example(predictor: Predictor, count: int = 1) -> dict[str, npt.NDArray[Any]]:
    """Inputs such as a model may be given, by name: drawn about the bands' means."""
    return {name: one.numpy() for name, one in inputs_of(predictor, count).items()}


def _tensor(array: npt.NDArray[Any] | None) -> Tensor | None:
    if array is None:
        return None
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _check(predictor: Predictor, images: Tensor) -> None:
    info = predictor.description.info
    frames = (info.frames,) if info.frames > 1 else ()
    wanted = (len(predictor.description.bands), *frames, *predictor.size)
    if tuple(images.shape[1:]) != wanted:
        what = f"takes images (n, {', '.join(map(str, wanted))}), but got {tuple(images.shape)}."
        raise RequestError(Problem(info.name, what))

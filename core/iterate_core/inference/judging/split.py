"""A trained model on a split of its own data, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from iterate_core.data.dataset import Split
from iterate_core.data.loading.contexts import Contexts
from iterate_core.data.loading.tensors import tensor, tensors, widened
from iterate_core.engine.order import evaluation_course
from iterate_core.engine.resolved import Prepared
from iterate_core.errors import Problem, RequestError
from iterate_core.inference.predictor import Predictor

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Predicted:
    """Some samples of a split and what the model says of them, on the host.

    Attributes:
        indices: (n,) of the samples in their split.
        images: (n, bands, …, height, width) in the files' units.
        targets: As the dataset's `Target.packed` makes them, as tensors (n, …) or a list of n.
        predicted: See `Predictor.predict`.
    """

    indices: Indices
    images: Tensor
    targets: Any
    predicted: Any


class SplitPredictions:
    """Predicts a split of the data that a model was trained on; holds one batch at a time.

    Args:
        predictor: The model.
        prepared: Its recipe, with its data.
        split: Which part of them.

    Attributes:
        names: The samples' identifiers.

    Raises:
        RequestError: The data are not those that the model was trained on.
        DataError: They are absent or damaged.
    """

    def __init__(self, predictor: Predictor, prepared: Prepared, split: Split = "test") -> None:
        if prepared.identity != predictor.description.identity:
            what = "the data, or the code, have changed since this model was trained on them."
            raise RequestError(Problem(prepared.info.name, what))
        self._predictor, self._prepared, self._split = predictor, prepared, split
        self._images = prepared.pack.images(split)
        self._targets = prepared.pack.targets(split)
        self._contexts = Contexts(prepared.pack, split, predictor.device)
        self.target = prepared.target
        self.bands = prepared.pack.bands
        self.names = prepared.pack.names(split)

    def __len__(self) -> int:
        return len(self.names)

    def batches(self) -> Iterator[Predicted]:
        """All samples in the split's order, in batches as the recipe evaluates them."""
        for chunk in evaluation_course(self._prepared, self._split).chunks:
            yield self.of(chunk)

    def of(self, samples: Sequence[int] | Indices) -> Predicted:
        """Some samples, by their indices in the split."""
        chunk = np.asarray(samples, dtype=np.int64)
        images = widened(tensor(self._images[chunk]), self._images.dtype)
        found = self._predictor.predict(images, self._contexts.of(chunk))
        predicted = apply_to_collection(found, torch.Tensor, torch.Tensor.cpu)
        return Predicted(chunk, images, tensors(self._targets[chunk]), predicted)

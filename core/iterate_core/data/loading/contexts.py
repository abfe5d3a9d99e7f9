"""When and where the samples of a split were taken, for whole batches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from iterate_core.data.dataset import Split
from iterate_core.data.loading.batch import Context
from iterate_core.data.store.pack import Pack


class Contexts:
    """Hands out the context of some samples of a split.

    Args:
        pack: The packed dataset.
        split: Which part of it.
        device: Where batches are made.
    """

    def __init__(self, pack: Pack, split: Split, device: torch.device) -> None:
        self._device = device
        self._dates, self._places = pack.dates(split), pack.places(split)

    def of(self, chunk: npt.NDArray[np.int64]) -> Context | None:
        """Of the samples in `chunk`; None where the split knows neither dates nor places."""
        if self._dates is None and self._places is None:
            return None
        return Context(self._rows(self._dates, chunk), self._rows(self._places, chunk))

    def _rows(
        self, array: npt.NDArray[np.float32] | None, chunk: npt.NDArray[np.int64]
    ) -> Tensor | None:
        return None if array is None else torch.from_numpy(array[chunk]).to(self._device)

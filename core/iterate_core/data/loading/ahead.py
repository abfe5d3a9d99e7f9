"""Batches of stored pixels that other processes read while this one trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from iterate_core.data.dataset import Split
from iterate_core.data.loading.tensors import tensor, tensors
from iterate_core.data.store.pack import Pack

_Rows = npt.NDArray[np.int64]


class ReadAhead:
    """Reads batches of a split in processes that live as long as this does, over all epochs.

    Args:
        pack: The packed dataset.
        split: Which part of it.
        workers: How many processes.
        pin: Hand out pinned memory, from which copies to a GPU do not wait.
    """

    def __init__(self, pack: Pack, split: Split, workers: int, *, pin: bool) -> None:
        self._order = _Order()
        self._loader = DataLoader(
            _Stored(pack, split),
            batch_size=None,
            sampler=self._order,
            num_workers=workers,
            persistent_workers=True,
            pin_memory=pin,
            # A generator of its own: the loader draws a seed, which must not depend on `workers`.
            generator=torch.Generator(),
        )

    def batches(self, chunks: Sequence[_Rows]) -> Iterator[tuple[Tensor, Any]]:
        """Images and targets of the samples in each chunk, as they are stored.

        Raises:
            RuntimeError: A process died.
        """
        self._order.chunks = chunks
        yield from self._loader


class _Order(Sampler[_Rows]):
    """The chunks of whatever epoch is at hand: they travel to processes that are there already."""

    chunks: Sequence[_Rows] = ()

    def __len__(self) -> int:
        return len(self.chunks)

    def __iter__(self) -> Iterator[_Rows]:
        return iter(self.chunks)


class _Stored(Dataset[tuple[Tensor, Any]]):
    """A split's images and targets by the samples wanted."""

    def __init__(self, pack: Pack, split: Split) -> None:
        self._pack, self._split = pack, split

    def __getitem__(self, chunk: _Rows) -> tuple[Tensor, Any]:
        images, targets = self._pack.images(self._split), self._pack.targets(self._split)
        return tensor(images[chunk]), tensors(targets[chunk])

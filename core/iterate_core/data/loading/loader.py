"""Batches from a packed split: whole batches at once, never one sample at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from iterate_core.data.dataset import Split
from iterate_core.data.loading.augmentation import Element, apply_each
from iterate_core.data.loading.batch import Batch, Context
from iterate_core.data.loading.contexts import Contexts
from iterate_core.data.loading.scaling import Scaling
from iterate_core.data.store.pack import Pack
from iterate_core.device import keeps_data
from iterate_core.heartbeat import beat
from iterate_core.storage import memory

Indices = npt.NDArray[np.int64]

ON_DEVICE_BYTES = 2 * memory.GIB
"""Splits up to this size are held on the GPU whole."""


class Supply(Protocol):
    """Hands out batches of one split by index."""

    def __len__(self) -> int:
        """Number of samples."""

    def batches(self, chunks: list[Indices], chosen: list[Indices] | None) -> Iterator[Batch]:
        """Batches of the samples in each chunk, each sample changed by its chosen element."""


class PixelSupply:
    """Batches of images.

    Args:
        pack: The packed dataset.
        split: Which part of it.
        scaling: What is done to the pixels.
        group: Flips and rotations to choose from.
        device: Where batches are made.
        workers: Processes that read ahead; 0 reads in this one.
    """

    def __init__(
        self,
        pack: Pack,
        split: Split,
        scaling: Scaling,
        group: tuple[Element, ...],
        device: torch.device,
        workers: int,
    ) -> None:
        self._images = pack.images(split)
        self._targets = pack.targets(split)
        self._scaling = scaling
        self._group = group
        self._device = device
        self._workers = workers
        self._pack, self._split = pack, split
        self._contexts = Contexts(pack, split, device)
        self._held = self._hold(pack, split)

    def __len__(self) -> int:
        return len(self._targets)

    def batches(self, chunks: list[Indices], chosen: list[Indices] | None) -> Iterator[Batch]:
        """See `Supply.batches`."""
        for number, (chunk, (images, targets)) in enumerate(
            zip(chunks, self._raw(chunks), strict=True)
        ):
            beat()
            images, targets = images.to(self._device), targets.to(self._device)
            if chosen is not None:
                images = apply_each(images, chosen[number], self._group)
                if targets.ndim > 2:
                    targets = apply_each(targets, chosen[number], self._group)
            inputs = self._scaling.apply(_widened(images, self._images.dtype))
            targets = self.prepared_targets(targets)
            size, context = self._scaling.size, self._contexts.of(chunk)
            yield Batch(inputs, targets, encoded=False, size=size, context=context)

    def transformed(
        self, chunks: list[Indices], element: Element
    ) -> Iterator[tuple[Tensor, Context | None]]:
        """Normalised images of each chunk, all changed by one element, and their context."""
        for chunk, (images, _) in zip(chunks, self._raw(chunks), strict=True):
            beat()
            turned = element.apply(images.to(self._device))
            scaled = self._scaling.apply(_widened(turned, self._images.dtype))
            yield scaled, self._contexts.of(chunk)

    def targets(self, chunk: Indices) -> Tensor:
        """The stored targets of some samples."""
        if self._held is not None:
            return self._held[1][torch.from_numpy(chunk).to(self._device)]
        return _tensor(self._targets[chunk]).to(self._device)

    def prepared_targets(self, targets: Tensor) -> Tensor:
        """Stored targets as int64 or, in a regression, float32; masks resized as the images are."""
        return self._scaling.resize_masks(targets) if targets.ndim > 2 else targets.long()

    def _raw(self, chunks: list[Indices]) -> Iterator[tuple[Tensor, Tensor]]:
        if self._held is not None:
            images, targets = self._held
            for chunk in chunks:
                rows = torch.from_numpy(chunk).to(self._device)
                yield images[rows], targets[rows]
        elif self._workers:
            ahead = _Chunks(self._pack, self._split, chunks)
            yield from _loader(ahead, self._workers, pin=keeps_data(self._device))
        else:
            for chunk in chunks:
                yield _tensor(self._images[chunk]), _tensor(self._targets[chunk])

    def _hold(self, pack: Pack, split: Split) -> tuple[Tensor, Tensor] | None:
        """The whole split on a device with memory, kept between recipes; None if it is large."""
        if not keeps_data(self._device) or self._images.nbytes > ON_DEVICE_BYTES:
            return None

        def make() -> tuple[Tensor, Tensor]:
            whole = (_tensor(np.array(self._images)), _tensor(np.array(self._targets)))
            return whole[0].to(self._device), whole[1].to(self._device)

        key = ("split", str(pack.folder), split, str(self._device))
        return memory.arrays.get(key, make, lambda held: held[0].nbytes + held[1].nbytes)


class _Chunks(Dataset[tuple[Tensor, Tensor]]):
    """Whole batches by number, for reading in other processes."""

    def __init__(self, pack: Pack, split: Split, chunks: list[Indices]) -> None:
        self._pack, self._split, self._chunks = pack, split, chunks

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        chunk = self._chunks[index]
        images, targets = self._pack.images(self._split), self._pack.targets(self._split)
        return _tensor(images[chunk]), _tensor(targets[chunk])


def _loader(chunks: _Chunks, workers: int, pin: bool) -> DataLoader[tuple[Tensor, Tensor]]:
    # A generator of its own: the loader draws a seed, which must not depend on `workers`.
    return DataLoader(
        chunks,
        batch_size=None,
        num_workers=min(workers, len(chunks)),
        pin_memory=pin,
        generator=torch.Generator(),
    )


_SAME_WIDTH = {np.dtype(np.uint16): np.int16, np.dtype(np.uint32): np.int32}


def _tensor(array: npt.NDArray[Any]) -> Tensor:
    """An array as a tensor; unsigned types that PyTorch can barely index keep their bits."""
    kind = array.dtype.newbyteorder("=")
    array = np.ascontiguousarray(array, dtype=kind)
    return torch.from_numpy(array.view(_SAME_WIDTH.get(kind, kind)))


def _widened(raw: Tensor, stored: np.dtype[Any]) -> Tensor:
    """Undo what `_tensor` did to unsigned types: the same numbers in a wider type."""
    if stored.kind == "u" and stored.itemsize == 2:
        return raw.to(torch.int32) & 0xFFFF
    if stored.kind == "u" and stored.itemsize == 4:
        return raw.to(torch.int64) & 0xFFFFFFFF
    return raw


def chunked(order: Indices, size: int, *, drop_single: bool) -> list[Indices]:
    """Cut an order into chunks of `size`; the last may be shorter.

    Args:
        order: Sample indices.
        size: Samples in a chunk.
        drop_single: Leave out a last chunk of one sample, whose variance batch normalisation
            cannot estimate. (Another sample is left out in the next epoch's order.)
    """
    chunks = [order[start : start + size] for start in range(0, len(order), size)]
    if drop_single and size > 1 and len(chunks) > 1 and len(chunks[-1]) == 1:
        chunks.pop()
    return chunks

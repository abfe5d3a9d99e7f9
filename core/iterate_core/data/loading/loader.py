"""Batches from a packed split: whole batches at once, never one sample at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from iterate_core.data.augmentation.draws import Draws
from iterate_core.data.augmentation.elements import Element, apply_each
from iterate_core.data.augmentation.pipeline import Augmentations
from iterate_core.data.augmentation.warp import Warp
from iterate_core.data.dataset import Split
from iterate_core.data.loading.ahead import ReadAhead
from iterate_core.data.loading.batch import Batch, Context
from iterate_core.data.loading.contexts import Contexts
from iterate_core.data.loading.scaling import Scaling
from iterate_core.data.loading.tensors import placed, tensor, tensors, widened
from iterate_core.data.store.pack import Pack
from iterate_core.data.store.targets import Ragged
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

    def batches(
        self, chunks: list[Indices], chosen: list[Indices] | None, draws: Draws | None = None
    ) -> Iterator[Batch]:
        """Batches of the samples in each chunk, each sample changed by its chosen element.

        Args:
            chunks: Sample indices of each batch.
            chosen: The element of each sample of each batch; None changes nothing.
            draws: What further augmentations draw from; None makes none.
        """


class PixelSupply:
    """Batches of images.

    Args:
        pack: The packed dataset.
        split: Which part of it.
        scaling: What is done to the pixels.
        group: Flips and rotations to choose from.
        device: Where batches are made.
        workers: Processes that read ahead; 0 reads in this one.
        further: What may be done to samples beside; None does nothing.
    """

    def __init__(
        self,
        pack: Pack,
        split: Split,
        scaling: Scaling,
        group: tuple[Element, ...],
        device: torch.device,
        workers: int,
        further: Augmentations | None = None,
    ) -> None:
        self._images = pack.images(split)
        self._targets = pack.targets(split)
        self._target = pack.target
        self._scaling = scaling
        self._group = group
        self._further = further
        self._device = device
        self._workers = workers
        self._pack, self._split = pack, split
        self._contexts = Contexts(pack, split, device)
        self._held = self._hold(pack, split)
        self._reading: ReadAhead | None = None

    def __len__(self) -> int:
        return len(self._targets)

    def batches(
        self, chunks: list[Indices], chosen: list[Indices] | None, draws: Draws | None = None
    ) -> Iterator[Batch]:
        """See `Supply.batches`."""
        for number, (chunk, (images, targets)) in enumerate(
            zip(chunks, self._raw(chunks), strict=True)
        ):
            beat()
            images = placed(images, self._device)
            which = None if chosen is None else chosen[number]
            if which is not None:
                images = apply_each(images, which, self._group)
            raw = widened(images, self._images.dtype)
            seen, warp = raw, None
            if self._further is not None:
                warp = self._further.warp(chunk, draws)
                raw = self._further.warped(warp, raw)
                seen = self._further.touched(raw, chunk, draws)
            inputs = self._scaling.apply(seen)
            targets = self._prepared(placed(targets, self._device), which, raw, warp)
            if self._further is not None:
                mixing = self._further.mixing(chunk, draws, self._scaling.size)
                if mixing is not None:
                    inputs, targets = mixing.images(inputs), self._target.mixed(targets, mixing)
            size, context = self._scaling.size, self._contexts.of(chunk)
            yield Batch(inputs, targets, encoded=False, size=size, context=context)

    def transformed(
        self, chunks: list[Indices], element: Element
    ) -> Iterator[tuple[Tensor, Context | None]]:
        """Normalised images of each chunk, all changed by one element, and their context."""
        for chunk, (images, _) in zip(chunks, self._raw(chunks), strict=True):
            beat()
            turned = element.apply(images.to(self._device))
            scaled = self._scaling.apply(widened(turned, self._images.dtype))
            yield scaled, self._contexts.of(chunk)

    def targets(self, chunk: Indices, chosen: Indices | None) -> Any:
        """The targets of some samples as a batch has them, each changed by its chosen element."""
        images = self._stored_images(chunk, chosen) if self._target.sees_images else None
        return self._prepared(self._stored_targets(chunk), chosen, images)

    def _prepared(
        self,
        targets: Any,
        chosen: Indices | None,
        images: Tensor | None,
        warp: Warp | None = None,
    ) -> Any:
        if chosen is not None:
            targets = self._target.augmented(targets, chosen, self._group)
        if warp is not None:
            targets = self._target.warped(targets, warp)
        targets = self._target.prepared(targets, self._scaling.size)
        if images is None or not self._target.sees_images:
            return targets
        return self._target.seen(targets, images, self._pack.bands, self._pack.target_mean)

    def _stored_images(self, chunk: Indices, chosen: Indices | None) -> Tensor:
        """Some samples' images in the files' units, each changed by its chosen element."""
        if self._held is not None:
            images = self._held[0][torch.from_numpy(chunk).to(self._device)]
        else:
            images = tensor(self._images[chunk]).to(self._device)
        if chosen is not None:
            images = apply_each(images, chosen, self._group)
        return widened(images, self._images.dtype)

    def _stored_targets(self, chunk: Indices) -> Any:
        if self._held is not None and self._held[1] is not None:
            return self._held[1][torch.from_numpy(chunk).to(self._device)]
        return placed(tensors(self._targets[chunk]), self._device)

    def _raw(self, chunks: list[Indices]) -> Iterator[tuple[Tensor, Any]]:
        if self._held is not None:
            for chunk in chunks:
                rows = torch.from_numpy(chunk).to(self._device)
                yield self._held[0][rows], self._stored_targets(chunk)
        elif self._workers and chunks:
            yield from self._ahead(min(self._workers, len(chunks))).batches(chunks)
        else:
            for chunk in chunks:
                yield tensor(self._images[chunk]), tensors(self._targets[chunk])

    def _ahead(self, workers: int) -> ReadAhead:
        """The processes that read ahead, begun when first needed."""
        if self._reading is None:
            pin = keeps_data(self._device)
            self._reading = ReadAhead(self._pack, self._split, workers, pin=pin)
        return self._reading

    def _hold(self, pack: Pack, split: Split) -> tuple[Tensor, Tensor | None] | None:
        """The whole split on a device with memory, kept between recipes; None if it is large.

        Ragged targets are small and stay in their files.
        """
        if not keeps_data(self._device) or self._images.nbytes > ON_DEVICE_BYTES:
            return None
        stored = self._targets

        def make() -> tuple[Tensor, Tensor | None]:
            images = tensor(np.array(self._images)).to(self._device)
            if isinstance(stored, Ragged):
                return images, None
            return images, tensor(np.array(stored)).to(self._device)

        key = ("split", str(pack.folder), split, str(self._device))
        return memory.arrays.get(key, make, _nbytes)


def _nbytes(held: tuple[Tensor, Tensor | None]) -> int:
    return sum(part.nbytes for part in held if part is not None)


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

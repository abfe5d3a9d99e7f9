"""Batches of a frozen backbone's features, computed once and read by every later trial.

For each split and flip or rotation there is a memory-mapped array a level, (samples, width) or
(samples, height, width, channels), below a folder whose name is fixed by the backbone, its weights,
the data, and everything else that decides the numbers. Processes that want the same ones compute
them together, block by block; finished blocks stay, whatever becomes of a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iterate_core.data.augmentation.draws import Draws
from iterate_core.data.augmentation.elements import Element
from iterate_core.data.dataset import Split
from iterate_core.data.loading.batch import Batch, Context
from iterate_core.data.loading.loader import Indices, PixelSupply, chunked
from iterate_core.device import keeps_data
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.features.halves import doubled, halved
from iterate_core.engine.features.keeping import Place
from iterate_core.errors import WorkError
from iterate_core.heartbeat import beat
from iterate_core.models.shapes import Pooled
from iterate_core.storage import memory
from iterate_core.storage.ahead import Ahead
from iterate_core.storage.cache import cached
from iterate_core.storage.files import Locked
from iterate_core.storage.shared_rows import Arrays, SharedRows, fill
from iterate_core.storage.usage import Use

CHUNK = 32
"""Samples that the backbone is given at once."""

BLOCK = 64
"""Samples that a process computes before another may go on with the next; some chunks."""

ON_DEVICE_BYTES = 4 * memory.GIB
"""Features of a split up to this size are held on the GPU whole."""

AHEAD_BYTES = memory.GIB
"""Features of a split above this size may not be in memory: the next batches' are read ahead."""

_BATCHES_AHEAD = 3

Encode = Callable[[Tensor, Context | None], Any]


class FeatureSupply:
    """Batches of a split's features; see `iterate_core.data.loading.loader.Supply`.

    Args:
        place: Where they lie.
        use: What `Place.hold` gave: as long as it is held, nobody removes them.
        split: Which split.
        group: Flips and rotations to choose from.
        pixels: The split's images, for the features that are not there yet, and its targets.
        encode: Images and context → features, as the frozen backbone computes them.

    Raises:
        MachineError: They cannot be kept.
        WorkError: Other processes compute them for hours.
    """

    def __init__(
        self,
        place: Place,
        use: Use,
        split: Split,
        group: tuple[Element, ...],
        pixels: PixelSupply,
        encode: Encode,
    ) -> None:
        shape = shared_backbone(place.prepared, meta=True).shape
        self._use = use
        self._pooled = isinstance(shape, Pooled)
        self._levels = 1 if isinstance(shape, Pooled) else len(shape.channels)
        self._halved = place.precision == "float16"
        self._pixels = pixels
        self._device = place.device
        self._size = place.prepared.size
        names = [str(level) for level in range(self._levels)]
        names += [f"{level}-powers" for level in names if self._halved]
        self._parts = [
            SharedRows(place.stem(split, element), tuple(names), len(pixels), BLOCK)
            for element in group
        ]
        self._elements = group
        mapped = self._filled(place, encode)
        self._arrays = self._held(mapped)
        large = sum(array.nbytes for arrays in mapped for array in arrays) > AHEAD_BYTES
        read = large and self._arrays is mapped
        self._ahead = [Ahead(arrays) for arrays in mapped] if read else []

    def __len__(self) -> int:
        return len(self._pixels)

    def batches(
        self, chunks: list[Indices], chosen: list[Indices] | None, draws: Draws | None = None
    ) -> Iterator[Batch]:
        """See `iterate_core.data.loading.loader.Supply.batches`; nothing further is drawn."""
        del draws
        elements = (
            [np.zeros(len(chunk), np.int64) for chunk in chunks] if chosen is None else chosen
        )
        for number in range(min(_BATCHES_AHEAD, len(chunks))):
            self._read_ahead(chunks[number], elements[number])
        for number, (chunk, which) in enumerate(zip(chunks, elements, strict=True)):
            beat()
            if (later := number + _BATCHES_AHEAD) < len(chunks):
                self._read_ahead(chunks[later], elements[later])
            targets = self._pixels.targets(chunk, None if chosen is None else which)
            levels = [self._gather(level, chunk, which) for level in range(self._levels)]
            inputs = levels[0] if self._pooled else [maps.movedim(-1, 1) for maps in levels]
            yield Batch(inputs, targets, encoded=True, size=self._size)

    def _read_ahead(self, chunk: Indices, which: Indices) -> None:
        for element, files in enumerate(self._ahead):
            files.ask(chunk[which == element])

    def _gather(self, level: int, chunk: Indices, which: Indices) -> Tensor:
        used = np.unique(which)
        if len(used) == 1:
            return self._rows(used[0], level, chunk)
        result = None
        for element in used:
            mine = np.flatnonzero(which == element)
            rows = self._rows(element, level, chunk[mine])
            if result is None:
                result = torch.empty(len(chunk), *rows.shape[1:], device=self._device)
            result[torch.from_numpy(mine).to(self._device)] = rows
        assert result is not None  # noqa: S101 - no batch is empty
        return result

    def _rows(self, element: int, level: int, samples: Indices) -> Tensor:
        """Some samples' features in single precision."""
        arrays = self._arrays[element]
        rows = _taken(arrays[level], samples, self._device)
        if not self._halved:
            return rows
        return doubled(rows, _taken(arrays[self._levels + level], samples, self._device))

    def _held(self, mapped: list[list[np.memmap]]) -> list[Any]:
        """The mapped files; on a device with memory, if they fit, copies kept between recipes."""
        size = sum(array.nbytes for arrays in mapped for array in arrays)
        if not keeps_data(self._device) or size > ON_DEVICE_BYTES:
            return mapped
        return [
            [self._on_device(*both) for both in zip(part.paths, arrays, strict=True)]
            for part, arrays in zip(self._parts, mapped, strict=True)
        ]

    def _on_device(self, path: Any, array: Any) -> Tensor:
        key = ("features", str(path), str(self._device))
        return memory.arrays.get(
            key,
            lambda: torch.from_numpy(np.array(array)).to(self._device),
            lambda held: held.nbytes,
        )

    def _filled(self, place: Place, encode: Encode) -> list[list[np.memmap]]:
        def chunks(part: int, span: range) -> Iterator[Arrays]:
            return self._encoded(self._elements[part], span, encode)

        try:
            with cached("features", place.folder) as room:
                room.needs = place.needs
                fill(self._parts, chunks)
        except Locked as error:
            what = f"{place.folder}: {error} has been computing features for hours"
            raise WorkError(what) from None
        found = [arrays for part in self._parts if (arrays := part.whole()) is not None]
        if len(found) < len(self._parts):
            raise WorkError(f"{place.folder}: the features kept there were changed at once")
        return found

    def _encoded(self, element: Element, span: range, encode: Encode) -> Iterator[Arrays]:
        chunks = chunked(np.arange(span.start, span.stop), CHUNK, drop_single=False)
        # Not inference mode: the backbone may move to the device here, and is trained elsewhere.
        with torch.no_grad():
            for images, context in self._pixels.transformed(chunks, element):
                features = encode(images, context)
                maps = [features] if self._pooled else [level.movedim(1, -1) for level in features]
                yield self._packed([level.float() for level in maps])

    def _packed(self, levels: list[Tensor]) -> Arrays:
        """The levels as they are kept, and in half precision the powers behind them."""
        if self._halved:
            both = [halved(level) for level in levels]
            levels = [rows for rows, _ in both] + [powers for _, powers in both]
        return [level.cpu().numpy() for level in levels]


def _taken(array: Any, samples: Indices, device: torch.device) -> Tensor:
    if isinstance(array, Tensor):
        return array[torch.from_numpy(samples).to(device)]
    return torch.from_numpy(array[samples]).to(device)

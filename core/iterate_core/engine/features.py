"""A frozen backbone's features, computed once and read by every later trial.

Each (split, flip or rotation, level) is one memory-mapped file, (samples, width) or (samples,
height, width, channels), below a folder whose name is fixed
by the backbone, its weights, the data, and everything else that decides the numbers. A file is
whole or absent; processes that want the same one wait for the one that computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from iterate_core.data.augmentation.draws import Draws
from iterate_core.data.augmentation.elements import Element
from iterate_core.data.dataset import Split
from iterate_core.data.loading.batch import Batch, Context
from iterate_core.data.loading.loader import Indices, PixelSupply, chunked
from iterate_core.data.selection import epoch_count, selected_count
from iterate_core.device import keeps_data
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.resolved import Prepared, decisive
from iterate_core.errors import WorkError
from iterate_core.fingerprint import fingerprint
from iterate_core.heartbeat import beat
from iterate_core.models.shapes import Pooled, Shape, padded
from iterate_core.registry.marks import AfterBackbone, PerTraining
from iterate_core.storage import memory
from iterate_core.storage.cache import Room, cache_folder, cached
from iterate_core.storage.files import Locked, lock
from iterate_core.storage.growing import growing

LIMIT = 4 * memory.GIB
"""Bytes of a dataset's features above which none are kept: those of its training split over all
flips and rotations, of its validation and of its test split, together."""

LAYOUT = 1
CHUNK = 32
PATIENCE_SECONDS = 6 * 3600.0

Encode = Callable[[Tensor, Context | None], Any]


def worthwhile(prepared: Prepared, group: tuple[Element, ...]) -> bool:
    """Whether features are kept for this recipe.

    The backbone must be constant, its features small enough, and training long enough that each
    sample is needed in each of its flips and rotations at least once on average. With further
    augmentations no sample is ever the same.
    """
    recipe = prepared.recipe
    data, info = recipe.data, prepared.info
    trained = epoch_count(data, info) * recipe.trainer.epochs
    if not recipe.tuning.constant or trained < len(group) * selected_count(data, info):
        return False
    if recipe.augmentation.members:
        return False
    backbone = shared_backbone(prepared, meta=True)
    each = floats_per_sample(backbone.shape, padded(prepared.size, backbone.multiple))
    sizes = prepared.info.sizes
    return 4 * each * (sizes["train"] * len(group) + sizes["val"] + sizes["test"]) <= LIMIT


def floats_per_sample(shape: Shape, size: tuple[int, int]) -> int:
    """How many numbers the features of one padded image of that size are."""
    if isinstance(shape, Pooled):
        return shape.width
    levels = zip(shape.channels, shape.strides, strict=True)
    return sum(n * -(-size[0] // stride) * -(-size[1] // stride) for n, stride in levels)


@dataclass(frozen=True)
class Place:
    """Where features of a recipe's backbone lie, and on what device they are used.

    Attributes:
        prepared: The recipe and its data.
        device: Where they are computed and used.
    """

    prepared: Prepared
    device: torch.device

    @property
    def folder(self) -> Path:
        """Named by everything that decides the numbers."""
        prepared = self.prepared
        name = fingerprint(
            {
                "layout": LAYOUT,
                "recipe": decisive(prepared.recipe, PerTraining, AfterBackbone),
                "backbone": prepared.backbone_key,
                "data": prepared.data,
                "device": self.device.type,
                "versions": [version("torch"), version("timm"), version("geo-iterate")],
            }
        )
        return cache_folder() / "features" / name

    def files(self, split: Split, element: Element, levels: int) -> list[Path]:
        """The file of each level."""
        stem = f"{split}-{element.turns}{'f' if element.flip else ''}"
        return [self.folder / f"{stem}-{level}.npy" for level in range(levels)]


class FeatureSupply:
    """Batches of a split's features; see `iterate_core.data.loading.loader.Supply`.

    Args:
        place: Where they lie.
        split: Which split.
        group: Flips and rotations to choose from.
        pixels: The split's images, for the features that are not there yet, and its targets.
        encode: Images and context → features, as the frozen backbone computes them.

    Raises:
        MachineError: They cannot be kept.
        WorkError: Another process computes them for hours.
    """

    def __init__(
        self,
        place: Place,
        split: Split,
        group: tuple[Element, ...],
        pixels: PixelSupply,
        encode: Encode,
    ) -> None:
        shape = shared_backbone(place.prepared, meta=True).shape
        self._pooled = isinstance(shape, Pooled)
        self._levels = 1 if isinstance(shape, Pooled) else len(shape.channels)
        self._pixels = pixels
        self._device = place.device
        self._size = place.prepared.size
        self._arrays = [
            [self._held(path, array) for path, array in self._open(place, split, element, encode)]
            for element in group
        ]

    def __len__(self) -> int:
        return len(self._pixels)

    def batches(
        self, chunks: list[Indices], chosen: list[Indices] | None, draws: Draws | None = None
    ) -> Iterator[Batch]:
        """See `iterate_core.data.loading.loader.Supply.batches`; nothing further is drawn."""
        del draws
        for number, chunk in enumerate(chunks):
            beat()
            which = chosen[number] if chosen is not None else np.zeros(len(chunk), np.int64)
            targets = self._pixels.targets(chunk, None if chosen is None else which)
            levels = [self._gather(level, chunk, which) for level in range(self._levels)]
            inputs = levels[0] if self._pooled else [maps.movedim(-1, 1) for maps in levels]
            yield Batch(inputs, targets, encoded=True, size=self._size)

    def _gather(self, level: int, chunk: Indices, which: Indices) -> Tensor:
        used = np.unique(which)
        if len(used) == 1:
            return _rows(self._arrays[used[0]][level], chunk, self._device)
        first = self._arrays[0][level]
        result = torch.empty(len(chunk), *first.shape[1:], device=self._device)
        for element in used:
            mine = np.flatnonzero(which == element)
            rows = _rows(self._arrays[element][level], chunk[mine], self._device)
            result[torch.from_numpy(mine).to(self._device)] = rows
        return result

    def _held(self, path: Path, array: npt.NDArray[np.float32]) -> Any:
        """On a device with memory the array itself, kept between recipes; else the mapped file."""
        if not keeps_data(self._device):
            return array
        key = ("features", str(path), str(self._device))
        return memory.arrays.get(
            key,
            lambda: torch.from_numpy(np.array(array)).to(self._device),
            lambda held: held.nbytes,
        )

    def _open(
        self, place: Place, split: Split, element: Element, encode: Encode
    ) -> list[tuple[Path, npt.NDArray[np.float32]]]:
        paths = place.files(split, element, self._levels)
        found = _mapped(paths, len(self))
        if found is None:
            self._compute(paths, element, encode)
            found = _mapped(paths, len(self))
        if found is None:
            raise WorkError(f"{paths[0].parent}: the features kept there were changed at once")
        return list(zip(paths, found, strict=True))

    def _compute(self, paths: list[Path], element: Element, encode: Encode) -> None:
        held = paths[0].with_suffix(".lock")
        try:
            with cached("features", held.parent) as room, lock(held, PATIENCE_SECONDS):
                if _mapped(paths, len(self)) is None:
                    _write(paths, self._encoded(element, encode), len(self), room)
        except Locked as error:
            raise WorkError(f"{held}: {error} has been computing features for hours") from None

    def _encoded(self, element: Element, encode: Encode) -> Iterator[list[npt.NDArray[np.float32]]]:
        chunks = chunked(np.arange(len(self)), CHUNK, drop_single=False)
        # Not inference mode: the backbone may move to the device here, and is trained elsewhere.
        with torch.no_grad():
            for images, context in self._pixels.transformed(chunks, element):
                features = encode(images, context)
                levels = [features] if self._pooled else [m.movedim(1, -1) for m in features]
                yield [level.float().cpu().numpy() for level in levels]


def _rows(array: Any, rows: Indices, device: torch.device) -> Tensor:
    if isinstance(array, Tensor):
        return array[torch.from_numpy(rows).to(device)]
    return torch.from_numpy(array[rows]).to(device)


def _mapped(paths: list[Path], samples: int) -> list[npt.NDArray[np.float32]] | None:
    """The arrays, or None where one is absent or damaged."""
    try:
        arrays = [np.load(path, mmap_mode="r") for path in paths]
    except (OSError, ValueError, EOFError):
        return None
    return arrays if all(len(array) == samples for array in arrays) else None


def _write(
    paths: list[Path], chunks: Iterator[list[npt.NDArray[np.float32]]], samples: int, room: Room
) -> None:
    """Write a split's features level by level as they are computed, whole or not at all."""
    with ExitStack() as files:
        levels = [files.enter_context(growing(path, samples)) for path in paths]
        for chunk in chunks:
            room.needs = samples * sum(level[0].nbytes for level in chunk)
            for level, rows in zip(levels, chunk, strict=True):
                level.extend(rows)

"""The packed store: each split as contiguous, memory-mapped arrays, read from its files once.

A packed split is some files that appear whole: images, targets, dates and places where any sample
has them, and last ``<split>.json``, which says that the others are complete. Images and targets
are written as they are read, so that packing takes the memory of a few samples. Processes that
want the same split at once share the work: see `iterate_core.data.store.packing`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.bands import resolve_bands
from iterate_core.data.dataset import Band, DatasetInfo, Reader, Split
from iterate_core.data.store.packing import Packing
from iterate_core.data.store.targets import Targets, targets_in
from iterate_core.data.target import Target, target_of
from iterate_core.errors import WorkError
from iterate_core.fingerprint import fingerprint as identify
from iterate_core.storage.cache import cache_folder, cached
from iterate_core.storage.files import Locked
from iterate_core.storage.usage import Use, use

__all__ = ["Pack", "cache_folder", "pack"]

LAYOUT = 4
"""Raised when the files of a packed split change their meaning."""


@dataclass(frozen=True)
class _Split:
    arrays: dict[str, npt.NDArray[Any]]
    targets: Targets
    names: tuple[str, ...]
    record: dict[str, Any]


class Pack:
    """A dataset's chosen bands, packed; each split is packed when it is first asked for.

    Attributes:
        info: What the reader knows of the dataset.
        target: What its samples are labelled with.
        bands: The packed bands, in the order of the images' second axis.
        folder: Where the files lie.
    """

    def __init__(self, reader: Reader, bands: tuple[Band, ...], folder: Path) -> None:
        self.info: DatasetInfo = reader.info
        self.target: Target = target_of(reader.info)
        self.bands = bands
        self.folder = folder
        self._reader = reader
        self._splits: dict[Split, _Split] = {}
        self._use: Use | None = None

    def images(self, split: Split) -> npt.NDArray[Any]:
        """(samples, bands, height, width) in the files' own type and units; read-only.

        With several dates, (samples, bands, frames, height, width).
        """
        return self._open(split).arrays["images"]

    def targets(self, split: Split) -> Targets:
        """The samples' targets, as `Target.packed` makes them."""
        return self._open(split).targets

    def dates(self, split: Split) -> npt.NDArray[np.float32] | None:
        """(samples, frames, 2) year and day of the year, NaN where unknown; None if all are."""
        return self._open(split).arrays.get("dates")

    def places(self, split: Split) -> npt.NDArray[np.float32] | None:
        """(samples, 2) latitude and longitude in degrees, NaN where unknown; None if all are."""
        return self._open(split).arrays.get("places")

    def holds(self, split: Split) -> bool:
        """Whether the split is packed already."""
        return split in self._splits or (self.folder / f"{split}.json").exists()

    def names(self, split: Split) -> tuple[str, ...]:
        """The samples' identifiers, in the order of the arrays."""
        return self._open(split).names

    @property
    def mean(self) -> npt.NDArray[np.float64]:
        """Mean of each band over every pixel of the training split, in its unit."""
        return np.array(self._open("train").record["mean"], dtype=np.float64)

    @property
    def std(self) -> npt.NDArray[np.float64]:
        """Standard deviation of each band over the training split; 1 for a constant band."""
        std = np.array(self._open("train").record["std"], dtype=np.float64)
        return np.where(std > 0, std, 1.0)

    @property
    def target_mean(self) -> npt.NDArray[np.float64]:
        """(quantities,) mean of what is known of the training targets; see `Target.known`."""
        return np.array(self._open("train").record.get("target_mean", []), dtype=np.float64)

    @property
    def target_std(self) -> npt.NDArray[np.float64]:
        """(quantities,) its standard deviation; 1 where all targets are equal."""
        std = np.array(self._open("train").record["target_std"], dtype=np.float64)
        return np.where(std > 0, std, 1.0)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader corrected, and the bands that are constant over the training split."""
        std = self._open("train").record["std"]
        constant = [band.name for band, value in zip(self.bands, std, strict=True) if value == 0]
        told = tuple(f"band {name!r} is constant: its std is taken as 1" for name in constant)
        return (*self.info.notes, *told)

    def __getstate__(self) -> dict[str, Any]:
        """Another process maps the files anew instead of receiving a copy of their pixels."""
        return {**self.__dict__, "_splits": {}, "_use": None}

    def prepare(self, splits: Sequence[Split], helpers: int) -> None:
        """Pack what is not packed yet of some splits.

        Args:
            splits: Which.
            helpers: How many processes may be forked to help with a large one.

        Raises:
            DataError: A sample is unfit.
        """
        for split in splits:
            self._open(split, helpers)

    def _open(self, split: Split, helpers: int = 0) -> _Split:
        if split not in self._splits:
            self._begin_use(split)
            found = _load(self.folder, split)
            self._splits[split] = found if found is not None else self._pack(split, helpers)
        return self._splits[split]

    def _begin_use(self, split: Split) -> None:
        """Keep others from removing the folder as long as this pack is."""
        if self._use is None:
            with cached(self._what(split), self.folder):
                self._use = use(self.folder)

    def _what(self, split: Split) -> str:
        return f"the packed {split} split of {self.info.name}"

    def _pack(self, split: Split, helpers: int = 0) -> _Split:
        order = [band.name for band in self.bands]
        try:
            with cached(self._what(split), self.folder) as room:
                packing = Packing(self.folder, split, self._reader, self.target, order)
                done = partial(_load, self.folder, split)
                packing.pack(lambda: done() is not None, room, helpers, partial(self._pack, split))
        except Locked as error:
            raise WorkError(f"{self.folder}: {error} has been packing for hours.") from None
        packed = _load(self.folder, split)
        if packed is None:
            raise WorkError(f"{self.folder}: what was packed of {split!r} was changed at once.")
        return packed


def pack(
    reader: Reader, bands: Sequence[str] | None, cache: Path, *, fingerprint: str | None = None
) -> Pack:
    """The packed store of a dataset and some of its bands. Nothing is read yet.

    Args:
        reader: The dataset.
        bands: Bands by name, alias or common name, in the order wanted; None takes all.
        cache: The folder that holds all packed stores, such as `cache_folder()`.
        fingerprint: The reader's fingerprint, where it is known already.

    Raises:
        RequestError: The dataset lacks a band.
    """
    chosen = resolve_bands(bands, reader.info.bands, "data.bands")
    identity = {
        "layout": LAYOUT,
        "data": fingerprint or reader.fingerprint(),
        "bands": [band.name for band in chosen],
    }
    return Pack(reader, chosen, cache / "packs" / identify(identity))


def _load(folder: Path, split: Split) -> _Split | None:
    """A packed split, or None where it is absent, incomplete or damaged."""
    try:
        record = json.loads((folder / f"{split}.json").read_text(encoding="utf-8"))
        names = tuple(record["names"])
        arrays = {
            kind: np.load(folder / f"{split}-{kind}.npy", mmap_mode="r")
            for kind in record["arrays"]
        }
        targets = targets_in(arrays)
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        return None
    aligned = (targets, *(array for kind, array in arrays.items() if "targets" not in kind))
    if any(len(array) != len(names) for array in aligned):
        return None
    return _Split(arrays, targets, names, record)

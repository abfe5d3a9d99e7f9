"""The packed store: each split as contiguous, memory-mapped arrays, read from its files once.

A packed split is a folder entry of four files that appear whole and in a fixed order; the last
(``<split>.json``) says that the others are complete. Processes that want the same split at once
wait for the one that packs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate.core.data.bands import resolve_bands
from iterate.core.data.cache import cache_folder
from iterate.core.data.dataset import Band, DatasetInfo, Reader, Sample, Split
from iterate.core.data.pixels import check_pixels
from iterate.core.errors import DataError, Problem, WorkError
from iterate.core.files import Locked, lock, replacing, write_json
from iterate.core.identity import fingerprint as identify

__all__ = ["Pack", "cache_folder", "pack"]

LAYOUT = 1
"""Raised when the files of a packed split change their meaning."""

PATIENCE_SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class _Split:
    images: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    names: tuple[str, ...]
    record: dict[str, Any]


class Pack:
    """A dataset's chosen bands, packed; each split is packed when it is first asked for.

    Attributes:
        info: What the reader knows of the dataset.
        bands: The packed bands, in the order of the images' second axis.
        folder: Where the files lie.
    """

    def __init__(self, reader: Reader, bands: tuple[Band, ...], folder: Path) -> None:
        self.info: DatasetInfo = reader.info
        self.bands = bands
        self.folder = folder
        self._reader = reader
        self._splits: dict[Split, _Split] = {}

    def images(self, split: Split) -> npt.NDArray[Any]:
        """(samples, bands, height, width) in the files' own type and units; read-only."""
        return self._open(split).images

    def targets(self, split: Split) -> npt.NDArray[Any]:
        """(samples,) int64 class indices, (samples, height, width) masks, or multi-hot uint8."""
        return self._open(split).targets

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
    def notes(self) -> tuple[str, ...]:
        """What the reader corrected, and the bands that are constant over the training split."""
        std = self._open("train").record["std"]
        constant = [band.name for band, value in zip(self.bands, std, strict=True) if value == 0]
        told = tuple(f"band {name!r} is constant: its std is taken as 1" for name in constant)
        return (*self.info.notes, *told)

    def __getstate__(self) -> dict[str, Any]:
        """Another process maps the files anew instead of receiving a copy of their pixels."""
        return {**self.__dict__, "_splits": {}}

    def _open(self, split: Split) -> _Split:
        if split not in self._splits:
            found = _load(self.folder, split)
            self._splits[split] = found if found is not None else self._pack(split)
        return self._splits[split]

    def _pack(self, split: Split) -> _Split:
        try:
            with lock(self.folder / f"{split}.lock", PATIENCE_SECONDS):
                found = _load(self.folder, split)
                if found is not None:
                    return found
                _write(self.folder, split, self._reader, self.bands)
        except Locked as error:
            raise WorkError(f"{self.folder}: {error} has been packing for hours.") from None
        except OSError as error:
            what = f"the packed copy of {self.info.name} cannot be kept in {self.folder}"
            hint = "Set ITERATE_CACHE to a folder with space."
            raise WorkError(f"{what} ({error.strerror}). {hint}") from error
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
        images = np.load(folder / f"{split}-images.npy", mmap_mode="r")
        targets = np.load(folder / f"{split}-targets.npy", mmap_mode="r")
        names = tuple(record["names"])
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        return None
    if len(names) != len(images) or len(names) != len(targets):
        return None
    return _Split(images, targets, names, record)


def _write(folder: Path, split: Split, reader: Reader, bands: tuple[Band, ...]) -> None:
    for left in folder.glob(f".{split}*.part"):  # by a process that was killed: the lock is ours
        left.unlink(missing_ok=True)
    names = list(reader.names(split))
    statistics = _Statistics(len(bands))
    order = [band.name for band in bands]
    samples = (_checked(reader.read(name, order), reader.info) for name in names)
    targets: list[Any] = []
    with replacing(folder / f"{split}-images.npy") as part:
        _write_images(part, len(names), _watched(samples, statistics, targets))
    packed = _stack_targets(targets, reader.info)
    with (
        replacing(folder / f"{split}-targets.npy") as part,
        part.open("wb") as handle,
    ):
        np.lib.format.write_array(handle, packed, allow_pickle=False)
    record = {"names": names, "mean": statistics.mean.tolist(), "std": statistics.std.tolist()}
    write_json(folder / f"{split}.json", record)


def _watched(
    samples: Iterator[Sample], statistics: _Statistics, targets: list[Any]
) -> Iterator[Sample]:
    for sample in samples:
        statistics.add(sample.image)
        targets.append(sample.target)
        yield sample


def _write_images(part: Path, count: int, samples: Iterator[Sample]) -> None:
    """Stream images into one .npy file; a full disk is an error here, not a fault at a page."""
    dtype: np.dtype[Any] | None = None
    with part.open("wb") as handle:
        for sample in samples:
            image = sample.image
            if dtype is None:
                dtype, shape = image.dtype, (count, *image.shape)
                header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(handle, header)
            if not np.can_cast(image.dtype, dtype, "safe"):
                what = f"sample {sample.name!r} is {image.dtype}, but those before it are {dtype}."
                raise DataError(Problem("", what, "All samples of a dataset must be of one type."))
            handle.write(np.ascontiguousarray(image, dtype=dtype).data)


def _checked(sample: Sample, info: DatasetInfo) -> Sample:
    """The sample, once its shape, pixels and target are what the dataset declares.

    Raises:
        DataError: They are not.
    """
    where = f"dataset {info.name}, sample {sample.name}"
    if sample.image.shape[1:] != (info.height, info.width):
        what = f"is {sample.image.shape[1:]} pixels, not {(info.height, info.width)}."
        raise DataError(Problem(where, what))
    check_pixels(sample.image, where)
    target = np.asarray(sample.target)
    bound = 2 if info.task == "multilabel" else len(info.classes)
    wrong = (target < 0) | (target >= bound)
    if info.task == "segmentation":
        wrong &= target != info.ignore_index
    if wrong.any():
        what = f"has the label {int(target[wrong].flat[0])}, but there are {bound} classes."
        raise DataError(Problem(where, what))
    return sample


def _stack_targets(targets: list[Any], info: DatasetInfo) -> npt.NDArray[Any]:
    if info.task == "classification":
        return np.array(targets, dtype=np.int64)
    if info.task == "multilabel":
        return np.stack(targets).astype(np.uint8)
    largest = max(len(info.classes) - 1, info.ignore_index)
    kind = np.result_type(
        np.min_scalar_type(largest), np.min_scalar_type(min(0, info.ignore_index))
    )
    return np.stack([target.astype(kind) for target in targets])


class _Statistics:
    """Mean and variance of each band in float64, image by image.

    Merged as in Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979: no sum of squares loses the digits of a large mean.
    """

    def __init__(self, bands: int) -> None:
        self.mean = np.zeros(bands)
        self._squares = np.zeros(bands)
        self._count = 0

    def add(self, image: npt.NDArray[Any]) -> None:
        pixels = image.reshape(len(image), -1).astype(np.float64)
        count = pixels.shape[1]
        mean = pixels.mean(axis=1)
        squares = ((pixels - mean[:, None]) ** 2).sum(axis=1)
        total = self._count + count
        delta = mean - self.mean
        self.mean = self.mean + delta * (count / total)
        self._squares = self._squares + squares + delta**2 * (self._count * count / total)
        self._count = total

    @property
    def std(self) -> npt.NDArray[np.float64]:
        """Population standard deviation (divisor n); 0 where it is no more than rounding."""
        std = np.sqrt(self._squares / max(self._count, 1))
        return np.where(std > 1e-12 * np.abs(self.mean), std, 0.0)

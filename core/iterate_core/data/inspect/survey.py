"""Counting a dataset: how often each class, how large the quantity, how bright each band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import SPLITS, Band, Reader, Split
from iterate_core.data.store.moments import Moments
from iterate_core.data.store.validation import checked
from iterate_core.data.target import target_of

_BINS = 20
_VALUES = 4096  # of a sample that a histogram counts, evenly spread over it


@dataclass(frozen=True)
class BandStatistics:
    """One band over the training samples that were read, in its unit."""

    band: Band
    mean: float
    std: float
    low: float
    high: float


@dataclass(frozen=True)
class Quantity:
    """A quantity that is predicted, over the samples of a split, in its unit.

    Attributes:
        histogram: How many of the values counted lie in each of equal steps from `low` to `high`.
    """

    low: float
    high: float
    mean: float
    std: float
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class Survey:
    """What reading the samples of a dataset shows.

    Attributes:
        read: How many samples of each split were read.
        counts: For each split, how many are of each class, of what
            `iterate_core.data.target.Target.counted` says: samples, pixels or objects.
        ignored: For each split, how many of them do not count.
        bands: Statistics of each band.
        quantity: What a target of one quantity is in each split that knows some of it.
        quantities: The same of a target of several, by their names.
    """

    read: dict[Split, int]
    counts: dict[Split, list[int]]
    ignored: dict[Split, int]
    bands: tuple[BandStatistics, ...]
    quantity: dict[Split, Quantity]
    quantities: dict[str, dict[Split, Quantity]]


def survey(reader: Reader, limit: int = 1000) -> Survey:
    """Read at most `limit` samples of each split, spread over it evenly.

    Raises:
        DataError: A sample is damaged, or not what the dataset declares.
    """
    info, target = reader.info, target_of(reader.info)
    moments = _Moments(len(info.bands))
    counts, ignored, read = {}, {}, {}
    found: dict[str, dict[Split, Quantity]] = {name: {} for name in info.classes}
    for split in SPLITS:
        names = _spread(reader.names(split), limit)
        total = np.zeros(len(info.classes) + 1, dtype=np.int64)
        values = {name: _Values() for name in info.classes}
        order = [band.name for band in info.bands] if split == "train" else [info.bands[0].name]
        for name in names:
            sample = checked(reader.read(name, order), target)
            total += target.counts(sample.target)
            known = target.known(sample.target)
            if known is not None:
                for quantity, row in zip(info.classes, known, strict=True):
                    values[quantity].add(row[~np.isnan(row)])
            if split == "train":
                moments.add(sample.image)
        counts[split], ignored[split] = total[:-1].tolist(), int(total[-1])
        read[split] = len(names)
        for quantity, taken in values.items():
            if (described := taken.described()) is not None:
                found[quantity][split] = described
    one = found[info.classes[0]] if len(info.classes) == 1 else {}
    several = {name: splits for name, splits in found.items() if splits and not one}
    return Survey(read, counts, ignored, moments.rows(info.bands), one, several)


def _spread(names: Sequence[str], limit: int) -> list[str]:
    if len(names) <= limit:
        return list(names)
    return [names[int(index)] for index in np.linspace(0, len(names) - 1, limit)]


class _Values:
    """A quantity's known values: range and moments of all, and some of each sample to count."""

    def __init__(self) -> None:
        self._moments = Moments(1)
        self._low, self._high = np.inf, -np.inf
        self._kept: list[npt.NDArray[np.float64]] = []

    def add(self, known: npt.NDArray[Any]) -> None:
        if known.size:
            self._moments.add(known[None])
            self._low, self._high = min(self._low, known.min()), max(self._high, known.max())
            self._kept.append(known[:: -(-known.size // _VALUES)])

    def described(self) -> Quantity | None:
        if not self._kept:
            return None
        low, high = float(self._low), float(self._high)
        counts, _ = np.histogram(np.concatenate(self._kept), _BINS, (low, high))
        mean, std = self._moments.mean.item(), self._moments.std.item()
        return Quantity(low, high, mean, std, tuple(counts.tolist()))


class _Moments:
    """Mean, spread and range of each band; every image counts alike, all being of one size."""

    def __init__(self, bands: int) -> None:
        self._means: list[npt.NDArray[np.float64]] = []
        self._variances: list[npt.NDArray[np.float64]] = []
        self._low = np.full(bands, np.inf)
        self._high = np.full(bands, -np.inf)

    def add(self, image: npt.NDArray[Any]) -> None:
        pixels = image.reshape(len(image), -1).astype(np.float64)
        self._means.append(pixels.mean(axis=1))
        self._variances.append(pixels.var(axis=1))
        self._low = np.minimum(self._low, pixels.min(axis=1))
        self._high = np.maximum(self._high, pixels.max(axis=1))

    def rows(self, bands: tuple[Band, ...]) -> tuple[BandStatistics, ...]:
        """The law of total variance joins the images."""
        means = np.stack(self._means)
        mean = means.mean(axis=0)
        std = np.sqrt(np.stack(self._variances).mean(axis=0) + means.var(axis=0))
        columns = zip(bands, mean, std, self._low, self._high, strict=True)
        return tuple(
            BandStatistics(band, float(a), float(b), float(c), float(d))
            for band, a, b, c, d in columns
        )

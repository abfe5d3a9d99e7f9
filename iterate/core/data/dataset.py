"""What a dataset declares, and the one seam every reader implements. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Band:
    """One band of a dataset, as physics.

    Attributes:
        name: As the dataset's files name it: ``"02 - Blue"``.
        common: Its sensor-independent name: ``"blue"``, ``"nir"``, ``"swir_1"``, ``"vv"``; None
            where it has none.
        wavelength: Centre in micrometres; None where it means nothing (radar, elevation).
        unit: ``"dn"`` (reflectance × 10,000), ``"reflectance"``, ``"uint8"``, ``"db"``,
            ``"linear"``, ``"metre"``, ``"probability"`` or ``"unknown"``.
    """

    name: str
    common: str | None = None
    wavelength: float | None = None
    unit: str = "unknown"


@dataclass(frozen=True)
class DatasetInfo:
    """What a reader knows of its dataset before any pixel is read.

    Attributes:
        name: The dataset's name, such as ``"m-eurosat"``.
        task: A name from the task registry: ``"classification"``, ``"segmentation"``.
        classes: Class names in the order of their indices.
        bands: All bands it can deliver.
        sizes: Number of samples of each split.
        height: Rows of a sample in pixels.
        width: Columns of a sample in pixels.
        ignore_index: The mask value that no metric or loss counts.
        notes: What the reader corrected, for people and for the record.
        licence: The dataset's licence, where its files say.
        source: Where the data come from, where its files say.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    bands: tuple[Band, ...]
    sizes: dict[Split, int]
    height: int
    width: int
    ignore_index: int = 255
    notes: tuple[str, ...] = ()
    licence: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Sample:
    """One sample as stored.

    Attributes:
        name: Its identifier in the dataset.
        image: (bands, height, width) in the files' own type and units.
        target: A class index, a (height, width) integer mask, or a (classes,) array of 0 and 1.
    """

    name: str
    image: npt.NDArray[Any]
    target: int | npt.NDArray[np.integer[Any]]


class Reader(Protocol):
    """A dataset on disk. Opening one reads declarations and headers, never all pixels.

    A reader raises `DataError`, naming file and sample, for whatever is absent, truncated,
    foreign or unsafe. It may be used from several processes; it holds no open file.
    """

    info: DatasetInfo

    def names(self, split: Split) -> Sequence[str]:
        """The identifiers of a split's samples, in the dataset's order."""

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        """One sample, its bands in the order asked for (names as in `info.bands`)."""

    def fingerprint(self) -> str:
        """16 hexadecimal digits fixed by the content of every file the dataset consists of."""

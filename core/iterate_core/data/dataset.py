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
        sensor: What recorded it: ``"sentinel-2-l2a"``, ``"sentinel-1"``, ``"aerial"``; None where
            the files do not say. It tells apart bands of one common name.
    """

    name: str
    common: str | None = None
    wavelength: float | None = None
    unit: str = "unknown"
    sensor: str | None = None


@dataclass(frozen=True)
class DatasetInfo:
    """What a reader knows of its dataset before any pixel is read.

    Attributes:
        name: The dataset's name, such as ``"m-eurosat"``.
        task: A name from the task registry: ``"classification"``, ``"segmentation"``.
        classes: Class names in the order of their indices; the quantities of a regression.
        bands: All bands it can deliver.
        sizes: Number of samples of each split.
        height: Rows of a sample in pixels.
        width: Columns of a sample in pixels.
        frames: Dates of a sample; with more than one, its images have an axis for them.
        metres: Ground size of a pixel; None where it is unknown or differs.
        ignore_index: The mask value that no metric or loss counts. In a regression NaN is ignored.
        unit: The unit of a regression's quantity, where the files say: ``"%"``.
        finer: Of targets that are maps: how many cells lie along the side of a pixel.
        notes: What the reader corrected, for people and for the record.
        licence: The dataset's licence, where its files say.
        source: Where the data come from, where its files say.
        crs: The coordinate system of its images, where the files say: ``EPSG:32632``.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    bands: tuple[Band, ...]
    sizes: dict[Split, int]
    height: int
    width: int
    frames: int = 1
    metres: float | None = None
    ignore_index: int = 255
    notes: tuple[str, ...] = ()
    licence: str | None = None
    source: str | None = None
    unit: str | None = None
    crs: str | None = None
    finer: int = 1


@dataclass(frozen=True)
class Boxes:
    """The objects of a sample.

    Attributes:
        corners: (objects, 4) float32: left, top, right, bottom in pixels.
        labels: (objects,) int64 class indices.
        masks: (objects, height, width) of 0 and 1; None where only boxes are known.
    """

    corners: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    masks: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Sample:
    """One sample as stored.

    Attributes:
        name: Its identifier in the dataset.
        image: (bands, height, width), or (bands, frames, height, width) of a dataset with several
            dates, in the files' own type and units.
        target: A class index, a (height, width) integer mask, a (classes,) array of 0 and 1, a
            (quantities,) array of numbers, a (height, width) floating-point map, (quantities,
            height, width) of them on a finer grid, or objects.
        dates: Year and day of the year of each frame; None where unknown.
        place: Latitude and longitude of its centre in degrees; None where unknown.
    """

    name: str
    image: npt.NDArray[Any]
    target: int | npt.NDArray[Any] | Boxes
    dates: tuple[tuple[int, int], ...] | None = None
    place: tuple[float, float] | None = None


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

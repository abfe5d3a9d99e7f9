"""The words in which a dataset of GEO-Bench-2 is declared: its files, bands, label and dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from iterate_core.data.dataset import Band, Split

Choice = Literal["evenly", "first", "last", "day_30", "day_1"]
"""Which dates are taken when fewer are asked for than there are; see `frames.choose`."""


@dataclass(frozen=True)
class Files:
    """Files of a sample, one a date, each found by its identifier, else by its place.

    Attributes:
        names: For each date, the identifiers that the file may carry.
        positions: For each date, where the reference loader finds it, counted from 0 (−1 is the
            last): used if a sample has none of the identifiers of the whole dataset.
    """

    names: tuple[tuple[str, ...], ...]
    positions: tuple[int, ...]


@dataclass(frozen=True)
class Series:
    """Files whose identifiers are a prefix and a number, one a date, in the order of the number."""

    prefix: str


@dataclass(frozen=True)
class Monthly:
    """Files of one modality, one a month, by the columns ``modality`` and ``month``.

    Attributes:
        modality: As the column says it.
        months_of: The modality whose months count; a month without a file is missing.
    """

    modality: str
    months_of: str


@dataclass(frozen=True)
class Raster:
    """One kind of image file of a sample.

    Attributes:
        name: What the dataset's documents call it: ``"s2"``.
        files: How its files are found.
        channels: The bands in stored order; None stands for a channel that is not offered.
        format: ``"GTiff"``: a file a date; ``"HDF5"``: an array (dates, bands, height, width).
        missing: Values that mark missing pixels; where there are any, NaN does too.
        signed: Whether 16-bit numbers are signed, whatever the file says.
        dtype: The type of its pixels, by the publisher.
        optional: Whether a sample may lack a file; its pixels then count as missing.
    """

    name: str
    files: Files | Series | Monthly
    channels: tuple[Band | None, ...]
    format: Literal["GTiff", "HDF5"] = "GTiff"
    missing: tuple[float, ...] = ()
    signed: bool = False
    dtype: str = "uint8"
    optional: bool = False


@dataclass(frozen=True)
class ClassLabel:
    """One class a sample: its index or name in a column of the table."""

    column: str


@dataclass(frozen=True)
class ClassLabels:
    """Several classes a sample.

    Attributes:
        column: Lists their names.
        shares: Lists their shares of the sample, where there is such a column; it is not read.
    """

    column: str
    shares: str | None = None


@dataclass(frozen=True)
class Mask:
    """A class a pixel.

    Attributes:
        files: Where it is stored; of an HDF5 array (layers, height, width), the first layer.
        values: Stored value → class index; any other value is an error.
    """

    files: Files
    values: Mapping[int, int]
    format: Literal["GTiff", "HDF5"] = "GTiff"


@dataclass(frozen=True)
class Quantity:
    """A number a pixel, divided by `divisor`, which is in `unit`; NaN where it is missing."""

    files: Files
    divisor: float
    unit: str


@dataclass(frozen=True)
class TableBoxes:
    """Boxes in a GeoParquet table: ``xmin``, ``ymin``, ``xmax``, ``ymax`` and ``label``.

    Attributes:
        files: Where it is stored.
        names: Name in the column ``label`` → class index.
        unnamed: The class of an object without a name.
    """

    files: Files
    names: Mapping[str, int]
    unnamed: int


@dataclass(frozen=True)
class JsonBoxes:
    """Boxes (left, top, width, height) and classes in a JSON attribute of an HDF5 file.

    Attributes:
        files: Where it is stored.
        key: The entry of the mapping that lists the objects.
        outlined: Whether each object has a polygon, of which a mask is made.
    """

    files: Files
    key: str
    outlined: bool = False


@dataclass(frozen=True)
class Parcels:
    """Objects from an array of object numbers (0: none) and an array of classes."""

    numbers: Files
    classes: Files


Target = ClassLabel | ClassLabels | Mask | Quantity | TableBoxes | JsonBoxes | Parcels


@dataclass(frozen=True)
class Dates:
    """The dates of a sample.

    Attributes:
        default: How many are taken unless a request says otherwise.
        most: How many every sample has at least; None where that is not known.
        choice: Which are taken.
        shared: Whether all files of a sample carry the date of the last.
    """

    default: int = 1
    most: int | None = 1
    choice: Choice = "first"
    shared: bool = False


@dataclass(frozen=True)
class Declaration:
    """One dataset; task, classes and ignore_index as in `DatasetInfo`.

    Attributes:
        name: As the benchmark calls it.
        files: The start of its files' names: ``"geobench_benv2"``.
        rasters: Its image files, in the order in which their bands are listed.
        target: Its label.
        statistics: Band → published mean and standard deviation, in the band's unit.
        sizes: Published number of samples; None where not known for certain.
        pixels: Published height and width.
        metres: Ground size of a pixel; None where it differs or is not known.
        dates: Its dates.
        valid: A mask that is 0 where no band is valid.
        unused: Files of a sample that hold nothing this task needs.
        normalisation: What `data.normalisation` is by default.
    """

    name: str
    files: str
    task: str
    classes: tuple[str, ...]
    rasters: tuple[Raster, ...]
    target: Target
    statistics: Mapping[str, tuple[float, float]]
    sizes: Mapping[Split, int] | None
    pixels: int
    metres: float | None = None
    ignore_index: int = 255
    dates: Dates = field(default_factory=Dates)
    valid: Files | None = None
    unused: tuple[Files, ...] = ()
    normalisation: Literal["dataset", "none"] = "dataset"

    @property
    def bands(self) -> tuple[Band, ...]:
        """Every band it offers."""
        return tuple(band for raster in self.rasters for band in raster.channels if band)

    @property
    def source(self) -> str:
        """Where its files are published."""
        return f"https://huggingface.co/datasets/aialliance/{self.files.removeprefix('geobench_')}"

    def raster(self, name: str) -> Raster:
        """The raster of that name."""
        return next(raster for raster in self.rasters if raster.name == name)


def one(name: str, position: int, *others: str) -> Files:
    """A single file, which may go by other names too."""
    return Files(((name, *others),), (position,))


def several(positions: Mapping[str, int]) -> Files:
    """One file a date, by name and position."""
    return Files(tuple((name,) for name in positions), tuple(positions.values()))

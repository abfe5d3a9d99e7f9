"""What a recipe says of a folder of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from iterate_core.data.block_options import BlockSplits
from iterate_core.data.options import DataSection, Positive
from iterate_core.data.units import UNITS
from iterate_core.errors import nearest
from iterate_core.registry.marks import HowOnly
from iterate_core.registry.options import Section

LEGAL_UNITS = (*UNITS, "unknown")
Classes = tuple[str, ...] | dict[int | str, str | None]


class Splitting(BlockSplits):
    """Which split each sample belongs to. Nothing said: as folders or tables say, else at random.

    Attributes:
        file: A .csv file with the columns ``name`` and ``split``, or a .json file; below `root`.
        train: A text file of the training samples' names, one a line; below `root`. With `val` and
            `test`; samples that no file lists are not used.
        val: Likewise.
        test: Likewise.
    """

    file: Path | None = None
    train: Path | None = None
    val: Path | None = None
    test: Path | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Splitting:
        lists = (self.train, self.val, self.test)
        if any(lists) and not all(lists):
            raise ValueError("train, val and test need a file each")
        drawn = self.shares is not None or self.block_metres is not None
        if sum([bool(self.file), any(lists), drawn]) > 1:
            raise ValueError("say one of file, a random split, or train, val and test")
        return self

    @property
    def lists(self) -> tuple[Path, ...]:
        """The files of names: none, or one each of training, validation and test."""
        return tuple(path for path in (self.train, self.val, self.test) if path is not None)


class FolderData(DataSection):
    """What is said of any folder of images.

    Attributes:
        root: The folder.
        task: What the labels are for, where that is not the usual task of such labels.
        classes: Names of the classes in the order of their indices; of a mask's values 0, 1, …. Or
            each value of the files with the name of its class, in that order: ``{10: trees, 20:
            shrubs, 0: null}``. Values of one name are one class; null does not count (masks).
        ignore_index: The value of a mask that does not count, beside its file's nodata value.
        band_names: Names of the files' bands, in their order; None takes what the files say.
        sensor: Whose short names they are: ``sentinel-2``, ``landsat-8``, …
        unit: The unit of all bands (`iterate_core.data.units`); None tells it from the scale and
            offset in the files, where a unit has them, else from names and values.
        nodata: The value that marks pixels without data; None takes what the files say, ``none``
            says that all values are real.
        fill: What stands in such pixels: a number, or ``mean``, that of the image's other pixels
            of the band. Without it such pixels are refused.
        mask: Leave such pixels out of the masks.
        size: Height and width that every file is brought to as it is read, where they differ.
        table: A .csv or .jsonl file of labels, below `root`: a row an image.
        label: The table's column of class names, or of lists of them.
        quantities: The table's columns of numbers to be predicted.
        split: Which sample belongs to which split.
    """

    root: Annotated[Path, HowOnly]
    task: str | None = None
    classes: Classes | None = None
    ignore_index: int | None = None
    band_names: tuple[str, ...] | None = None
    sensor: str | None = None
    unit: str | None = None
    nodata: float | Literal["none"] | None = None
    fill: float | Literal["mean"] | None = None
    mask: bool = False
    size: Positive | None = None
    table: Path | None = None
    label: str | None = None
    quantities: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    split: Splitting = Splitting()

    @field_validator("unit")
    @classmethod
    def _is_known(cls, unit: str | None) -> str | None:
        return known_unit(unit)

    @model_validator(mode="after")
    def _agrees(self) -> FolderData:
        if self.label is not None and self.quantities is not None:
            raise ValueError("label and quantities: say one of the two")
        if self.nodata == "none" and (self.fill is not None or self.mask):
            raise ValueError("nodata: none says that nothing is missing: leave out fill and mask")
        return self


def known_unit(unit: str | None) -> str | None:
    """The unit.

    Raises:
        ValueError: There is none of this name.
    """
    if unit is not None and unit not in LEGAL_UNITS:
        hint = nearest(unit, LEGAL_UNITS) or f"Legal: {', '.join(LEGAL_UNITS)}."
        raise ValueError(f"there is no unit {unit!r}. {hint}")
    return unit


class ImageFolderData(FolderData):
    """A folder of images as torchvision's and Hugging Face's image folders are laid out.

    A folder a class; or images and a table ``metadata.csv``, ``metadata.jsonl`` or ``labels.csv``;
    or ``images/`` beside ``masks/``. Folders ``train``, ``val`` and ``test`` may stand above each.
    """

    name: Literal["image_folder"] = "image_folder"


class ModalityData(Section):
    """Images of one kind among several; None takes what is said of all.

    Attributes:
        images: The pattern of their files.
        band_names: As in `FolderData`.
        sensor: Likewise.
        unit: Likewise.
    """

    images: str
    band_names: tuple[str, ...] | None = None
    sensor: str | None = None
    unit: str | None = None

    @field_validator("unit")
    @classmethod
    def _is_known(cls, unit: str | None) -> str | None:
        return known_unit(unit)


class VectorData(Section):
    """Polygons that label images.

    Attributes:
        file: The pattern of their files, one an image, or one file of all.
        attribute: What of a polygon says its class; None where all are of the one class.
        layer: Of the file; None where it has one.
        background: The class of pixels under no polygon; None: they do not count.
        all_touched: Whether a pixel counts that a polygon touches, not its centre alone.
    """

    file: str
    attribute: str | None = None
    layer: str | None = None
    background: str | None = None
    all_touched: bool = False


class GeotiffFolderData(FolderData):
    """A folder of images by patterns of their files.

    A pattern is a path below `root` such as ``s2/{region}/{key}_{date}.tif``. Files whose fields
    agree belong to one sample; ``{name}`` is the stem of an image. ``{date}`` tells the dates of a
    sample apart, ``{split}`` says its split; ``*`` stands for anything.

    Attributes:
        images: The pattern of the images, where there is one modality.
        modalities: Each modality's name and pattern, or its options.
        masks: The pattern of masks; of rasters of quantities, where the task says so.
        vectors: Polygons instead of masks: their file, or how they are read. With a task of
            objects they give boxes.
        frames: How many dates to take of each modality that has any, evenly spread; None takes
            all, which must be as many for each sample.
        incomplete: Whether files without a partner are refused, or left out with a note.
    """

    name: Literal["geotiff_folder"] = "geotiff_folder"
    images: str | None = None
    modalities: dict[str, str | ModalityData] | None = None
    masks: str | None = None
    vectors: str | VectorData | None = None
    frames: Positive | None = None
    incomplete: Literal["refuse", "skip"] = "refuse"

    @model_validator(mode="after")
    def _says_all(self) -> GeotiffFolderData:
        images, labels = (
            [what for what in ways if getattr(self, what)]
            for ways in (("images", "modalities"), ("masks", "vectors", "table"))
        )
        if len(images) != 1:
            what = "say one of images and modalities, a pattern of files such as *.tif"
            raise ValueError(f"{what}; {_found(images)}")
        if len(labels) != 1:
            what = "say what labels the images, one of masks, vectors and table"
            raise ValueError(f"{what}; {_found(labels)}")
        return self

    @property
    def polygons(self) -> VectorData | None:
        """How polygons are read; None where there are none."""
        return VectorData(file=self.vectors) if isinstance(self.vectors, str) else self.vectors

    @property
    def modality_names(self) -> tuple[str, ...]:
        """Of the modalities, in their order."""
        return tuple(self.modalities or ("",))

    @property
    def modality_options(self) -> tuple[tuple[str, ModalityData], ...]:
        """Of each modality the YAML path of its pattern, and its options."""
        if self.images is not None:
            return (("data.images", self._of_all(self.images)),)
        return tuple(
            (f"data.modalities.{name}", self._of_all(each))
            for name, each in (self.modalities or {}).items()
        )

    def _of_all(self, given: str | ModalityData) -> ModalityData:
        own = ModalityData(images=given) if isinstance(given, str) else given
        return own.model_copy(
            update={
                what: getattr(self, what)
                for what in ("band_names", "sensor", "unit")
                if getattr(own, what) is None
            }
        )


def _found(said: Sequence[str]) -> str:
    return f"said: {' and '.join(said)}" if said else "none is said"

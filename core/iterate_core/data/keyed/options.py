"""What a recipe says of samples that are mappings of keys to arrays. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from iterate_core.data.block_options import Share
from iterate_core.data.folders.options import Classes, known_unit
from iterate_core.data.options import DataSection
from iterate_core.registry.marks import HowOnly
from iterate_core.registry.options import Section


class BandData(Section):
    """A band whose name does not say what it is; see `iterate_core.data.dataset.Band`.

    Attributes:
        name: Its name.
        meaning: The common name of what it shows: ``nir``, ``vv``, ``elevation``.
        wavelength: Centre in micrometres.
        unit: Of its pixels; None takes that of all bands.
        sensor: What recorded it; None takes that of all bands.
    """

    name: str
    meaning: str | None = None
    wavelength: Annotated[float, Field(gt=0)] | None = None
    unit: str | None = None
    sensor: str | None = None

    @field_validator("unit")
    @classmethod
    def _is_known(cls, unit: str | None) -> str | None:
        return known_unit(unit)


class DrawnSplits(Section):
    """Of splits that nobody says.

    Attributes:
        shares: Those of training, validation and test.
        seed: Of the draw.
    """

    shares: tuple[Share, Share, Share] = (0.6, 0.2, 0.2)
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("shares")
    @classmethod
    def _are_all(cls, shares: tuple[float, float, float]) -> tuple[float, float, float]:
        if abs(sum(shares) - 1) > 1e-6:
            raise ValueError("must sum to 1")
        return shares


class ImageKeys(Section):
    """Which of a sample's keys are its images.

    Attributes:
        image_keys: Those of a sample's images.
        stack: Whether several images are its bands, one after another, or its dates.
    """

    image_keys: Annotated[tuple[str, ...], Field(min_length=1)] = ("image",)
    stack: Literal["bands", "dates"] = "bands"


class KeyedData(DataSection):
    """What is said of samples that are mappings of keys to arrays.

    Attributes:
        root: The folder of the files.
        task: A name from the task registry.
        target_key: That of a sample's target; of objects that of their boxes. None takes the usual
            one: ``label``, ``mask``, ``bbox_xyxy``.
        label_key: Of objects: that of their classes; None takes ``label`` or ``labels``.
        mask_key: Of objects: that of their masks, where the task takes any; None takes ``mask``
            or ``masks``.
        classes: As in `iterate_core.data.folders.options.FolderData`; None takes what the dataset
            says.
        ignore_index: The value of a mask that does not count.
        band_names: Of a sample's bands, in their order; None takes what the dataset says.
        sensor: Whose short names they are: ``sentinel-2``, ``landsat-8``, …
        unit: The unit of all bands (`iterate_core.data.units`); None tells it from names and
            values.
        nodata: The value that marks pixels without data, as NaN does; ``none`` says that all
            values are real.
        fill: What stands in such pixels: a number, or ``mean``, that of the image's other pixels
            of the band. Without it such pixels are refused.
        mask: Leave such pixels out of the masks.
    """

    root: Annotated[Path, HowOnly]
    task: str
    target_key: str | None = None
    label_key: str | None = None
    mask_key: str | None = None
    classes: Classes | None = None
    ignore_index: int | None = None
    band_names: tuple[str | BandData, ...] | None = None
    sensor: str | None = None
    unit: str | None = None
    nodata: float | Literal["none"] | None = None
    fill: float | Literal["mean"] | None = None
    mask: bool = False

    @field_validator("unit")
    @classmethod
    def _is_known(cls, unit: str | None) -> str | None:
        return known_unit(unit)

    @model_validator(mode="after")
    def _agrees(self) -> KeyedData:
        if self.nodata == "none" and (self.fill is not None or self.mask):
            raise ValueError("nodata: none says that nothing is missing: leave out fill and mask")
        return self

"""What a recipe says of a dataset that is arrays of one .npz file. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from iterate_core.data.dataset import Split
from iterate_core.data.options import DataSection, Positive
from iterate_core.registry.marks import HowOnly
from iterate_core.registry.options import FieldError

Axis = Literal["dates", "bands", "height", "width"]
Share = Annotated[float, Field(gt=0, lt=1)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]


class NpzData(DataSection):
    """Arrays of one .npz file; the first axis of each is that of the samples.

    Attributes:
        root: The file.
        task: A name from the task registry: ``classification``, ``scalar_regression``, …
        images: The arrays of pixels; their bands are taken one after another.
        axes: Of the images, behind that of the samples; without height and width they are single
            pixels. An array that has all but the dates stands at every date.
        band_names: Of all images' bands, in the arrays' order.
        sensor: Whose short names those are, ``sentinel-2`` or ``landsat-8``; None tells it from all
            names together, where that is possible.
        frames: How many dates to take, evenly spread over each array's own; None takes all.
        target: The array of targets.
        classes: Names of the classes in the order of their indices, or of the quantities. None
            takes the `labels` where a sample has one class, and the array's name (numbered where
            there are several) of quantities; other targets need them.
        labels: Where a sample has one class: what stands for each in the target's array, in the
            order of `classes`; None takes 0, 1, 2, …, or where the array holds text the classes'
            names. One of both must be given.
        dates: The array of days, (samples,) or (samples, dates): text such as ``2021-07-15``,
            numbers such as 20210715, or NumPy's dates.
        months: Instead of days the array of months, which are taken for their 15th day.
        january: The number that stands for January in it.
        year: Of each sample's first date, where only months are known; a following month of a
            lower number is of the next year.
        places: The array (samples, 2) of latitudes and longitudes in degrees.
        names: The array of the samples' identifiers; None numbers them from 0.
        split: The array that says which split each sample is in; None draws it.
        split_values: What stands for each split there; None takes 0, 1, 2, or words such as
            ``train``, ``val``, ``test``.
        split_shares: Of training, validation and test samples, where splits are drawn. Validation
            samples that `split` does not tell are drawn from the training samples.
        split_by: The array of which samples of equal value are never in different splits.
        split_degrees: Sides of blocks of latitude and longitude, in degrees, likewise.
        split_seed: Fixes what is drawn.
    """

    name: Literal["npz"] = "npz"
    root: Annotated[Path, HowOnly]
    task: str
    images: Names
    axes: tuple[Axis, ...] = ("dates", "bands")
    band_names: Names
    sensor: Literal["sentinel-2", "landsat-8"] | None = None
    frames: Positive | None = None
    target: str
    classes: Names | None = None
    labels: Annotated[tuple[int | str, ...], Field(min_length=1)] | None = None
    dates: str | None = None
    months: str | None = None
    january: Literal[0, 1] = 1
    year: Annotated[int, Field(ge=1, le=9999)] | None = None
    places: str | None = None
    names: str | None = None
    split: str | None = None
    split_values: dict[Split, int | str] | None = None
    split_shares: tuple[Share, Share, Share] = (0.6, 0.2, 0.2)
    split_by: str | None = None
    split_degrees: Annotated[float, Field(gt=0, le=180)] | None = None
    split_seed: int = 0

    @field_validator("axes")
    @classmethod
    def _each_once(cls, value: tuple[Axis, ...]) -> tuple[Axis, ...]:
        if "bands" not in value or len(set(value)) != len(value):
            raise ValueError("must name bands, and each axis once")
        if ("height" in value) != ("width" in value):
            raise ValueError("must name both height and width, or neither")
        return value

    @field_validator("split_shares")
    @classmethod
    def _sum_to_one(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if abs(sum(value) - 1) > 1e-6:
            raise ValueError("must sum to 1")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> NpzData:
        if self.dates is not None and self.months is not None:
            raise FieldError("months", "the days are told by dates already")
        if (self.months is None) != (self.year is None):
            raise FieldError("year", "goes with months, which no date is known without")
        if self.split_by is not None and self.split_degrees is not None:
            raise FieldError("split_degrees", "the groups are told by split_by already")
        if self.split_degrees is not None and self.places is None:
            raise FieldError("split_degrees", "needs places")
        if self.split_values is not None and self.split is None:
            raise FieldError("split_values", "needs split")
        return self

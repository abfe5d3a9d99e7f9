"""The options of the GEO-Bench-2 reader."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from iterate_core.data.block_options import PlaceSplits
from iterate_core.data.geobench_v2.datasets.all import DATASETS
from iterate_core.data.geobench_v2.datasets.defects import declared
from iterate_core.data.options import DataSection, Positive
from iterate_core.errors import nearest
from iterate_core.registry.marks import AddedLater, HowOnly
from iterate_core.registry.options import FieldError

Index = Annotated[int, Field(ge=0)]


class GeoBenchV2Data(DataSection):
    """A dataset of GEO-Bench-2.

    Attributes:
        root: The folder of its tortilla files (or of folders named like the datasets), or one file.
        dataset: Its name: ``benv2``, ``flair2``, ``pastis``, …
        compat: Reproduce the known defects of the reference loaders instead of correcting them.
        frames: How many dates to take, or which ones by number from 0; None takes as many as
            suits the dataset.
        split: Splits drawn anew by blocks of ground, where samples have places.
    """

    name: Literal["geobench_v2"] = "geobench_v2"
    root: Annotated[Path, HowOnly]
    dataset: str
    compat: bool = False
    frames: Positive | Annotated[tuple[Index, ...], Field(min_length=1)] | None = None
    split: Annotated[PlaceSplits, AddedLater] = PlaceSplits()

    @model_validator(mode="before")
    @classmethod
    def _normalised_as_published(cls, values: Any) -> Any:
        """Under ``compat`` the dataset decides what `normalisation` is where it is not given."""
        if not isinstance(values, dict) or not values.get("compat"):
            return values
        if values.get("dataset") not in DATASETS or "normalisation" in values:
            return values
        declaration, _ = declared(values["dataset"], compat=True)
        return {**values, "normalisation": declaration.normalisation}

    @field_validator("dataset")
    @classmethod
    def _is_declared(cls, value: str) -> str:
        if value not in DATASETS:
            hint = nearest(value, DATASETS) or f"Known: {', '.join(DATASETS)}."
            raise ValueError(f"must be a dataset of GEO-Bench-2. {hint}")
        return value

    @model_validator(mode="after")
    def _has_that_many_dates(self) -> GeoBenchV2Data:
        if self.dataset in DATASETS and self.frames is not None:
            most = DATASETS[self.dataset].dates.most
            last = self.frames if isinstance(self.frames, int) else max(self.frames) + 1
            if most is not None and last > most:
                raise FieldError("frames", f"{self.dataset} has {most} dates")
        return self

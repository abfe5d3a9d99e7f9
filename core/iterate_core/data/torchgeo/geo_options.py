"""What a recipe says of a `GeoDataset` of TorchGeo. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from iterate_core.data.keyed.options import KeyedData
from iterate_core.data.options import Positive
from iterate_core.data.torchgeo.options import OwnSplits, SourceData
from iterate_core.registry.options import FieldError
from iterate_core.storage.names import is_inside


class GeoSplits(OwnSplits):
    """Which split each patch belongs to: by blocks of ground, or as the dataset's class says.

    Attributes:
        block_metres: Side of the square blocks of ground that go to one split whole.
        distance_metres: Between splits: patches of training that lie nearer to another split are
            not used, nor those of validation that do to the test split. 0: none overlap.
    """

    block_metres: Annotated[float, Field(gt=0)] | None = None
    distance_metres: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _one_way(self) -> GeoSplits:
        whole = self.own and self.val is not None
        if whole == (self.block_metres is not None):
            what = "say how large blocks of ground are drawn, or the class's own three splits"
            raise FieldError("block_metres", what)
        return self


class GeoSource(SourceData):
    """One of several dataset classes.

    Attributes:
        folder: Of its files, below `root`; None takes `root` itself.
    """

    folder: str | None = None

    @field_validator("folder")
    @classmethod
    def _is_inside(cls, folder: str | None) -> str | None:
        if folder is not None and not is_inside(folder):
            raise ValueError("must be a folder below data.root")
        return folder


class GeoData(KeyedData):
    """A `GeoDataset` of TorchGeo, or several of one place, cut into patches by its samplers.

    Attributes:
        images: The dataset of images.
        more_images: Further ones of the same place, whose bands are taken after those of `images`.
        labels: That of labels; None where that of the images has them too.
        size: Height and width of a patch in pixels of `images`.
        stride: From patch to patch of `GridGeoSampler`, in pixels; None takes `size`.
        sampler: How training patches are cut: ``random`` by `RandomGeoSampler`, or on the ``grid``
            as those of validation and test.
        length: How many random patches are drawn; None takes as many as the grid has.
        split: Which patch belongs to which split; its seed fixes random patches too.
    """

    name: Literal["torchgeo_geo"] = "torchgeo_geo"
    images: GeoSource
    more_images: tuple[GeoSource, ...] = ()
    labels: GeoSource | None = None
    size: Positive
    stride: Positive | None = None
    sampler: Literal["random", "grid"] = "random"
    length: Positive | None = None
    split: GeoSplits

    @model_validator(mode="after")
    def _length_is_random(self) -> GeoData:
        if self.length is not None and self.sampler == "grid":
            raise FieldError("length", "is that of random patches: the grid gives all it has")
        return self

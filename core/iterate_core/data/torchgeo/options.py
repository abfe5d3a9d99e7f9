"""What a recipe says of a dataset that is a class of TorchGeo. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from iterate_core.data.folders.options import Share
from iterate_core.data.keyed.options import ImageKeys, KeyedData
from iterate_core.registry.options import Section

SplitValue = str | int | bool | tuple[str | int, ...]


class SourceData(Section):
    """A dataset class, and what it is made with.

    Attributes:
        dataset: The path of the class: ``torchgeo.datasets.EuroSAT``, ``package.module:Name`` or
            ``folder/file.py:Name``.
        arguments: Keyword arguments, beside the folder of its files.
        attributes: Attributes of the class that are to be others, such as ``filename_glob``.
    """

    dataset: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    attributes: dict[str, Any] = Field(default_factory=dict)


class OwnSplits(Section):
    """Which split each sample belongs to: as the dataset's class says, or drawn.

    Attributes:
        argument: The keyword argument of the class that chooses a split.
        train: Its value for training samples; None: all samples are of one dataset, and drawn.
        val: For validation samples; None draws them from those of training.
        test: For test samples.
        shares: Of what is drawn: those of training, validation and test.
        seed: Of what is drawn.
    """

    argument: str = "split"
    train: SplitValue | None = None
    val: SplitValue | None = None
    test: SplitValue | None = None
    shares: tuple[Share, Share, Share] = (0.6, 0.2, 0.2)
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("shares")
    @classmethod
    def _are_all(cls, shares: tuple[float, float, float]) -> tuple[float, float, float]:
        if abs(sum(shares) - 1) > 1e-6:
            raise ValueError("must sum to 1")
        return shares

    @model_validator(mode="after")
    def _both_ends(self) -> OwnSplits:
        if (self.train is None) != (self.test is None) or (self.val is not None and not self.own):
            raise ValueError("name the values of train and test, and of val where there is one")
        return self

    @property
    def own(self) -> bool:
        """Whether the class says the splits."""
        return self.train is not None


class NonGeoData(SourceData, ImageKeys, KeyedData):
    """A `NonGeoDataset` of TorchGeo: samples by their numbers.

    Attributes:
        split: Which sample belongs to which split.
    """

    name: Literal["torchgeo_nongeo"] = "torchgeo_nongeo"
    split: OwnSplits = OwnSplits()

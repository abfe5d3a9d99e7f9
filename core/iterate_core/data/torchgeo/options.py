"""What a recipe says of a dataset that is a class of TorchGeo. Imports no torch."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from iterate_core.data.keyed.options import DrawnSplits, ImageKeys, KeyedData
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


class OwnSplits(DrawnSplits):
    """Which split each sample belongs to: as the dataset's class says, or drawn.

    Attributes:
        argument: The keyword argument of the class that chooses a split.
        train: Its value for training samples; None: all samples are of one dataset, and drawn.
        val: For validation samples; None draws them from those of training.
        test: For test samples.
    """

    argument: str = "split"
    train: SplitValue | None = None
    val: SplitValue | None = None
    test: SplitValue | None = None

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

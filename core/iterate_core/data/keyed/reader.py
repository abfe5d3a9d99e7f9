"""Reads samples that are mappings of keys to arrays; the same whoever gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from iterate_core.data.convert.missing import Missing, check_ranges
from iterate_core.data.dataset import SPLITS, DatasetInfo, Sample, Split
from iterate_core.data.folders.spelling import in_yaml
from iterate_core.data.keyed.images import Array, Stack, bands_of, image_of
from iterate_core.data.keyed.options import KeyedData
from iterate_core.data.keyed.targets import Missings, Targets
from iterate_core.errors import DataError, Problem
from iterate_core.fingerprint import fingerprint
from iterate_core.registry.marks import AfterReading, HowOnly, without

_LOOKED_AT = 8
"""Training samples whose largest values tell the unit of bands, where nobody says it."""


@dataclass(frozen=True)
class Found:
    """What a dataset says of itself.

    Attributes:
        name: For people.
        bands: Names of its bands.
        classes: Names of its classes.
        words: Whether its labels are these names, instead of their numbers.
        metres: Ground size of a pixel.
        crs: Of its coordinates.
        notes: What to tell of it.
    """

    name: str
    bands: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    words: bool = False
    metres: float | None = None
    crs: str | None = None
    notes: tuple[str, ...] = ()


class Samples(Protocol):
    """A dataset's samples, by names that splits share out. It may be pickled, and then reopens.

    Attributes:
        found: What the dataset says of itself.
        images: The keys of a sample's images.
        stack: What several images are.
        names: Of each split's samples, in their order.
    """

    found: Found
    images: tuple[str, ...]
    stack: Stack
    names: Mapping[Split, Sequence[str]]

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """What the dataset gives for a sample.

        Raises:
            DataError: The dataset raises something.
        """

    def about(self, name: str) -> tuple[tuple[float, float] | None, tuple[int, int] | None]:
        """Latitude and longitude of a sample, and its year and day; None where unknown."""

    def content(self) -> dict[str, Any]:
        """What fixes the samples, beside the recipe."""


class KeyedReader:
    """See `iterate_core.data.dataset.Reader`.

    Args:
        section: Of the recipe.
        samples: Of the dataset.

    Raises:
        RequestError: The recipe does not say what must be said.
        DataError: A sample is not what the recipe says.
    """

    info: DatasetInfo

    def __init__(self, section: KeyedData, samples: Samples) -> None:
        found = samples.found
        self._section, self._samples = section, samples
        nodata = float(section.nodata) if isinstance(section.nodata, int) else section.nodata
        self._missing = Missing(nodata, section.fill, section.mask)
        self._known = {name for split in SPLITS for name in samples.names[split]}
        self._targets = Targets(section, found.classes, words=found.words)
        images = [self._pixels(name) for name in self._looked_at()]
        self._bands = bands_of(section, found.bands, images)
        height, width = images[0].shape[-2:]
        self.info = DatasetInfo(
            name=found.name,
            task=section.task,
            classes=self._targets.classes,
            bands=self._bands,
            sizes={split: len(samples.names[split]) for split in SPLITS},
            height=height,
            width=width,
            frames=images[0].shape[1] if images[0].ndim == 4 else 1,
            metres=found.metres,
            ignore_index=self._targets.ignore_index,
            notes=found.notes,
            crs=found.crs,
        )

    def names(self, split: Split) -> Sequence[str]:
        """The identifiers of a split's samples, in the dataset's order."""
        return self._samples.names[split]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        """One sample, its bands in the order asked for (names as in `info.bands`).

        Raises:
            DataError: There is no such sample, it is damaged, or holds what nothing explains.
        """
        where = f"dataset {self.info.name}, sample {name}"
        if name not in self._known:
            raise DataError(Problem(where, "is not in the dataset."))
        sample = self._samples[name]
        pixels = self._image(sample, where)
        if len(pixels) != len(self._bands):
            raise DataError(Problem(where, f"has {len(pixels)} bands, not {len(self._bands)}."))
        with in_yaml():
            pixels, missing = self._missing.cleared(pixels, None, where)
            check_ranges(pixels, self._bands, self._missing, where)
        target = self._targets.of(sample, _of_pixels(missing), where)
        place, day = self._samples.about(name)
        dates = None if day is None or self.info.frames > 1 else (day,)
        offered = [band.name for band in self._bands]
        return Sample(name, pixels[[offered.index(band) for band in bands]], target, dates, place)

    def fingerprint(self) -> str:
        """16 hexadecimal digits fixed by all files of the dataset, its code and the options."""
        options = without(self._section, HowOnly, AfterReading)
        return fingerprint({**self._samples.content(), "options": options})

    def _looked_at(self) -> list[str]:
        """The first training sample; some more where their values must tell units."""
        names = self._samples.names["train"]
        count = 1 if self._section.unit is not None else min(_LOOKED_AT, len(names))
        return [names[index] for index in np.linspace(0, len(names) - 1, count).astype(int)]

    def _pixels(self, name: str) -> Array:
        return self._image(self._samples[name], f"sample {name}")

    def _image(self, sample: Mapping[str, Any], where: str) -> Array:
        return image_of(sample, self._samples.images, self._samples.stack, where)


def _of_pixels(missing: Missings | None) -> Missings | None:
    """(height, width): whether a pixel lacks data on any date."""
    if missing is None or missing.ndim == 2:
        return missing
    anywhere: Missings = np.any(missing, axis=0)
    return anywhere

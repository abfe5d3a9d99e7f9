"""Datasets of samples by number: any `NonGeoDataset` of TorchGeo, by the path of its class."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import SPLITS, Split
from iterate_core.data.keyed.reader import Found, KeyedReader
from iterate_core.data.keyed.splits import drawn_splits
from iterate_core.data.torchgeo.options import NonGeoData
from iterate_core.data.torchgeo.sources import BANDS, CLASSES, Source, named
from iterate_core.errors import DataError, Problem

_ALL = "all"
"""The dataset of all samples, of a class that does not tell splits apart."""


def open_nongeo(section: NonGeoData) -> KeyedReader:
    """Open a `NonGeoDataset`; see `iterate_core.data.dataset.Reader`.

    Raises:
        RequestError: The recipe does not say what must be said.
        DataError: The dataset is absent, or its class raises something.
    """
    return KeyedReader(section, _Numbered(section))


class _Numbered:
    """See `iterate_core.data.keyed.reader.Samples`: a split and a number are a name.

    Raises:
        RequestError: The recipe does not say which splits there are.
        DataError: One is empty.
    """

    def __init__(self, section: NonGeoData) -> None:
        self.images, self.stack = section.image_keys, section.stack
        self._source = Source(section, section.root, "NonGeoDataset")
        self._split = section.split
        if section.split.own:
            self._source.check_argument(section.split.argument, "data.split.argument")
        else:
            self._source.check_whole()
        self._datasets: dict[str, Any] = {}
        self._rows: dict[str, tuple[str, int]] = {}
        self.names: Mapping[Split, Sequence[str]]
        self.names, notes = self._divided()
        empty = [split for split in SPLITS if not self.names[split]]
        if empty:
            what = f"has no sample for {' and '.join(empty)}."
            raise DataError(Problem(str(self._source.root), what, "data.split says the splits."))
        first = self._dataset(self._rows[self.names["train"][0]][0])
        self.found = Found(
            name=self._source.name,
            bands=named(first, BANDS),
            classes=named(first, CLASSES),
            notes=notes,
        )

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """See `Samples`."""
        part, row = self._rows[name]
        dataset = self._dataset(part)
        with self._source.told(f"reads sample {name!r}"):
            sample: Mapping[str, Any] = dataset[row]
        return sample

    def about(self, name: str) -> tuple[None, None]:
        """Nothing is known of where and when."""
        del name
        return None, None

    def content(self) -> dict[str, Any]:
        """See `Samples`."""
        return self._source.content()

    def __getstate__(self) -> dict[str, Any]:
        """Another process makes the datasets anew: they may hold open files."""
        return {**self.__dict__, "_datasets": {}}

    def _dataset(self, part: str) -> Any:
        """The dataset of one split, or of all samples where the class does not tell them apart."""
        if part not in self._datasets:
            value = getattr(self._split, part, None)
            more = {} if value is None else {self._split.argument: value}
            self._datasets[part] = self._source.make(**more)
        return self._datasets[part]

    def _divided(self) -> tuple[dict[Split, Sequence[str]], tuple[str, ...]]:
        """The names of each split's samples, and notes on how they came about."""
        asked = self._split
        if not asked.own:
            pool = self._listed("all")
            return self._drawn(pool, SPLITS)
        of: dict[Split, Sequence[str]] = {
            split: self._listed(split) for split in SPLITS if getattr(asked, split) is not None
        }
        values = ", ".join(str(getattr(asked, split)) for split in of)
        note = f"split by {self._source.name}'s argument {asked.argument}: {values}"
        if "val" in of:
            return of, (note,)
        drawn, notes = self._drawn(of["train"], SPLITS[:2])
        return {**drawn, "test": of["test"]}, (note, *notes)

    def _listed(self, part: str) -> list[str]:
        """Names of the samples of a dataset."""
        prefix = "" if part == _ALL else f"{part}-"
        rows = range(len(self._dataset(part)))
        self._rows |= {f"{prefix}{row}": (part, row) for row in rows}
        return [f"{prefix}{row}" for row in rows]

    def _drawn(
        self, names: Sequence[str], splits: Sequence[Split]
    ) -> tuple[dict[Split, Sequence[str]], tuple[str, ...]]:
        """Samples of one dataset, shared out at random; each class in proportion, if it is told."""
        shares, seed = self._split.shares, self._split.seed
        owned, note = drawn_splits(names, self._strata(names), splits, shares, seed)
        return owned, (note,)

    def _strata(self, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """(samples,) classes, where the dataset lists them as torchvision's folders do."""
        part, _ = self._rows[names[0]] if names else (_ALL, 0)
        told = getattr(self._dataset(part), "targets", None)
        if isinstance(told, list) and len(told) == len(names):
            with contextlib.suppress(TypeError, ValueError):
                return np.array(told, dtype=np.int64).reshape(len(names))
        return np.zeros(len(names), dtype=np.int64)

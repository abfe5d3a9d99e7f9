"""Reader of datasets that are arrays of one .npz file, as a recipe declares them.

It is made for time series of single pixels, such as those of the evaluations of Presto (Tseng et
al., "Lightweight, Pre-trained Transformers for Remote Sensing Timeseries", 2023), and takes images
alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from iterate_core.data.arrays.columns import Columns
from iterate_core.data.arrays.days import days_of, year_and_day
from iterate_core.data.arrays.images import Images
from iterate_core.data.arrays.options import NpzData
from iterate_core.data.arrays.splits import splits_of
from iterate_core.data.arrays.targets import Targets
from iterate_core.data.dataset import SPLITS, DatasetInfo, Sample, Split
from iterate_core.errors import DataError, Problem
from iterate_core.fingerprint import fingerprint
from iterate_core.registry.marks import AfterReading, HowOnly, without
from iterate_core.storage.digests import hash_files


class Npz:
    """Reads one .npz file; see `iterate_core.data.dataset.Reader`.

    Opening reads headers and the small arrays; pixels are read when the first sample is.

    Raises:
        RequestError: The file's arrays are not what the recipe says.
        DataError: The file is absent, damaged or foreign.
    """

    info: DatasetInfo

    def __init__(self, section: NpzData) -> None:
        self._section = section
        self._path = section.root.expanduser()
        columns = Columns(self._path, section.images)
        self._images = Images(section, columns)
        self._targets = Targets(section, columns)
        self._days = days_of(section, columns, self._images.dates)
        self._places = None if section.places is None else columns.places(section.places)
        self._index = {name: row for row, name in enumerate(columns.names(section.names))}
        splits, notes = splits_of(section, columns, self._targets.strata())
        names = np.array(list(self._index))
        self._names: dict[Split, tuple[str, ...]] = {
            split: tuple(names[splits == split].tolist()) for split in SPLITS
        }
        height, width = self._images.size
        self.info = DatasetInfo(
            name=self._path.stem,
            task=section.task,
            classes=self._targets.classes,
            bands=self._images.bands,
            sizes={split: len(self._names[split]) for split in SPLITS},
            height=height,
            width=width,
            frames=self._images.frames,
            notes=notes,
        )

    def names(self, split: Split) -> Sequence[str]:
        """The identifiers of a split's samples, in the file's order."""
        return self._names[split]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        """One sample, its bands in the order asked for (names as in `info.bands`).

        Raises:
            DataError: The file has no such sample or band, or is damaged.
        """
        if name not in self._index:
            raise DataError(Problem(str(self._path), f"has no sample {name!r}."))
        offered = [band.name for band in self.info.bands]
        strange = [band for band in bands if band not in offered]
        if strange or not bands:
            what = f"has no band {strange[0]!r}." if strange else "is asked for no band at all."
            raise DataError(Problem(str(self._path), what, f"Available: {', '.join(offered)}."))
        row = self._index[name]
        return Sample(
            name,
            self._images.of(row, bands),
            self._targets.of(row),
            None if self._days is None else year_and_day(self._days[row, self._images.taken]),
            self._place(row),
        )

    def fingerprint(self) -> str:
        """16 hexadecimal digits fixed by the file's content and by the options.

        Raises:
            DataError: The file is absent or unreadable.
        """
        digests = hash_files(self._path.parent, [self._path.name])
        options = without(self._section, HowOnly, AfterReading)
        return fingerprint({"file": digests[self._path.name], "options": options})

    def _place(self, row: int) -> tuple[float, float] | None:
        if self._places is None or np.isnan(self._places[row]).any():
            return None
        latitude, longitude = self._places[row]
        return float(latitude), float(longitude)

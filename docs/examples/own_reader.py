"""A dataset reader of your own: copy this file, change it, and name it in a recipe (in one line).

    iterate fit search_spaces/recipe.yaml data.root=tiles
        data.name=docs/examples/own_reader.py:LabelledTiles

This one reads a folder of GeoTIFF, PNG or JPEG tiles of one size, and a table `labels.csv` with
the columns `file`, `label` and `split` (train, val or test). A reader says what the dataset is
(`info`), lists the samples of each split, reads one, and tells by a fingerprint when anything has
changed. Packing, normalisation, matching of bands, training and search then work.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from iterate_core.data.convert.images import read_image
from iterate_core.data.dataset import SPLITS, Band, DatasetInfo, Sample, Split
from iterate_core.data.options import DataSection
from iterate_core.errors import DataError, Problem
from iterate_core.fingerprint import fingerprint
from iterate_core.registry.marks import HowOnly
from iterate_core.storage.digests import hash_files

TABLE = "labels.csv"
# What each band is: its name in your files, its common name, wavelength in µm, and unit.
BANDS = (
    Band("red", "red", 0.665, "uint8"),
    Band("green", "green", 0.56, "uint8"),
    Band("blue", "blue", 0.49, "uint8"),
)


class LabelledTilesData(DataSection):
    """What the YAML may say, beside what every dataset takes (`data.bands`, `data.batch_size`)."""

    root: Annotated[Path, HowOnly]


class LabelledTiles:
    """See `iterate_core.data.dataset.Reader`."""

    options = LabelledTilesData

    def __init__(self, section: LabelledTilesData) -> None:
        self._root = section.root.expanduser()
        self._labels: dict[str, str] = {}
        self._splits: dict[Split, list[str]] = {split: [] for split in SPLITS}
        self._read_table()
        first = read_image(self._root / next(iter(self._labels)))
        self.info = DatasetInfo(
            name=self._root.resolve().name,
            task="classification",  # or "segmentation", "multilabel", "regression"
            classes=tuple(sorted(set(self._labels.values()))),
            bands=BANDS,
            sizes={split: len(names) for split, names in self._splits.items()},
            height=first.shape[1],
            width=first.shape[2],
        )

    def names(self, split: Split) -> Sequence[str]:
        """The identifiers of a split's samples: here their files."""
        return self._splits[split]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        """One sample: (bands, height, width) in the order asked for, and its label's index."""
        every = [band.name for band in BANDS]
        image = read_image(self._root / name)
        chosen = image[[every.index(band) for band in bands]]
        return Sample(name, chosen, self.info.classes.index(self._labels[name]))

    def fingerprint(self) -> str:
        """Fixed by the content of every file. This file's own content is added to it."""
        return fingerprint(hash_files(self._root, [TABLE, *sorted(self._labels)]))

    def _read_table(self) -> None:
        path = self._root / TABLE
        if not path.is_file():
            raise DataError(Problem(str(path), "does not exist.", "Set data.root to its folder."))
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                if row["split"] not in self._splits:
                    raise DataError(Problem(str(path), f"{row['split']!r} is no split."))
                self._labels[row["file"]] = row["label"]
                self._splits[row["split"]].append(row["file"])

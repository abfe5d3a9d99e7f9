"""Reader of GEO-Bench-2 datasets: tortilla files, bands by name, known defects corrected.

Format and datasets: Simumba et al., "GEO-Bench-2: From Performance to Capability, Rethinking
Evaluation in Geospatial AI", 2025 (arXiv 2511.15658). No other package is needed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from iterate_core.data.dataset import SPLITS, DatasetInfo, Sample, Split
from iterate_core.data.geobench_v2.datasets.defects import declared
from iterate_core.data.geobench_v2.datasets.schema import Quantity, Target
from iterate_core.data.geobench_v2.dates import PLACE_COLUMNS, place_of
from iterate_core.data.geobench_v2.files import Contents
from iterate_core.data.geobench_v2.found import other_than
from iterate_core.data.geobench_v2.images import Frames, ImageReader, stored_size
from iterate_core.data.geobench_v2.integrity import find_files, replaced, unknown, verify
from iterate_core.data.geobench_v2.options import GeoBenchV2Data
from iterate_core.data.geobench_v2.targets import TargetReader
from iterate_core.data.geobench_v2.tortilla import Item, opened, read_files, read_samples
from iterate_core.data.places import split_by_place
from iterate_core.errors import DataError, Problem
from iterate_core.fingerprint import fingerprint
from iterate_core.registry.marks import AfterReading, HowOnly, without

_SPLIT_IN_FILE: dict[Split, str] = {"train": "train", "val": "validation", "test": "test"}
_UNUSED = ("extra_test",)
"""Splits that the benchmark's files may have and its protocol does not use."""


@dataclass(frozen=True)
class _Place:
    """Where a sample lies."""

    path: Path
    item: Item


class GeoBenchV2:
    """Reads one dataset of GEO-Bench-2; see `iterate_core.data.dataset.Reader`.

    Opening reads the tables of its files and the size of one sample's image.

    Raises:
        RequestError: More dates are asked for than there are.
        DataError: A file is absent, truncated, foreign or unsafe.
    """

    info: DatasetInfo

    def __init__(self, section: GeoBenchV2Data) -> None:
        self._section = section
        self._declared, corrections = declared(section.dataset, section.compat)
        declaration = self._declared
        root = section.root.expanduser()
        self._paths = find_files(root, declaration.files, declaration.name)
        self._unknown = unknown(declaration.files, self._paths)
        self._verified = len(self._unknown) == len(self._paths)
        drawn = section.split.block_metres is not None
        self._places, self._names, unused = _index(
            self._paths, PLACE_COLUMNS if drawn else (), proven=not self._unknown
        )
        size = self._grid()
        notes = (*corrections, *self._notes(unused))
        if drawn:
            self._names, told = self._by_blocks(size)
            notes += told
        frames: Frames = declaration.dates.default if section.frames is None else section.frames
        self._images = ImageReader(declaration, frames, size)
        self._targets = TargetReader(declaration, size)
        self.info = DatasetInfo(
            name=declaration.name,
            task=declaration.task,
            classes=declaration.classes,
            bands=declaration.bands,
            sizes={split: len(self._names[split]) for split in SPLITS},
            height=size[0],
            width=size[1],
            frames=frames if isinstance(frames, int) else len(frames),
            metres=declaration.metres,
            ignore_index=declaration.ignore_index,
            notes=notes,
            source=declaration.source,
            unit=_unit_of(declaration.target),
        )

    def names(self, split: Split) -> Sequence[str]:
        """The identifiers of a split's samples, in the files' order."""
        return self._names[split]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        """One sample, its bands in the order asked for (names as in `info.bands`).

        Its files are brought to the grid of the dataset's first sample: images bilinearly, masks
        and maps by the nearest pixel.

        Raises:
            DataError: The sample is damaged, lacks a band or its label, or the label is not one
                of the dataset's classes.
        """
        if not self._verified:
            self._verify()
        place = self._place(name)
        offered = [band.name for band in self._declared.bands]
        strange = [band for band in bands if band not in offered]
        if strange or not bands:
            what = f"has no band {strange[0]!r}." if strange else "is asked for no band at all."
            raise DataError(Problem(self.info.name, what, f"Available: {', '.join(offered)}."))
        with opened(place.path) as handle:
            contents = self._contents(handle, place, name)
            image = self._images.read(handle, contents, bands)
            target = self._targets.read(handle, contents, image.stored)
        pixels = image.pixels if self.info.frames > 1 else image.pixels[:, 0]
        where_on_earth = (place_of(item.fields) for item in contents.items)
        found = next((place for place in where_on_earth if place is not None), None)
        return Sample(name, pixels, target, image.dates, found)

    def fingerprint(self) -> str:
        """16 hexadecimal digits fixed by the content of all files and by the options.

        Raises:
            DataError: A file is not what its known checksum says.
        """
        options = without(self._section, HowOnly, AfterReading)
        return fingerprint({"files": self._verify(), "options": options})

    def _by_blocks(
        self, size: tuple[int, int]
    ) -> tuple[dict[Split, tuple[str, ...]], tuple[str, ...]]:
        metres, asked = self._declared.metres, self._section.split
        places = {name: place_of(place.item.fields) for name, place in self._places.items()}
        diameter = None if metres is None else metres * math.hypot(*size)
        where = f"{self._paths[0].parent}, {self._declared.name}"
        return split_by_place(self._names, places, asked, diameter, where)

    def _verify(self) -> dict[str, str]:
        digests = verify(self._declared.files, self._paths)
        self._verified = True
        return digests

    def _grid(self) -> tuple[int, int]:
        """(height, width) of the first training sample's first image file."""
        name = self._names["train"][0]
        place = self._place(name)
        with opened(place.path) as handle:
            contents = self._contents(handle, place, name)
            try:
                return stored_size(handle, contents, self._declared.rasters[0])
            except DataError as error:
                hint = other_than(place.path, self._section.dataset)
                told = [Problem(p.where, p.what, f"{p.hint or ''} {hint}") for p in error.problems]
                raise DataError(told) from None

    def _contents(self, handle: BinaryIO, place: _Place, name: str) -> Contents:
        where = f"{place.path}, sample {name}"
        proven = place.path.name not in self._unknown
        files = read_files(handle, place.item, where)
        for file in files:
            if file.split not in ("", place.item.split) and not proven:
                what = f"is of split {place.item.split!r}, but its {file.name!r} says "
                raise DataError(Problem(where, f"{what}{file.split!r}."))
        return Contents(self._declared, files, where, proven)

    def _place(self, name: str) -> _Place:
        if name not in self._places:
            raise DataError(Problem(str(self._paths[0]), f"has no sample {name!r}."))
        return self._places[name]

    def _notes(self, unused: Counter[str]) -> tuple[str, ...]:
        notes = [
            f"{count} samples of split {split!r} are not used" for split, count in unused.items()
        ]
        published = self._declared.sizes or {}
        fewer = [
            f"{len(self._names[split])} of {count} {split}"
            for split, count in published.items()
            if len(self._names[split]) != count
        ]
        if fewer:
            notes.append(f"not the published number of samples: {', '.join(fewer)}")
        others = replaced(self._declared.files, self._paths)
        if others:
            notes.append(f"not the published file, though of its name: {', '.join(others)}")
        if self._unknown:
            which = ", ".join(self._unknown)
            notes.append(f"no checksum is known of {which}: damaged pixels may go unnoticed")
        return tuple(notes)


def _unit_of(target: Target) -> str | None:
    return f"× {target.divisor:g} {target.unit}" if isinstance(target, Quantity) else None


def _index(
    paths: Sequence[Path], columns: Sequence[str], *, proven: bool
) -> tuple[dict[str, _Place], dict[Split, tuple[str, ...]], Counter[str]]:
    """Where each sample lies, the samples of each split, and how many belong to none.

    An identifier that several samples share is made whole by their number in the dataset.

    Args:
        paths: The dataset's files.
        columns: What further of a sample's row in their tables is to be kept.
        proven: Whether the files have the checksums that they should have.
    """
    rows = [_Place(path, item) for path in paths for item in read_samples(path, columns)]
    often = Counter(row.item.name for row in rows)
    places = {
        row.item.name if often[row.item.name] == 1 else f"{row.item.name}#{number}": row
        for number, row in enumerate(rows)
    }
    names: dict[Split, tuple[str, ...]] = {
        split: tuple(name for name, row in places.items() if row.item.split == word)
        for split, word in _SPLIT_IN_FILE.items()
    }
    empty = [word for split, word in _SPLIT_IN_FILE.items() if not names[split]]
    if empty:
        raise DataError(Problem(str(paths[0]), f"split {empty[0]!r} lists no samples."))
    words = _SPLIT_IN_FILE.values()
    unused = Counter(row.item.split for row in rows if row.item.split not in words)
    strange = sorted(unused.keys() - set(_UNUSED))
    if strange and not proven:
        hint = f"Known: {', '.join((*words, *_UNUSED))}."
        raise DataError(Problem(str(paths[0]), f"has a split {strange[0]!r}.", hint))
    return places, names, unused

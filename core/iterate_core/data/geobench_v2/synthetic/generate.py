"""Generated datasets in the layout of GEO-Bench-2, for tests and for trying a benchmark out.

Every dataset that is declared can be generated: the same files with the same names, types, bands,
dates and kinds of labels, in any size. Pixels are drawn around each band's published mean and
shifted by what the label says, so that there is something to learn. They say nothing about how
good a backbone is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import SPLITS, Split
from iterate_core.data.geobench_v2.datasets.all import DATASETS
from iterate_core.data.geobench_v2.datasets.schema import (
    Declaration,
    Files,
    Monthly,
    Raster,
    Series,
)
from iterate_core.data.geobench_v2.files import MONTHS
from iterate_core.data.geobench_v2.synthetic.labels import Drawn, draw_label, label_files
from iterate_core.data.geobench_v2.synthetic.writer import (
    NewFile,
    NewSample,
    geotiff_file,
    hdf5_file,
    write_sums,
    write_tortilla,
)
from iterate_core.fingerprint import seed_for

DAYS = 30
"""Dates of a daily series."""

_SPLIT_IN_FILE: Mapping[Split, str] = {"train": "train", "val": "validation", "test": "test"}
_SECONDS = 1_593_561_600.0  # 1 July 2020
_DAY = 86_400.0


def generate(
    dataset: str,
    root: Path,
    samples: tuple[int, int, int],
    pixels: int | None = None,
    seed: int = 0,
) -> Path:
    """Write a generated dataset; the same arguments give the same pixels.

    Args:
        dataset: Its name.
        root: The folder that gets a folder named like the dataset, with one file and its
            ``SHA256SUMS``.
        samples: How many of the training, validation and test split.
        pixels: Height and width; None takes the published ones.
        seed: Fixes every pixel.

    Returns:
        The file.

    Raises:
        KeyError: There is no such dataset.
    """
    declaration = DATASETS[dataset]
    path = root / dataset / f"{declaration.files}.tortilla"
    maker = _Maker(declaration, pixels or declaration.pixels, seed)
    write_tortilla(path, maker.samples(samples))
    write_sums([path])
    return path


@dataclass(frozen=True)
class _Maker:
    declaration: Declaration
    pixels: int
    seed: int

    def samples(self, counts: tuple[int, int, int]) -> Iterator[NewSample]:
        number = 0
        for split, count in zip(SPLITS, counts, strict=True):
            for _ in range(count):
                rng = np.random.default_rng(seed_for(self.declaration.name, self.seed, number))
                label = draw_label(self.declaration, self.pixels, number, rng)
                files = self._files(label, rng)
                fields = {**self._common_fields(rng), **label.fields}
                whole = [
                    NewFile(file.name, file.format, file.content, {**fields, **file.fields})
                    for file in files
                ]
                yield NewSample(f"sample_{number}", _SPLIT_IN_FILE[split], whole, fields)
                number += 1

    def _common_fields(self, rng: np.random.Generator) -> dict[str, Any]:
        """Place and time, of the datasets that tell them."""
        if any(isinstance(raster.files, Monthly) for raster in self.declaration.rasters):
            return {}
        longitude, latitude = float(rng.uniform(-10, 20)), float(rng.uniform(40, 55))
        return {
            "lon": longitude,
            "lat": latitude,
            "stac:centroid": f"POINT ({longitude:.6f} {latitude:.6f})",
            "stac:time_start": _SECONDS,
        }

    def _files(self, label: Drawn, rng: np.random.Generator) -> list[NewFile]:
        placed: list[tuple[int, list[NewFile]]] = []
        for raster in self.declaration.rasters:
            placed += self._raster(raster, label.classes, rng)
        placed += label_files(self.declaration, label)
        for files in (self.declaration.valid, *self.declaration.unused):
            if files is not None:
                placed.append((files.positions[0], [self._ones(files.names[0][0])]))
        # Positions from the end come last, in their own order.
        placed.sort(key=lambda entry: (entry[0] < 0, entry[0]))
        return [file for _, files in placed for file in files]

    def _ones(self, name: str) -> NewFile:
        ones = np.ones((1, self.pixels, self.pixels), dtype=np.uint8)
        arrays = any(raster.format == "HDF5" for raster in self.declaration.rasters)
        return hdf5_file(name, ones[0]) if arrays else geotiff_file(name, ones)

    def _raster(
        self, raster: Raster, classes: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> list[tuple[int, list[NewFile]]]:
        if raster.format == "HDF5" and isinstance(raster.files, Files):
            days = [20200701 + day for day in range(8)]
            stack = np.stack([self._image(raster, classes, rng) for _ in days])
            file = hdf5_file(raster.files.names[0][0], stack, {"dates": days})
            return [(raster.files.positions[0], [file])]
        if isinstance(raster.files, Series):
            daily = [self._series_file(raster, day, classes, rng) for day in range(DAYS)]
            return [(0, daily)]
        if isinstance(raster.files, Monthly):
            return [(0, self._monthly_files(raster, raster.files, classes, rng))]
        return [
            (position, [geotiff_file(names[0], self._image(raster, classes, rng))])
            for names, position in zip(raster.files.names, raster.files.positions, strict=True)
        ]

    def _series_file(
        self, raster: Raster, day: int, classes: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> NewFile:
        fields = {"stac:time_start": _SECONDS + day * _DAY, "modality": raster.name}
        return geotiff_file(f"planet_{day}", self._image(raster, classes, rng), fields)

    def _monthly_files(
        self,
        raster: Raster,
        files: Monthly,
        classes: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> list[NewFile]:
        """One file a month; where files may be lacking, the first and every fourth are."""
        there = [month for number, month in enumerate(MONTHS) if not raster.optional or number % 4]
        return [
            geotiff_file(
                f"chip_{files.modality}_{month}",
                self._image(raster, classes, rng),
                {"modality": files.modality, "month": month.capitalize()},
            )
            for month in there
        ]

    def _image(
        self, raster: Raster, classes: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> npt.NDArray[Any]:
        """(channels, height, width) in the raster's type."""
        size = (self.pixels, self.pixels)
        planes = []
        for number, band in enumerate(raster.channels):
            name = band.name if band else f"{raster.name} {number}"
            mean, std = self.declaration.statistics.get(name, (100.0, 30.0))
            shift = np.random.default_rng(seed_for(self.declaration.name, name)).normal(
                size=int(classes.max()) + 1
            )
            noise = rng.normal(size=size)
            planes.append(mean + std * (0.7 * shift[classes] + 0.5 * noise))
        return _typed(np.stack(planes), raster)


def _typed(values: npt.NDArray[np.float64], raster: Raster) -> npt.NDArray[Any]:
    kind = np.dtype(raster.dtype)
    if kind.kind == "f":
        return values.astype(kind)
    if raster.signed:  # as the publisher wrote them: a negative number wraps around
        return np.trunc(values).astype(np.int16).view(kind)
    limits = np.iinfo(kind)
    return np.clip(np.rint(values), limits.min, limits.max).astype(kind)

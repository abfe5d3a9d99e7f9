"""From other people's arrays and folders to GeoBench v1 format, with nothing dropped quietly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from iterate_core.data.bands import LANDSAT_8, SENTINEL_2, describe, guess_unit
from iterate_core.data.convert.arrays import ArraySource
from iterate_core.data.convert.folders import FolderSource
from iterate_core.data.convert.missing import Missing, check_ranges, parse_missing
from iterate_core.data.convert.refinement import check_coarsen, coarsened
from iterate_core.data.convert.source import SampleSource, Wanted, task_for
from iterate_core.data.convert.splits import assign, check_filled
from iterate_core.data.dataset import Band, DatasetInfo
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.data.geobench_v1.writer import NewDataset, writing
from iterate_core.data.tile import Tile
from iterate_core.data.units import UNITS
from iterate_core.errors import DataError, Problem, RequestError, nearest
from iterate_core.plurals import counted

LEGAL_UNITS = (*UNITS, "unknown")
SENSORS = (SENTINEL_2, LANDSAT_8)
_LOOKED_AT = 16


def convert(
    source: Path,
    out: Path,
    *,
    name: str | None = None,
    bands: Sequence[str] | None = None,
    task: str | None = None,
    split: str | None = None,
    classes: Sequence[str] | None = None,
    unit: str | None = None,
    sensor: str | None = None,
    ignore_index: int | None = None,
    layout: Literal["channels-first", "channels-last"] | None = None,
    nodata: str | None = None,
    fill: str | None = None,
    mask: bool = False,
    tile: int | None = None,
    licence: str | None = None,
    origin: str | None = None,
    coarsen: int | None = None,
    seed: int = 0,
) -> DatasetInfo:
    """Convert an .npz file or a folder of GeoTIFF, PNG or JPEG images.

    An .npz holds `images`, one of `labels`, `masks` and `targets` (on a finer grid), and optionally
    `split`, `class_names`, `band_names`, `ignore_index`, `scale` and `names` (or `files`). A folder
    holds a subfolder for each class, `images/` and `masks/` with equal stems, or `images/` and a
    table `labels.csv` of quantities; folders `train`, `val` and `test` may stand above each.

    Args:
        source: The file or folder.
        out: The folder to make.
        name: The dataset's name; the source's stem else.
        bands: Names of the source's bands, in its order; what its files say else.
        task: What the labels are, where the source leaves it open.
        split: A split file (.csv, .json), the name of an array in the .npz, or three shares such
            as ``"0.6,0.2,0.2"``; what the source says else, or else those shares.
        classes: Class names in the order of their indices, or names of the quantities.
        unit: The unit of every band; as the array `scale` says, or worked out from names and
            values else.
        sensor: Whose short names the bands bear (``sentinel-2``, ``landsat-8``).
        ignore_index: The mask value that does not count.
        nodata: The value that marks pixels without data, as a number; what the source says else.
            ``none``: all values are real.
        fill: What stands in pixels without data: a number, or ``mean``, that of the sample's other
            pixels of the band. Without it (and without `mask`) such pixels are refused.
        mask: Leave pixels without data in any band out of the masks.
        layout: Where the band axis of the array stands, where that is not plain.
        tile: Side in pixels of the square that each sample is cropped or padded to about its
            centre; without it samples of several sizes are refused.
        licence: The data's licence, for the record.
        origin: Where the data come from, for the record.
        coarsen: Make a dataset for downscaling of the images alone: each is the target of its own
            means over squares of so many pixels a side. Labels only keep random splits in
            proportion.
        seed: Fixes random splits and the smaller training partitions.

    Raises:
        RequestError: An option is wrong, or the output folder is taken.
        DataError: A file is damaged, unfit, unexpected or without its partner; a label or pixel
            is out of its range and no option accepts it.
    """
    _check_options(unit, sensor)
    check_coarsen(coarsen, fill, tile, mask=mask)
    wanted = Wanted(
        task if coarsen is None else None,
        tuple(classes) if classes else None,
        ignore_index,
        layout,
        split,
        unit=unit,
        labelled=coarsen is None,
    )
    wanted = wanted.with_bands(bands)
    found = _open(source.expanduser(), wanted)
    if tile is not None and found.form == "maps":
        what = "moves images alone, and the targets here lie on a finer grid."
        raise RequestError(Problem("tile", what, "Bring both to one size before."))
    missing = parse_missing(nodata, fill, mask=mask, form=found.form)
    splits, split_notes = assign(found, split, seed)
    described = _bands(found, missing, wanted, unit, sensor)
    dataset = NewDataset(
        name=name or source.stem,
        task=found.task,
        classes=found.classes,
        bands=described,
        ignore_index=found.ignore_index,
        licence=licence,
        source=origin or source.name,
        notes=(*found.notes, *split_notes),
        finer=found.finer,
    )
    if coarsen is not None:
        task = task_for(Wanted(task), "maps", "--coarsen makes targets", found.where)
        dataset = _of_coarse(dataset, task, coarsen)
    with writing(out, dataset, seed) as writer:
        for index, (sample, chosen) in enumerate(zip(found.names, splits, strict=True)):
            image, target = missing.treated(found, index)
            with _of_file(found.origin(index)):
                check_ranges(image, described, missing, f"sample {sample}")
                if tile is not None:
                    image, target = _on_tile(image, target, tile, found, f"sample {sample}")
                if coarsen is not None:
                    image, target = coarsened(image, coarsen, f"sample {sample}")
                writer.add(chosen, sample, image, target)
        check_filled(found, splits)
        if missing.note is not None:
            writer.note(missing.note)
        if tile is not None:
            writer.note(f"each sample cropped or padded about its centre to {tile}×{tile} pixels")
    return GeoBenchV1(GeoBenchV1Data(root=out)).info


def _of_coarse(dataset: NewDataset, task: str, factor: int) -> NewDataset:
    """The declaration of a dataset of which the coarse images are the inputs."""
    note = f"images are means over {factor} × {factor} pixels of their targets"
    quantities = tuple(band.name for band in dataset.bands)
    notes = (*dataset.notes, note)
    return replace(dataset, task=task, classes=quantities, finer=factor, notes=notes)


def _on_tile(
    image: npt.NDArray[Any], target: Any, size: int, source: SampleSource, where: str
) -> tuple[npt.NDArray[Any], Any]:
    """Image and target of a sample once they are cropped or padded."""
    height, width = image.shape[-2:]
    tile = Tile(size, (height, width))
    if source.form != "mask":
        return tile.lay(image), target
    if target.shape != tile.image:
        what = f"has a mask of {target.shape} pixels for an image of {tile.image}."
        raise DataError(Problem(where, what))
    return tile.lay(image), tile.lay(target, source.ignore_index)


@contextmanager
def _of_file(file: str) -> Iterator[None]:
    """Name the file that a sample comes from in whatever is wrong with the sample."""
    try:
        yield
    except DataError as error:
        problems = [Problem(f"{file}, {p.where}", p.what, p.hint) for p in error.problems]
        raise DataError(problems) from None


def _check_options(unit: str | None, sensor: str | None) -> None:
    problems = []
    if unit is not None and unit not in LEGAL_UNITS:
        hint = nearest(unit, LEGAL_UNITS) or f"Legal: {', '.join(LEGAL_UNITS)}."
        problems.append(Problem("unit", f"there is no unit {unit!r}.", hint))
    if sensor is not None and sensor not in SENSORS:
        what = f"there is no sensor {sensor!r}."
        problems.append(Problem("sensor", what, nearest(sensor, SENSORS)))
    if problems:
        raise RequestError(problems)


def _open(source: Path, wanted: Wanted) -> SampleSource:
    if source.is_dir():
        return FolderSource(source, wanted)
    if not source.exists():
        raise DataError(Problem(str(source), "does not exist."))
    if source.suffix.lower() != ".npz":
        hint = "Name an .npz file, or a folder of GeoTIFF, PNG or JPEG images."
        raise DataError(Problem(str(source), f"cannot convert {source.suffix!r} files.", hint))
    return ArraySource(source, wanted)


def _bands(
    found: SampleSource, missing: Missing, wanted: Wanted, unit: str | None, sensor: str | None
) -> tuple[Band, ...]:
    """Names from the request or the source, and what is known of bands that bear them."""
    first: Any = missing.treated(found, 0)[0]
    names = wanted.bands or found.band_names
    if names is None:
        what = f"does not name its {counted(len(first), 'band')}."
        hint = "List them with --bands, in the order of the files: B02,B03,B04."
        raise DataError(Problem(found.where, what, hint))
    if len(names) != len(first):
        verb = "is" if len(names) == 1 else "are"
        told = f"{counted(len(names), 'band')} {verb} named ({', '.join(names)})"
        what = f"{told}, but {found.where} has"
        raise DataError(Problem("bands", f"{what} {len(first)}."))
    steps = np.linspace(0, len(found.names) - 1, min(_LOOKED_AT, len(found.names)))
    each = (missing.treated(found, int(index))[0].max(axis=(1, 2)) for index in steps)
    largest = reduce(np.maximum, each)
    known = describe(names, sensor)
    return tuple(
        Band(
            band.name,
            band.common,
            band.wavelength,
            unit or found.unit or guess_unit(band, first.dtype, float(value)),
        )
        for band, value in zip(known, largest, strict=True)
    )

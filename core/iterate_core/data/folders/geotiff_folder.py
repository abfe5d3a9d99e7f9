"""Folders of GeoTIFFs by patterns: modalities, dates, and masks, polygons or tables of labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from iterate_core.data.convert.source import shortened
from iterate_core.data.folders.finer import FinerLabels
from iterate_core.data.folders.grouping import check_names, grouped, sample_of
from iterate_core.data.folders.labels import table_labels
from iterate_core.data.folders.masks import MapLabels, MaskLabels
from iterate_core.data.folders.options import GeotiffFolderData
from iterate_core.data.folders.patterns import Pattern
from iterate_core.data.folders.reader import FolderReader, existing_folder
from iterate_core.data.folders.samples import FolderSample, Labels, Listing, Modality
from iterate_core.data.folders.tables import Row, read_rows
from iterate_core.data.folders.vectors import VectorLabels
from iterate_core.data.target import target_class
from iterate_core.errors import DataError, Problem


def open_geotiff_folder(section: GeotiffFolderData) -> FolderReader:
    """Open a folder of images by its patterns; see `iterate_core.data.dataset.Reader`.

    Raises:
        RequestError: The recipe does not say what must be said.
        DataError: A file is damaged, without its partner, or none matches a pattern.
    """
    root = existing_folder(section.root)
    options = section.modality_options
    images = [Pattern(option.images, where) for where, option in options]
    patterns = [*images, *_label_patterns(section)]
    found, notes = grouped(root, patterns, section)
    samples = [sample_of(root, group[: len(images)], section.frames) for group in found]
    check_names(samples, root)
    files = [group[-1][0].path for group in found]
    labels, with_labels = _labels(section, root, samples, files)
    modalities = tuple(
        Modality(name, where if section.modalities else "data", o.band_names, o.sensor, o.unit)
        for name, (where, o) in zip(section.modality_names, options, strict=True)
    )
    return FolderReader(section, Listing(root, with_labels, labels, modalities, notes))


def _label_patterns(section: GeotiffFolderData) -> list[Pattern]:
    if section.masks is not None:
        return [Pattern(section.masks, "data.masks")]
    if section.polygons is None:
        return []
    vectors = Pattern(section.polygons.file, "data.vectors", images=False)
    return [] if vectors.is_one_file else [vectors]


def _labels(
    section: GeotiffFolderData, root: Path, samples: Sequence[FolderSample], files: Sequence[Path]
) -> tuple[Labels, Sequence[FolderSample]]:
    """The labels, and the samples with what a table says of their splits."""
    if section.table is not None:
        return _tabled(section, root / section.table, samples)
    if section.polygons is not None:
        pattern = Pattern(section.polygons.file, "data.vectors")
        one = [match.path for match in pattern.matches(root)] if pattern.is_one_file else []
        return VectorLabels(section, section.polygons, one * len(samples) or files), samples
    form = "mask" if section.task is None else target_class(section.task).form
    if form == "maps":
        return FinerLabels(section, files, [sample.images[0][0] for sample in samples]), samples
    if form == "map":
        return MapLabels(section, files), samples
    return MaskLabels(section, files), samples


def _tabled(
    section: GeotiffFolderData, table: Path, samples: Sequence[FolderSample]
) -> tuple[Labels, Sequence[FolderSample]]:
    rows = {row.name: row for row in read_rows(table)}
    found: list[Row] = []
    for sample in samples:
        named = sorted(sample.aliases & rows.keys())
        if len(named) != 1:
            what = f"has {'no row' if not named else 'two rows'} for {sample.name}."
            raise DataError(Problem(str(table), what))
        found.append(rows[named[0]])
    unused = [name for name in rows if rows[name] not in found]
    if unused and section.incomplete == "refuse":
        what = f"has rows for which there is no image: {shortened(unused)}."
        raise DataError(Problem(str(table), what, "data.incomplete: skip leaves them out."))
    with_splits = [
        FolderSample(s.name, s.images, row.split or s.split, s.aliases, s.days)
        for s, row in zip(samples, found, strict=True)
    ]
    return table_labels(section, found, [table]), with_splits

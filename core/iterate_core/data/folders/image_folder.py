"""Image folders: a folder a class, a table of labels, or masks beside images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from iterate_core.data.convert.images import DRIVERS
from iterate_core.data.convert.listing import image_files
from iterate_core.data.convert.naming import aliases_of, names_of_files
from iterate_core.data.convert.source import SPLIT_WORDS, shortened
from iterate_core.data.convert.tables import TABLE
from iterate_core.data.dataset import Split
from iterate_core.data.folders.labels import class_labels, table_labels
from iterate_core.data.folders.masks import MaskLabels
from iterate_core.data.folders.options import ImageFolderData
from iterate_core.data.folders.reader import FolderReader, existing_folder
from iterate_core.data.folders.samples import FolderSample, Labels, Listing, Modality
from iterate_core.data.folders.tables import Row, read_rows
from iterate_core.errors import DataError, Problem
from iterate_core.storage.names import is_inside

METADATA = ("metadata.csv", "metadata.jsonl")
"""The tables of Hugging Face's image folders."""


def open_image_folder(section: ImageFolderData) -> FolderReader:
    """Open a folder of images; see `iterate_core.data.dataset.Reader`.

    Raises:
        RequestError: The recipe does not say what must be said.
        DataError: A file is unexpected, damaged, without its label or of another size.
    """
    root = existing_folder(section.root)
    tables = _tables(root, section)
    listing = _tabled(root, section, tables) if tables else _laid_out(root, section)
    return FolderReader(section, listing)


def _tables(root: Path, section: ImageFolderData) -> list[Path]:
    """The tables that say what images show: the recipe's, else those of the layout."""
    if section.table is not None:
        return [root / section.table]
    folders = [root, *(path for path in sorted(root.iterdir()) if _split_of(path) is not None)]
    names = (*METADATA, TABLE)
    return [folder / name for folder in folders for name in names if (folder / name).is_file()]


def _laid_out(root: Path, section: ImageFolderData) -> Listing:
    """What folders say: a folder a class, or masks beside images."""
    said = (section.split.file, *section.split.lists)
    files = list(image_files(root, [(root / path).resolve() for path in said if path]))
    if not files:
        hint = f"A folder a class, or images beside {METADATA[0]}, {TABLE} or masks/."
        raise DataError(Problem(str(root), "holds no images.", hint))
    samples, notes = _samples(root, [(file.image, file.split) for file in files])
    masks = [file.mask for file in files if file.mask is not None]
    words = [(file.label or "", str(file.image)) for file in files]
    labels: Labels = MaskLabels(section, masks) if masks else class_labels(section, words)
    return Listing(root, samples, labels, (_modality(section),), notes)


@dataclass(frozen=True)
class _Labelled:
    image: Path
    row: Row
    split: Split | None


def _tabled(root: Path, section: ImageFolderData, tables: Sequence[Path]) -> Listing:
    found = [one for table in tables for one in _rows(root, table)]
    if not found:
        raise DataError(Problem(str(tables[0]), "lists no images."))
    listed = {one.image for one in found}
    alone = [str(path.relative_to(root)) for path in _images(root) if path not in listed]
    if alone:
        what = f"{len(alone)} images have no row in {tables[0].name}: {shortened(alone)}."
        raise DataError(Problem(str(root), what))
    samples, notes = _samples(root, [(one.image, one.split) for one in found])
    labels = table_labels(section, [one.row for one in found], tables)
    return Listing(root, samples, labels, (_modality(section),), notes)


def _rows(root: Path, table: Path) -> Iterator[_Labelled]:
    """Each row with its image: a path below the table's folder or its ``images/``, or a stem."""
    stems: dict[str, Path] = {}
    for row in read_rows(table):
        if not is_inside(row.name):
            raise DataError(Problem(row.where, f"{row.name!r} is no path below {table.parent}."))
        places = (table.parent / row.name, table.parent / "images" / row.name)
        image = next((path for path in places if path.is_file()), None)
        if image is None:
            stems = stems or {path.stem: path for path in _images(table.parent)}
            image = stems.get(row.name)
        if image is None:
            raise DataError(Problem(row.where, f"there is no image {row.name!r}."))
        if image.suffix.lower() not in DRIVERS:
            what = f"names {row.name!r}; images end in {', '.join(DRIVERS)}."
            raise DataError(Problem(row.where, what))
        top = root / image.relative_to(root).parts[0]
        yield _Labelled(image, row, row.split or _split_of(top))


def _images(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in DRIVERS and path.is_file() and not path.name.startswith("."):
            yield path


def _samples(
    root: Path, files: Sequence[tuple[Path, Split | None]]
) -> tuple[list[FolderSample], tuple[str, ...]]:
    relative = [path.relative_to(root) for path, _ in files]
    names, notes = names_of_files(relative, str(root))
    return [
        FolderSample(name, ((path,),), split, frozenset(aliases_of(name, short)))
        for name, short, (path, split) in zip(names, relative, files, strict=True)
    ], notes


def _modality(section: ImageFolderData) -> Modality:
    return Modality("", "data", section.band_names, section.sensor, section.unit)


def _split_of(folder: Path) -> Split | None:
    return SPLIT_WORDS.get(folder.name.lower()) if folder.is_dir() else None

"""Reads a folder's samples as they are; the same for every way that a folder can be laid out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from iterate_core.data.dataset import SPLITS, DatasetInfo, Sample, Split
from iterate_core.data.folders.images import ImageReader
from iterate_core.data.folders.options import FolderData
from iterate_core.data.folders.samples import Listing
from iterate_core.data.folders.spelling import in_yaml
from iterate_core.data.folders.splits import divide, sizes_of
from iterate_core.errors import DataError, Problem
from iterate_core.fingerprint import fingerprint
from iterate_core.registry.marks import AfterReading, HowOnly, without
from iterate_core.storage.digests import hash_files


class FolderReader:
    """See `iterate_core.data.dataset.Reader`.

    Args:
        section: Of the recipe.
        listing: What the folder holds.

    Raises:
        RequestError: The recipe does not say what must be said.
        DataError: A file is damaged, or a split is empty.
    """

    info: DatasetInfo

    def __init__(self, section: FolderData, listing: Listing) -> None:
        self._section = section
        self._listing = listing
        self._indices = {sample.name: index for index, sample in enumerate(listing.samples)}
        with in_yaml():
            self._splits, notes = divide(listing, section.split)
            self._images = ImageReader(section, listing)
        first = self._images.first
        self.info = DatasetInfo(
            name=listing.root.resolve().name,
            task=listing.labels.task,
            classes=listing.labels.classes,
            bands=self._images.bands,
            sizes=sizes_of(self._splits),
            height=first.size[0],
            width=first.size[1],
            frames=self._images.frames,
            metres=first.metres,
            ignore_index=listing.labels.ignore_index,
            finer=listing.labels.finer,
            notes=(*listing.notes, *notes, *self._images.notes),
            crs=None if first.crs is None else first.crs.to_string(),
        )

    def names(self, split: Split) -> Sequence[str]:
        """The identifiers of a split's samples, in the folder's order."""
        pairs = zip(self._listing.samples, self._splits, strict=True)
        return [sample.name for sample, of in pairs if of == split]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        """One sample, its bands in the order asked for (names as in `info.bands`).

        Raises:
            DataError: A file of it is damaged, of another size, or holds what nothing explains.
        """
        index = self._indices.get(name)
        if index is None:
            raise DataError(Problem(str(self._listing.root), f"has no sample {name!r}."))
        with in_yaml():
            image = self._images.read(self._listing.samples[index], bands)
            target = self._listing.labels.read(index, image.first)
        return Sample(name, image.pixels, target, image.dates, image.first.place)

    def fingerprint(self) -> str:
        """16 hexadecimal digits fixed by the content of all files, the splits and the options."""
        root = self._listing.root
        used = {
            *(path for s in self._listing.samples for dates in s.images for path in dates),
            *self._listing.labels.files,
        }
        content = {
            "files": hash_files(root, sorted(os.path.relpath(path, root) for path in used)),
            "splits": {split: list(self.names(split)) for split in SPLITS},
            "options": without(self._section, HowOnly, AfterReading),
        }
        return fingerprint(content)


def existing_folder(root: Path) -> Path:
    """A dataset's folder.

    Raises:
        DataError: There is none.
    """
    found = root.expanduser()
    if not found.is_dir():
        raise DataError(Problem(str(found), "is no folder.", "Set data.root to the dataset's."))
    return found

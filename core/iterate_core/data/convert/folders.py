"""Samples from a folder of images: of classes, beside masks, or with a table of quantities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.convert.images import (
    band_names,
    ignored_of,
    nodata_of,
    read_image,
    read_mask,
)
from iterate_core.data.convert.listing import image_files
from iterate_core.data.convert.naming import aliases_of, names_of_files
from iterate_core.data.convert.source import (
    UNSAID,
    Wanted,
    check_ignore_option,
    check_ignored,
    class_names,
    present_labels,
    rarest_present,
    shortened,
    task_for,
)
from iterate_core.data.convert.tables import TABLE
from iterate_core.data.dataset import Split
from iterate_core.data.draws import quantity_strata
from iterate_core.data.target import Form
from iterate_core.errors import DataError, Problem


class FolderSource:
    """See `iterate_core.data.convert.source.SampleSource`.

    Raises:
        DataError: A file is unexpected, damaged, without its partner or of another size.
    """

    def __init__(self, root: Path, wanted: Wanted) -> None:
        self.where = str(root)
        self._root = root
        self._wanted = wanted
        split_file = Path(wanted.split).expanduser().resolve() if wanted.split else None
        self._files = list(image_files(root, () if split_file is None else (split_file,)))
        if not self._files:
            hint = f"It must hold a folder for each class, or images/ beside masks/ or {TABLE}."
            raise DataError(Problem(self.where, "holds no images.", hint))
        self.notes: tuple[str, ...] = ()
        self.form = self._form()
        self.task = task_for(wanted, self.form, "is laid out", self.where)
        check_ignore_option(wanted, self.form)
        self.names, self.aliases = self._sample_names()
        self.splits = self._splits()
        self.unit: str | None = None
        self.band_names = band_names(self._files[0].image)
        self._check_band_names()
        self.ignore_index = self._ignore_index()
        self.finer = 1
        self._labels: list[int] = []
        self.classes, self.strata = self._targets()

    def read(self, index: int) -> tuple[npt.NDArray[Any], Any]:
        """Image (bands, height, width) and target of one sample."""
        file = self._files[index]
        image = read_image(file.image)
        if file.values is not None:
            return image, np.array([file.values[name] for name in self.classes])
        if file.mask is None:
            return image, self._labels[index]
        mask = read_mask(file.mask)
        if mask.shape != image.shape[1:]:
            what = f"is {mask.shape} pixels, but {file.image.name} is {image.shape[1:]}."
            raise DataError(Problem(str(file.mask), what))
        return image, mask

    def origin(self, index: int) -> str:
        """The sample's image."""
        return str(self._files[index].image)

    def _sample_names(self) -> tuple[list[str], list[set[str]]]:
        relative = [file.image.relative_to(self._root) for file in self._files]
        names, self.notes = names_of_files(relative, self.where)
        return names, [aliases_of(*pair) for pair in zip(names, relative, strict=True)]

    def _splits(self) -> list[Split] | None:
        found = [file.split for file in self._files if file.split is not None]
        return found or None

    def _check_band_names(self) -> None:
        """All files must agree on the names, unless the request names the bands."""
        if self._wanted.bands is not None:
            return
        for file in self._files[1:]:
            names = band_names(file.image)
            if names != self.band_names:
                first = self._files[0].image.name
                here = f"names its bands {names}" if names else "does not name its bands"
                there = f"names them {self.band_names}" if self.band_names else "does not"
                what = f"{here}, but {first} {there}."
                hint = "Name the bands of all files with --bands."
                raise DataError(Problem(str(file.image), what, hint))

    def _ignore_index(self) -> int:
        if self._wanted.ignore_index is not None:
            self._ignored_is_said = True
            return self._wanted.ignore_index
        mask = self._files[0].mask
        nodata = ignored_of(mask) if mask is not None else None
        self._ignored_is_said = nodata is not None and float(nodata).is_integer()
        return int(nodata) if nodata is not None and self._ignored_is_said else UNSAID

    def nodata(self, index: int) -> float | None:
        """The nodata value of one image's file."""
        return nodata_of(self._files[index].image)

    def _form(self) -> Form:
        first = self._files[0]
        if first.values is not None:
            return "quantities"
        return "index" if first.mask is None else "mask"

    def _targets(self) -> tuple[tuple[str, ...], list[int]]:
        """The classes or quantities, and a value for each sample that splits keep in proportion."""
        if self.form == "quantities":
            return self._from_table()
        return self._from_masks() if self.form == "mask" else self._from_folders()

    def _from_table(self) -> tuple[tuple[str, ...], list[int]]:
        columns = [list(file.values or ()) for file in self._files]
        if any(other != columns[0] for other in columns):
            what = f"has tables {TABLE} of differing columns."
            raise DataError(Problem(self.where, what))
        names = self._wanted.classes or tuple(columns[0])
        unknown = [name for name in names if name not in columns[0]]
        if unknown or not names:
            what = f"has no column {unknown[0]!r}." if unknown else "has no column of quantities."
            raise DataError(Problem(str(self._root / TABLE), what, f"It has: {columns[0]}."))
        left = [name for name in columns[0] if name not in names]
        if left:
            self.notes = (*self.notes, f"columns not taken over: {', '.join(left)}")
        first = [file.values[names[0]] for file in self._files if file.values is not None]
        return tuple(names), quantity_strata(np.array(first))

    def _from_folders(self) -> tuple[tuple[str, ...], list[int]]:
        folders = sorted({file.label or "" for file in self._files})
        classes = self._wanted.classes or tuple(folders)
        unknown = [folder for folder in folders if folder not in classes]
        if unknown:
            what = f"has the folders {shortened(unknown)}, which no class is called."
            raise DataError(Problem(self.where, what, f"Classes: {', '.join(classes)}."))
        self._labels = [classes.index(file.label or "") for file in self._files]
        return classes, self._labels

    def _from_masks(self) -> tuple[tuple[str, ...], list[int]]:
        present: list[set[int]] = []
        holds_ignored = False
        for file in self._files:
            assert file.mask is not None  # noqa: S101 - the layout has a mask beside every image
            values = np.unique(read_mask(file.mask))
            present.append(present_labels(values, self.ignore_index, str(file.mask)))
            holds_ignored |= UNSAID in values
        everywhere = set().union(*present)
        if not self._ignored_is_said:
            check_ignored(self.where, everywhere, holds_ignored)
        classes = class_names(self.where, self._wanted.classes, None, everywhere, self.form)
        table = [[label in values for label in range(len(classes))] for values in present]
        return classes, rarest_present(np.array(table))

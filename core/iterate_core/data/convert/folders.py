"""Samples from a folder of images: a subfolder for each class, or images and masks side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.convert.images import (
    DRIVERS,
    LOSSY,
    band_names,
    ignored_of,
    nodata_of,
    read_image,
    read_numbers,
)
from iterate_core.data.convert.naming import renamed, usable
from iterate_core.data.convert.source import (
    SPLIT_WORDS,
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
from iterate_core.data.dataset import Split
from iterate_core.data.target import Form
from iterate_core.errors import DataError, Problem
from iterate_core.escaping import visible

# Files that accompany an image, and papers that accompany a dataset: no samples.
_SIDECARS = (".aux.xml", ".tfw", ".tifw", ".pgw", ".pngw", ".jgw", ".jpgw", ".wld", ".ovr", ".prj")
_PAPERS = ("readme", "license", "licence", "citation", "copying")


@dataclass(frozen=True)
class _File:
    image: Path
    mask: Path | None
    label: str | None
    split: Split | None


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
        self._files = list(_find(root, split_file))
        if not self._files:
            hint = "It must hold a folder for each class, or images/ and masks/."
            raise DataError(Problem(self.where, "holds no images.", hint))
        self.notes: tuple[str, ...] = ()
        self.form: Form = "index" if self._files[0].mask is None else "mask"
        self.task = task_for(wanted, self.form, "is laid out", self.where)
        check_ignore_option(wanted, self.form)
        self.names, self.aliases = self._sample_names()
        self.splits = self._splits()
        self.unit: str | None = None
        self.band_names = band_names(self._files[0].image)
        self._check_band_names()
        self.ignore_index = self._ignore_index()
        self._labels: list[int] = []
        self.classes, self.strata = (
            self._from_masks() if self.form == "mask" else self._from_folders()
        )

    def read(self, index: int) -> tuple[npt.NDArray[Any], Any]:
        """Image (bands, height, width) and target of one sample."""
        file = self._files[index]
        image = read_image(file.image)
        if file.mask is None:
            return image, self._labels[index]
        mask = self._read_mask(file.mask)
        if mask.shape != image.shape[1:]:
            what = f"is {mask.shape} pixels, but {file.image.name} is {image.shape[1:]}."
            raise DataError(Problem(str(file.mask), what))
        return image, mask

    def origin(self, index: int) -> str:
        """The sample's image."""
        return str(self._files[index].image)

    def _sample_names(self) -> tuple[list[str], list[set[str]]]:
        """Stems where they are distinct, else paths with '-' between their parts."""
        relative = [file.image.relative_to(self._root) for file in self._files]
        given = [path.stem for path in relative]
        if usable(given) is None:
            given = ["-".join(path.with_suffix("").parts) for path in relative]
        names = [visible(name) for name in given]
        seen: dict[str, Path] = {}
        for name, path in zip(names, relative, strict=True):
            if name in seen:
                what = f"{seen[name]} and {path} would both be sample {name!r}."
                raise DataError(Problem(self.where, what))
            seen[name] = path
        self.notes = renamed(given, names)
        pairs = zip(names, relative, strict=True)
        return names, [{name, path.as_posix(), path.name} for name, path in pairs]

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
            values = np.unique(self._read_mask(file.mask))
            present.append(present_labels(values, self.ignore_index, str(file.mask)))
            holds_ignored |= UNSAID in values
        everywhere = set().union(*present)
        if not self._ignored_is_said:
            check_ignored(self.where, everywhere, holds_ignored)
        classes = class_names(self.where, self._wanted.classes, None, everywhere, self.form)
        table = [[label in values for label in range(len(classes))] for values in present]
        return classes, rarest_present(np.array(table))

    def _read_mask(self, path: Path) -> npt.NDArray[Any]:
        if path.suffix.lower() in LOSSY:
            what = "is a JPEG, whose compression changes the labels."
            raise DataError(Problem(str(path), what, "Use PNG or GeoTIFF for masks."))
        mask = read_numbers(path)
        if len(mask) != 1 or mask.dtype.kind not in "ui":
            what = f"must have one band of whole numbers, but has {len(mask)} of {mask.dtype}."
            raise DataError(Problem(str(path), what))
        plane: npt.NDArray[Any] = mask[0]
        return plane


def _find(root: Path, split_file: Path | None) -> Iterable[_File]:
    """Every sample below `root`; every other file is an error."""
    folders, files = _listing(root)
    stray = [
        path
        for path in files
        if path.resolve() != split_file and not path.name.lower().startswith(_PAPERS)
    ]
    _refuse(root, stray)
    words = {folder.name.lower() for folder in folders}
    if words and words <= SPLIT_WORDS.keys():
        for folder in folders:
            inner, loose = _listing(folder)
            _refuse(folder, loose)
            yield from _samples(folder, inner, SPLIT_WORDS[folder.name.lower()])
    else:
        yield from _samples(root, folders, None)


def _samples(root: Path, folders: list[Path], split: Split | None) -> Iterable[_File]:
    names = {folder.name for folder in folders}
    if names == {"images", "masks"}:
        yield from _pairs(root, split)
        return
    if names & {"images", "masks"}:
        what = (
            f"must hold images/ and masks/ and nothing else, but holds {shortened(sorted(names))}."
        )
        raise DataError(Problem(str(root), what))
    for folder in folders:
        for path in _images(folder):
            yield _File(path, None, folder.name, split)


def _pairs(root: Path, split: Split | None) -> Iterable[_File]:
    images = _by_stem(root / "images")
    masks = _by_stem(root / "masks")
    problems = []
    for one, other, kind in ((images, masks, "mask"), (masks, images, "image")):
        alone = [str(path.relative_to(root)) for stem, path in one.items() if stem not in other]
        if alone:
            what = f"{len(alone)} files have no {kind} of the same stem: {shortened(alone)}."
            problems.append(Problem(str(root), what))
    if problems:
        raise DataError(problems)
    for stem, path in images.items():
        yield _File(path, masks[stem], None, split)


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in _images(folder):
        if path.stem in found:
            what = f"holds both {found[path.stem].name} and {path.name}."
            raise DataError(Problem(str(folder), what, "Stems must be distinct."))
        found[path.stem] = path
    return found


def _images(folder: Path) -> list[Path]:
    inner, files = _listing(folder)
    unexpected = [*inner, *(path for path in files if path.suffix.lower() not in DRIVERS)]
    _refuse(folder, unexpected)
    if not files:
        raise DataError(Problem(str(folder), "holds no images."))
    return files


def _listing(folder: Path) -> tuple[list[Path], list[Path]]:
    """Folders and files, sorted, without hidden ones and images' sidecars."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(Problem(str(folder), f"cannot be read ({error.strerror}).")) from None
    seen = [
        path
        for path in entries
        if not path.name.startswith(".") and not path.name.lower().endswith(_SIDECARS)
    ]
    return [path for path in seen if path.is_dir()], [path for path in seen if not path.is_dir()]


def _refuse(folder: Path, unexpected: list[Path]) -> None:
    if unexpected:
        names = shortened([path.name for path in unexpected])
        what = f"{len(unexpected)} entries are neither images nor expected here: {names}."
        hint = f"Images end in {', '.join(DRIVERS)}; move anything else away."
        raise DataError(Problem(str(folder), what, hint))

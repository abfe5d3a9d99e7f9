"""Writer of GeoBench v1 folders, whole or not at all.

Beside the original format's files it writes `dataset.json`, which says in plain text what the
original says in `task_specs.pkl`. The pickled attribute of each sample holds plain types only.
"""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import SPLITS, Band, Split
from iterate_core.data.geobench_v1.declaration import DRAWN, FORMS
from iterate_core.data.geobench_v1.sample import MASK
from iterate_core.data.geobench_v1.summaries import band_statistics, partitions
from iterate_core.data.store.pixels import check_pixels
from iterate_core.data.target import target_class
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.storage.files import write_json
from iterate_core.storage.names import is_file_name


@dataclass(frozen=True)
class NewDataset:
    """What a dataset to be written declares; attributes as in `DatasetInfo`."""

    name: str
    task: str
    classes: tuple[str, ...]
    bands: tuple[Band, ...]
    ignore_index: int = 255
    licence: str | None = None
    source: str | None = None
    notes: tuple[str, ...] = ()
    unit: str | None = None
    finer: int = 1


@dataclass
class _Written:
    """What is remembered of the samples for the files that summarise them."""

    splits: dict[Split, list[str]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    contents: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)


@contextmanager
def writing(out: Path, dataset: NewDataset, seed: int = 0) -> Iterator[GeoBenchV1Writer]:
    """Write a folder through the yielded writer; it appears as `out` once all went well.

    Args:
        out: The folder to make; it must not exist, or be empty.
        dataset: What to declare.
        seed: Fixes which samples the smaller training partitions hold.

    Raises:
        RequestError: `out` is taken or cannot be written, or the declaration is unfit.
        DataError: A sample is unfit, or a split is empty.
    """
    out = out.expanduser().absolute()
    _check_declaration(dataset)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        what = "exists already and is not an empty folder."
        raise RequestError(Problem(str(out), what, "Name a new folder."))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".part"))
    except OSError as error:
        raise RequestError(Problem(str(out), f"cannot be written ({error.strerror}).")) from None
    try:
        writer = GeoBenchV1Writer(part, dataset)
        yield writer
        writer.finish(seed)
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o777 & ~umask)
        try:
            part.rename(out)
        except OSError as error:
            what = f"was made by another process meanwhile ({error.strerror})."
            raise RequestError(Problem(str(out), what)) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


class GeoBenchV1Writer:
    """Adds samples to a folder; made by `writing`."""

    def __init__(self, folder: Path, dataset: NewDataset) -> None:
        self._folder = folder
        self._dataset = dataset
        self._form = target_class(dataset.task).form
        self._written = _Written()
        self._first: tuple[str, tuple[int, ...], np.dtype[Any]] | None = None

    def add(self, split: Split, name: str, image: npt.NDArray[Any], target: Any) -> None:
        """Write one sample.

        Args:
            split: The split it belongs to.
            name: Its identifier, which names its file.
            image: (bands, height, width), in the order of the declared bands.
            target: A class index, a (height, width) integer mask, a multi-hot vector, numbers, or
                (quantities, height, width) of them on a finer grid (NaN: unknown).

        Raises:
            DataError: The sample does not fit the declaration or the samples before it.
        """
        where = f"sample {name}"
        if not is_file_name(name) or name in self._written.contents:
            what = "is written already." if name in self._written.contents else "is no file name."
            raise DataError(Problem(where, what))
        self._check_image(where, name, image)
        content = self._content(where, image.shape[1:], target)
        # HDF5 1.10's layout and one summed chunk a band: a damaged byte is found when it is read.
        with h5py.File(self._folder / f"{name}.hdf5", "w", libver=("v110", "v110")) as file:
            for band, pixels in zip(self._dataset.bands, image, strict=True):
                _store(file, band.name, pixels)
            if self._form in DRAWN:
                _store(file, MASK, np.asarray(target))
            file.attrs["pickle"] = str(pickle.dumps(self._attributes(target), protocol=4))
        self._written.contents[name] = content
        self._written.splits[split].append(name)

    def note(self, text: str) -> None:
        """Add to the dataset's notes what is known only now."""
        self._dataset = replace(self._dataset, notes=(*self._dataset.notes, text))

    def finish(self, seed: int) -> None:
        """Write the files that declare and summarise the samples.

        Raises:
            DataError: A split is empty.
        """
        for split, names in self._written.splits.items():
            if not names:
                what = f"the {split} split has no samples."
                raise DataError(Problem(self._dataset.name, what, "Every split needs one."))
        self._write_declaration()
        self._write_label_files()
        keys = [band.name for band in self._dataset.bands]
        if self._form == "mask":
            keys.append(MASK)
        train = self._written.splits["train"]
        statistics = band_statistics([self._folder / f"{name}.hdf5" for name in train], keys)
        write_json(self._folder / "band_stats.json", statistics)
        contents = np.stack([self._written.contents[name] for name in train])
        present = np.isfinite(contents) if self._form == "quantities" else contents > 0
        for file, listed in partitions(self._written.splits, present, seed).items():
            write_json(self._folder / file, listed)

    def _check_image(self, where: str, name: str, image: npt.NDArray[Any]) -> None:
        bands = len(self._dataset.bands)
        if image.ndim != 3 or len(image) != bands or 0 in image.shape:
            what = f"must be ({bands} bands, height, width), but is {image.shape}."
            raise DataError(Problem(where, what))
        if image.dtype.kind not in "uif":
            raise DataError(Problem(where, f"holds pixels of type {image.dtype}, not numbers."))
        check_pixels(image, where)
        if self._first is None:
            self._first = (name, image.shape, image.dtype)
        if (image.shape, image.dtype) != self._first[1:]:
            first, shape, dtype = self._first
            what = f"is {image.dtype} {image.shape}, but {first!r} is {dtype} {shape}."
            hint = "All samples of a dataset have one size and type: see the option tile."
            raise DataError(Problem(where, what, hint))

    def _content(self, where: str, shape: tuple[int, ...], target: Any) -> npt.NDArray[np.float64]:
        """The share of each class in a sample, its quantities, or of maps the share that is known.

        It refuses what does not fit.

        Returns:
            (classes,).
        """
        count = len(self._dataset.classes)
        labels = np.asarray(target)
        wanted = self._shape_of_target(shape)
        numbers = self._form in ("quantities", "maps")
        kinds, number = ("uif", "number") if numbers else ("uib", "whole number")
        if labels.shape != wanted or labels.dtype.kind not in kinds:
            what = f"has a target of type {labels.dtype} and shape {labels.shape}, which must be "
            raise DataError(Problem(where, f"{what}a {number} or array of shape {wanted}."))
        if numbers:
            if np.isinf(labels).any():
                raise DataError(Problem(where, "has an infinite value.", "Unknown ones are NaN."))
            if self._form == "maps":
                return np.asarray((~np.isnan(labels)).mean(axis=(1, 2)))
            return labels.astype(np.float64)
        if self._form == "indicators":
            if not np.isin(labels, (0, 1)).all():
                raise DataError(Problem(where, "has a multi-hot target of other than 0 and 1."))
            return labels.astype(np.float64)
        valid = labels.ravel()
        if self._form == "mask":
            valid = valid[valid != self._dataset.ignore_index]
        if ((valid < 0) | (valid >= count)).any():
            wrong = np.unique(valid[(valid < 0) | (valid >= count)])[:5].tolist()
            raise DataError(
                Problem(where, f"has the labels {wrong}, but there are {count} classes.")
            )
        return np.bincount(valid.astype(np.int64), minlength=count) / max(labels.size, 1)

    def _shape_of_target(self, size: tuple[int, ...]) -> tuple[int, ...]:
        count, finer = len(self._dataset.classes), self._dataset.finer
        if self._form == "maps":
            return (count, size[0] * finer, size[1] * finer)
        vector = self._form in ("indicators", "quantities")
        return size if self._form == "mask" else (count,) if vector else ()

    def _attributes(self, target: Any) -> dict[str, Any]:
        """The pickled attribute: the original's keys, with plain types for its classes."""
        found: dict[str, Any] = {band.name: _entry(asdict(band)) for band in self._dataset.bands}
        order = [band.name for band in self._dataset.bands]
        if self._form in DRAWN:
            classes = self._dataset.classes
            found[MASK] = _entry({"n_classes": len(classes), "class_names": list(classes)})
            order.append(MASK)
        elif self._form == "indicators":
            found[MASK] = [int(value) for value in target]
        elif self._form == "quantities":
            found[MASK] = [float(value) for value in target]
        else:
            found[MASK] = int(target)
        return {**found, "bands_order": order}

    def _write_declaration(self) -> None:
        declared = asdict(self._dataset)
        for name, unsaid in (("unit", None), ("finer", 1)):  # most datasets have neither
            if declared[name] == unsaid:
                del declared[name]
        write_json(
            self._folder / "dataset.json", {"format": "geobench_v1", "version": 1, **declared}
        )

    def _write_label_files(self) -> None:
        contents = self._written.contents
        if self._form == "index":
            members: dict[str, list[str]] = {
                str(index): [] for index in range(len(self._dataset.classes))
            }
            for name, content in contents.items():
                members[str(int(content.argmax()))].append(name)
            write_json(self._folder / "label_map.json", members)
        stats = {
            name: [None if np.isnan(value) else value for value in content.tolist()]
            for name, content in contents.items()
        }
        write_json(self._folder / "label_stats.json", stats)


def _store(file: h5py.File, key: str, pixels: npt.NDArray[Any]) -> None:
    file.create_dataset(key, data=pixels, chunks=pixels.shape, fletcher32=True)


def _entry(info: dict[str, Any]) -> dict[str, Any]:
    return {
        "date": None,
        "date_id": None,
        "spatial_resolution": None,
        "band_info": info,
        "meta_info": None,
    }


def _check_declaration(dataset: NewDataset) -> None:
    problems = []
    names = [band.name for band in dataset.bands]
    for name in names:
        if not name or name == MASK or "/" in name or "\x00" in name or name == ".":
            hint = "It must be text without '/', other than 'label'."
            problems.append(Problem("bands", f"{name!r} cannot name a band.", hint))
    if len(set(names)) != len(names) or not names:
        problems.append(Problem("bands", f"must be distinct and at least one, but are {names}."))
    if len(set(dataset.classes)) != len(dataset.classes) or not dataset.classes:
        what = f"must be distinct and at least one, but are {list(dataset.classes)}."
        problems.append(Problem("classes", what))
    form = target_class(dataset.task).form
    if form not in FORMS:
        problems.append(Problem("task", f"{dataset.task!r} cannot be written."))
    if form == "mask" and 0 <= dataset.ignore_index < len(dataset.classes):
        what = f"{dataset.ignore_index} is the index of {dataset.classes[dataset.ignore_index]!r}."
        problems.append(Problem("ignore_index", what))
    if problems:
        raise RequestError(problems)

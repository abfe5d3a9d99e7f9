"""Reader of GeoBench v1 folders: one HDF5 file a sample, bands by name.

Format: Lacoste et al., "GEO-Bench: Toward Foundation Models for Earth Monitoring", 2023
(arXiv 2306.03831). Nothing of a pickle is run, and no other package is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from iterate_core.data.block_options import PlaceSplits
from iterate_core.data.dataset import SPLITS, DatasetInfo, Sample, Split
from iterate_core.data.geobench_v1.dates import dates_of, place_of
from iterate_core.data.geobench_v1.declaration import (
    DATASET_FILE,
    Declaration,
    Given,
    declare,
    read_json_mapping,
    sample_names,
)
from iterate_core.data.geobench_v1.places import places_of
from iterate_core.data.geobench_v1.sample import (
    MASK,
    attributes,
    open_sample,
    read_header,
    read_maps,
    read_mask,
    read_pixels,
)
from iterate_core.data.options import DataSection
from iterate_core.data.places import split_by_place
from iterate_core.errors import DataError, Problem
from iterate_core.fingerprint import fingerprint
from iterate_core.registry.marks import AddedLater, AfterReading, HowOnly, without
from iterate_core.registry.options import FieldError
from iterate_core.storage.digests import hash_files

SUFFIX = ".hdf5"
_SPLIT_IN_FILE: dict[Split, str] = {"train": "train", "val": "valid", "test": "test"}
_DECLARING_FILES = (DATASET_FILE, "task_specs.pkl", "band_stats.json", "label_stats.json",
                    "label_map.json")  # fmt: skip

Partition = Literal["default", "0.01x", "0.02x", "0.05x", "0.10x", "0.20x", "0.50x", "1.00x"]


class GeoBenchV1Data(DataSection):
    """A dataset in GeoBench v1 format.

    Attributes:
        root: The folder of one dataset.
        partition: Which share of the training samples to use; validation and test stay the same.
        compat: Reproduce the known defects of published datasets instead of correcting them.
        task: What the task is, for folders whose files do not say.
        classes: Class names in the order of their indices, for folders whose files do not say.
        ignore_index: The mask value that does not count, where the files do not say; 255 else.
        split: Splits drawn anew by blocks of ground, where samples have places.
    """

    name: Literal["geobench_v1"] = "geobench_v1"
    root: Annotated[Path, HowOnly]
    partition: Partition = "default"
    compat: bool = False
    task: Literal["classification", "segmentation", "multilabel"] | None = None
    classes: tuple[str, ...] | None = None
    ignore_index: int | None = None
    split: Annotated[PlaceSplits, AddedLater] = PlaceSplits()

    @model_validator(mode="after")
    def _partition_is_of_the_published_split(self) -> GeoBenchV1Data:
        if self.split.block_metres is not None and self.partition != "default":
            what = "is a share of the published training samples, but data.split draws others"
            raise FieldError("partition", f"{what}: say data.share")
        return self

    @classmethod
    def shipped_share(cls, root: Path, share: float) -> dict[str, Any]:
        """The partition of that share, if the folder has its file."""
        partition = f"{share:.2f}x"
        known = float(partition[:-1]) == share and partition in get_args(Partition)
        there = known and (root / _partition_file(partition)).is_file()
        return {"partition": partition} if there else {}


class GeoBenchV1:
    """Reads a folder in GeoBench v1 format; see `iterate_core.data.dataset.Reader`.

    Opening reads the JSON files, the folder's listing and one sample's header.

    Raises:
        DataError: The folder or a file of it is absent, truncated, foreign or unsafe.
    """

    info: DatasetInfo

    def __init__(self, section: GeoBenchV1Data) -> None:
        self._section = section
        self._root = section.root.expanduser()
        if not self._root.is_dir():
            hint = "Set data.root to the folder that holds the samples."
            raise DataError(Problem(str(self._root), "is not a folder of a dataset.", hint))
        self._partition = self._root / _partition_file(section.partition)
        self._names = self._read_partition()
        self._check_files()
        header = read_header(self._path(self._names["train"][0]))
        given = Given(section.task, section.classes, section.ignore_index, section.compat)
        self._declared = declare(self._root, header, given)
        self._shape = (header.height, header.width)
        self._label_stats = self._multilabel_targets()
        drawn: tuple[str, ...] = ()
        if section.split.block_metres is not None:
            apart, drawn = self._by_blocks(section.split)
            self._names = {**apart}
        self.info = self._describe(self._declared, drawn)

    def names(self, split: Split) -> Sequence[str]:
        """The identifiers of a split's samples, in the partition file's order."""
        return self._names[split]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        """One sample, its bands in the order asked for (names as in `info.bands`).

        Raises:
            DataError: The sample is damaged, lacks a band or its label, or the label is not one
                of the dataset's classes.
        """
        path = self._path(name)
        keys = [self._key(band) for band in bands]
        with open_sample(path) as file:
            image = read_pixels(file, path, keys, self._shape)
            details = attributes(file, path)
            dates, place = dates_of(details, file), place_of(details, *self._shape)
            target: int | npt.NDArray[Any]
            if self._declared.form == "mask":
                target = self._checked_mask(read_mask(file, path, self._shape), path)
            elif self._declared.form == "maps":
                target = read_maps(file, path)
            else:
                target = self._target(name, details.get(MASK), path)
        return Sample(name, image, target, dates, place)

    def fingerprint(self) -> str:
        """16 hexadecimal digits fixed by the content of the chosen partition's files."""
        names = {f"{name}{SUFFIX}" for split in SPLITS for name in self._names[split]}
        names |= {name for name in _DECLARING_FILES if (self._root / name).exists()}
        names.add(self._partition.name)
        options = without(self._section, HowOnly, AfterReading)
        content = {"files": hash_files(self._root, sorted(names)), "options": options}
        if self._section.split.block_metres is not None:
            # Samples that are not used have their say in the draw.
            content["splits"] = {split: list(self._names[split]) for split in SPLITS}
        return fingerprint(content)

    def _path(self, name: str) -> Path:
        return self._root / f"{name}{SUFFIX}"

    def _key(self, band: str) -> str:
        if band not in self._declared.keys:
            hint = f"Available: {', '.join(self._declared.keys)}."
            raise DataError(Problem(str(self._root), f"has no band {band!r}.", hint))
        return self._declared.keys[band]

    def _read_partition(self) -> dict[Split, Sequence[str]]:
        if not self._partition.exists():
            found = sorted(path.name for path in self._root.glob("*_partition.json"))
            hint = f"There are: {', '.join(found)}." if found else "It must list the samples."
            raise DataError(Problem(str(self._partition), "does not exist.", hint))
        partition = read_json_mapping(self._partition)
        names = {
            split: sample_names(partition, word, self._partition)
            for split, word in _SPLIT_IN_FILE.items()
        }
        for split, listed in names.items():
            if not listed:
                what = f"split {_SPLIT_IN_FILE[split]!r} lists no samples."
                raise DataError(Problem(str(self._partition), what))
        return names

    def _check_files(self) -> None:
        there = {path.name for path in self._root.iterdir()}
        listed = dict.fromkeys(name for split in SPLITS for name in self._names[split])
        missing = [name for name in listed if f"{name}{SUFFIX}" not in there]
        if missing:
            what = f"{len(missing)} of {len(listed)} samples have no file, such as "
            hint = f"{self._partition.name} lists them."
            raise DataError(Problem(str(self._root), f"{what}{missing[0]}{SUFFIX}.", hint))

    def _by_blocks(
        self, asked: PlaceSplits
    ) -> tuple[dict[Split, tuple[str, ...]], tuple[str, ...]]:
        files = {name: f"{name}{SUFFIX}" for split in SPLITS for name in self._names[split]}
        places = places_of(self._root, files, self._shape)
        metres = self._declared.metres
        diameter = None if metres is None else metres * math.hypot(*self._shape)
        return split_by_place(self._names, places, asked, diameter, str(self._root))

    def _describe(self, declared: Declaration, drawn: tuple[str, ...]) -> DatasetInfo:
        return DatasetInfo(
            name=declared.name,
            task=declared.task,
            classes=declared.classes,
            bands=declared.bands,
            sizes={split: len(self._names[split]) for split in SPLITS},
            height=self._shape[0],
            width=self._shape[1],
            metres=declared.metres,
            ignore_index=declared.ignore_index,
            notes=(*declared.notes, *_shared_samples(self._names), *drawn),
            licence=declared.licence,
            source=declared.source,
            unit=declared.unit,
            finer=declared.finer,
        )

    def _multilabel_targets(self) -> dict[str, Any]:
        """Multi-hot vectors by sample, where a JSON file and not the samples holds them."""
        if self._declared.form != "indicators":
            return {}
        return read_json_mapping(self._root / "label_stats.json", absent={})

    def _target(self, name: str, label: Any, path: Path) -> int | npt.NDArray[Any]:
        count = len(self._declared.classes)
        if self._declared.form == "quantities":
            return _numbers(label, count, path)
        if self._declared.form == "indicators":
            found = label if label is not None else self._label_stats.get(name)
            return _multi_hot(found, count, path)
        if isinstance(label, np.ndarray) and label.size == 1:
            label = label.item()
        if isinstance(label, bool) or not isinstance(label, int | np.integer):
            what = "has no label." if label is None else f"has the label {label!r}."
            raise DataError(Problem(str(path), what, f"It must be a number below {count}."))
        if not 0 <= label < count:
            what = f"has the label {label}, but there are {count} classes."
            raise DataError(Problem(str(path), what))
        return int(label)

    def _checked_mask(
        self, mask: npt.NDArray[np.integer[Any]], path: Path
    ) -> npt.NDArray[np.integer[Any]]:
        count, ignored = len(self._declared.classes), self._declared.ignore_index
        wrong = ((mask < 0) | (mask >= count)) & (mask != ignored)
        if wrong.any():
            values = np.unique(mask[wrong])[:5].tolist()
            what = f"has the mask values {values}, but there are {count} classes"
            raise DataError(Problem(str(path), f"{what} and {ignored} is ignored."))
        return mask


def _partition_file(partition: str) -> str:
    end = "partition.json" if partition == "default" else "train_partition.json"
    return f"{partition}_{end}"


def _multi_hot(found: Any, count: int, path: Path) -> npt.NDArray[np.uint8]:
    try:
        vector = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        vector = np.empty(0)
    if vector.shape != (count,) or not np.isin(vector, (0.0, 1.0)).all():
        what = f"must have a label of {count} zeros and ones, but has {found!r}."
        raise DataError(Problem(str(path), what))
    return vector.astype(np.uint8)


def _numbers(found: Any, count: int, path: Path) -> npt.NDArray[np.float64]:
    try:
        vector = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        vector = np.empty(0)
    if vector.shape != (count,):
        what = f"must have a label of {count} numbers, but has {found!r}."
        raise DataError(Problem(str(path), what))
    return vector


def _shared_samples(names: dict[Split, Sequence[str]]) -> tuple[str, ...]:
    """A sample in two splits makes a score too good; people are told."""
    notes = []
    for first, second in (("train", "val"), ("train", "test"), ("val", "test")):
        shared = len(set(names[first]) & set(names[second]))  # type: ignore[index]
        if shared:
            notes.append(f"{first} and {second} share {shared} samples")
    return tuple(notes)

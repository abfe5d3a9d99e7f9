"""What a GeoBench v1 folder declares: its task, classes and bands, from whichever file says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from iterate_core.data.bands import describe
from iterate_core.data.dataset import Band
from iterate_core.data.geobench_v1 import unpickle
from iterate_core.data.geobench_v1.defects import correct, statistic
from iterate_core.data.geobench_v1.known import Known, find, recorder, unit_of
from iterate_core.data.geobench_v1.sample import Header, metres_of
from iterate_core.data.target import Form, target_class
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.registry import registries
from iterate_core.registry.options import Section
from iterate_core.registry.parsing import parse
from iterate_core.storage.limits import MOST_CLASSES, check_plain_file
from iterate_core.storage.names import is_file_name

DATASET_FILE = "dataset.json"
_MOST_DIGITS = 9  # of a class's number
TASKS = ("classification", "segmentation", "multilabel")
"""The tasks of the published datasets."""

FORMS: tuple[Form, ...] = ("index", "mask", "indicators", "quantities", "maps")
"""The forms of target that the format holds, of whatever task."""

DRAWN: tuple[Form, ...] = ("mask", "maps")
"""Those that are arrays beside a sample's bands."""


class BandEntry(Section):
    """A band as `dataset.json` declares it; see `Band`."""

    name: str
    common: str | None = None
    wavelength: float | None = None
    unit: str = "unknown"
    sensor: str | None = None


class DatasetFile(Section):
    """The `dataset.json` that this project's writer adds to a GeoBench v1 folder."""

    format: str
    version: int
    name: str
    task: str
    classes: tuple[str, ...]
    bands: tuple[BandEntry, ...]
    ignore_index: int = 255
    licence: str | None = None
    source: str | None = None
    notes: tuple[str, ...] = ()
    unit: str | None = None
    finer: Annotated[int, Field(ge=1)] = 1


@dataclass(frozen=True)
class Declaration:
    """What a folder's files say together; attributes as in `DatasetInfo`.

    Attributes:
        keys: Band name → the name under which the sample files hold it.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    bands: tuple[Band, ...]
    keys: dict[str, str]
    ignore_index: int = 255
    notes: tuple[str, ...] = ()
    licence: str | None = None
    source: str | None = None
    metres: float | None = None
    unit: str | None = None
    finer: int = 1

    @property
    def form(self) -> Form:
        """What the task's targets are."""
        return target_class(self.task).form


@dataclass(frozen=True)
class Given:
    """What the request says for folders whose files do not."""

    task: str | None = None
    classes: tuple[str, ...] | None = None
    ignore_index: int | None = None
    compat: bool = False


def declare(root: Path, header: Header, given: Given) -> Declaration:
    """Work out a folder's declaration.

    Args:
        root: The dataset's folder.
        header: The header of one of its samples.
        given: What the request says; it wins over the original files, not over `dataset.json`.

    Raises:
        DataError: The files contradict each other or the request, or do not say enough.
    """
    statistics = read_json_mapping(root / "band_stats.json", absent={})
    if (root / DATASET_FILE).exists():
        declared = _from_dataset_file(root)
    else:
        declared = _from_original_files(root, header, given)
        known = find(root.name, declared.name)
        if known is not None:
            declared = _known(declared, root, known, given.compat)
        declared = _with_bands(declared, header, statistics, known, given.compat)
    _agree(root, declared, given)
    if given.ignore_index is not None:
        declared = replace(declared, ignore_index=given.ignore_index)
    return declared


def read_json_mapping(path: Path, absent: dict[str, Any] | None = None) -> dict[str, Any]:
    """A JSON file that holds a mapping.

    Raises:
        DataError: It is absent (unless `absent` says what then), damaged, or no mapping.
    """
    check_plain_file(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if absent is not None:
            return absent
        raise DataError(Problem(str(path), "does not exist.")) from None
    except OSError as error:
        raise DataError(Problem(str(path), f"cannot be read ({error.strerror}).")) from None
    except (ValueError, RecursionError) as error:
        raise DataError(Problem(str(path), f"is not valid JSON ({error}).")) from None
    if not isinstance(found, dict):
        what = f"must hold a JSON mapping, but holds a {type(found).__name__}."
        raise DataError(Problem(str(path), what))
    return found


def _from_dataset_file(root: Path) -> Declaration:
    path = root / DATASET_FILE
    try:
        file = parse(DatasetFile, read_json_mapping(path))
    except DataError:
        raise
    except RequestError as error:
        problems = [Problem(f"{path}: {p.where}", p.what, p.hint) for p in error.problems]
        raise DataError(problems) from None
    if (file.format, file.version) != ("geobench_v1", 1):
        what = f"declares format {file.format!r} version {file.version}."
        raise DataError(Problem(str(path), what, "This reader knows geobench_v1 version 1."))
    if target_class(file.task).form not in FORMS:
        what = f"declares the task {file.task!r}."
        known = [task for task in registries.tasks.names() if target_class(task).form in FORMS]
        raise DataError(Problem(str(path), what, f"Known: {', '.join(known)}."))
    bands = tuple(Band(**entry.model_dump()) for entry in file.bands)
    return Declaration(
        name=file.name,
        task=file.task,
        classes=file.classes,
        bands=bands,
        keys={band.name: band.name for band in bands},
        ignore_index=file.ignore_index,
        notes=file.notes,
        licence=file.licence,
        source=file.source,
        unit=file.unit,
        finer=file.finer,
    )


def _from_original_files(root: Path, header: Header, given: Given) -> Declaration:
    """Name, task and classes from `task_specs.pkl`, the sample's header and the label files."""
    specs = _task_specs(root)
    name = specs.get("dataset_name") if specs else None
    label_type = specs.get("label_type") if specs else None
    task = _task_of(label_type, root) or _task_of_header(header) or given.task
    if task is None:
        what = "no file says what the task is."
        raise DataError(Problem(str(root), what, f"Set data.task: {', '.join(TASKS)}."))
    classes = _classes(label_type, header)
    if classes is None:
        classes = given.classes or _classes_in_label_files(root, task)
    elif given.classes is not None and len(given.classes) == len(classes):
        classes = given.classes
    if classes is None:
        what = "no file says how many classes there are."
        raise DataError(Problem(str(root), what, "List their names in data.classes."))
    name = name if isinstance(name, str) else root.name
    metres = metres_of(specs) or header.metres
    return Declaration(name, task, classes, (), {}, metres=metres)


def _known(declared: Declaration, root: Path, known: Known, compat: bool) -> Declaration:
    """With the benchmark's name where the folder bears it, and the true size of a pixel."""
    metres, notes = declared.metres or known.metres, declared.notes
    if metres == known.wrong_metres and compat:
        notes = (*notes, f"compat: the published files say {metres:g} m a pixel")
    elif metres == known.wrong_metres:
        note = f"a pixel is {known.metres:g} m: the published files say {metres:g} m"
        metres, notes = known.metres, (*notes, f"{note} (compat: true keeps that)")
    named = root.name.casefold() == known.name.casefold()
    name = known.name if named else declared.name
    return replace(declared, name=name, metres=metres, notes=notes)


def _task_specs(root: Path) -> unpickle.Record | None:
    path = root / "task_specs.pkl"
    check_plain_file(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(Problem(str(path), f"cannot be read ({error.strerror}).")) from None
    specs = unpickle.load(raw, str(path))
    if not isinstance(specs, unpickle.Record):
        what = f"must hold task specifications, but holds a {type(specs).__name__}."
        raise DataError(Problem(str(path), what))
    return specs


def _task_of(label_type: Any, root: Path) -> str | None:
    """The task that an original label class stands for; None where none is declared."""
    if not isinstance(label_type, unpickle.Record):
        return None
    kind = type(label_type).__name__
    if "segmentation" in kind.lower():
        return "segmentation"
    known = {"Classification": "classification", "MultiLabelClassification": "multilabel"}
    if kind not in known:
        where = str(root / "task_specs.pkl")
        raise DataError(Problem(where, f"declares a label of type {kind!r}.", f"Known: {known}."))
    return known[kind]


def _task_of_header(header: Header) -> str | None:
    if header.has_mask:
        return "segmentation"
    if header.label is None:
        return None
    return "multilabel" if hasattr(header.label, "__len__") else "classification"


def _classes(label_type: Any, header: Header) -> tuple[str, ...] | None:
    """Class names, or ``class 0``, ``class 1``, … where only their number is known."""
    entry = header.label if isinstance(header.label, dict) else {}
    for record in (label_type, entry.get("band_info")):
        if isinstance(record, unpickle.Record):
            names, count = record.get("_class_names"), record.get("n_classes")
            if isinstance(names, list | tuple) and names:
                return tuple(str(name) for name in names)
            if isinstance(count, int) and count > 0:
                return _numbered(count)
    return None


def _classes_in_label_files(root: Path, task: str) -> tuple[str, ...] | None:
    """The classes that the label files tell of; one without samples may be missing."""
    if target_class(task).form == "index":
        path = root / "label_map.json"
        labels = read_json_mapping(path, absent={})
        longest = max(map(len, labels), default=0)
        if all(label.isdecimal() for label in labels):
            if longest > _MOST_DIGITS:
                raise DataError(Problem(str(path), f"numbers a class with {longest} digits."))
            return _numbered(max((int(label) + 1 for label in labels), default=0))
        return _numbered(len(labels))
    entries = read_json_mapping(root / "label_stats.json", absent={}).values()
    lengths = {len(entry) for entry in entries if isinstance(entry, list)}
    if len(lengths) > 1:
        where = str(root / "label_stats.json")
        raise DataError(Problem(where, f"holds vectors of differing lengths: {sorted(lengths)}."))
    return _numbered(lengths.pop()) if lengths else None


def _numbered(count: int) -> tuple[str, ...] | None:
    if not 0 < count <= MOST_CLASSES:
        return None
    return tuple(f"class {index}" for index in range(count))


def _with_bands(
    declared: Declaration,
    header: Header,
    statistics: dict[str, Any],
    known: Known | None,
    compat: bool,
) -> Declaration:
    described = describe(header.bands)
    corrected = correct(known.name if known else declared.name, described, statistics, compat)
    bands = []
    for band in corrected.bands:
        key = corrected.keys[band.name]
        sensor = recorder(band, header.records.get(key), known)
        largest = statistic(statistics, key, "max")
        unitless = band.name in corrected.unitless
        unit = "unknown" if unitless else unit_of(band, header.dtypes[key], largest, known)
        bands.append(replace(band, unit=unit, sensor=sensor))
    return replace(
        declared, bands=tuple(bands), keys=corrected.keys, notes=(*declared.notes, *corrected.notes)
    )


def _agree(root: Path, declared: Declaration, given: Given) -> None:
    """Refuse a request that contradicts the files."""
    problems = []
    if given.task is not None and given.task != declared.task:
        what = f"is {given.task!r}, but the files of {root} say {declared.task!r}."
        problems.append(Problem("data.task", what))
    if given.classes is not None and len(given.classes) != len(declared.classes):
        what = f"names {len(given.classes)} classes, but {root} has {len(declared.classes)}."
        problems.append(Problem("data.classes", what))
    elif given.classes is not None and given.classes != declared.classes:
        what = f"names other classes than {root / DATASET_FILE}, which says them."
        problems.append(Problem("data.classes", what, "Leave it out, or change that file."))
    if len(set(declared.classes)) != len(declared.classes):
        problems.append(Problem(str(root), "declares a class name twice."))
    if problems:
        raise DataError(problems)


def sample_names(partition: dict[str, Any], split: str, path: Path) -> Sequence[str]:
    """One split of a partition file: names of files, without folders or suffix.

    Raises:
        DataError: The split is absent, or an entry is no plain name.
    """
    names = partition.get(split)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(Problem(str(path), f"must list sample names under {split!r}."))
    foreign = [name for name in names if not is_file_name(name)]
    if foreign:
        what = f"split {split!r} names {foreign[0]!r}, which is not a plain file name."
        raise DataError(Problem(str(path), what))
    return tuple(names)

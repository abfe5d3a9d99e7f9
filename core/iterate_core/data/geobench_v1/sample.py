"""One GeoBench v1 sample file: HDF5 with a dataset a band, and a pickle as root attribute."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from iterate_core.data.geobench_v1 import unpickle
from iterate_core.errors import DataError, Problem
from iterate_core.storage.limits import check_plain_file, check_size

MASK = "label"
_DATE = re.compile(r"_\d{4}-\d{2}-\d{2}(?:[T_ ].*)?$")


@dataclass(frozen=True)
class Header:
    """What a sample says of itself before its pixels are read.

    Attributes:
        bands: Band names without dates, in the order the sample intends.
        dtypes: Type of each band's pixels.
        height: Rows in pixels.
        width: Columns in pixels.
        has_mask: Whether it holds a `label` dataset.
        label: The pickled label: a number, a multi-hot array, or a mask's band entry; or None.
        records: Band → class of the record that the sample keeps of it: ``"Sentinel2"``.
        metres: Ground size of a pixel of the finest band; None where it says none.
    """

    bands: tuple[str, ...]
    dtypes: dict[str, np.dtype[Any]]
    height: int
    width: int
    has_mask: bool
    label: Any
    records: dict[str, str] = field(default_factory=dict)
    metres: float | None = None


@contextmanager
def open_sample(path: Path) -> Iterator[h5py.File]:
    """Open a sample; whatever HDF5 finds wrong, then or while it is read, is a `DataError`."""
    check_plain_file(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(Problem(str(path), "does not exist.")) from None
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        reason = str(error).strip("'\"")
        what = f"is not a readable HDF5 file: truncated, damaged or of another format ({reason})."
        raise DataError(Problem(str(path), what, "Fetch the file again.")) from None


def read_header(path: Path) -> Header:
    """The header of one sample.

    Raises:
        DataError: It is no sample, or its bands differ in size.
    """
    with open_sample(path) as file:
        keys = band_keys(file, path)
        details = attributes(file, path)
        if MASK in keys and _is_maps(file):
            del keys[MASK]
        has_mask = MASK in keys
        datasets = {name: plain_dataset(file, key, path) for name, key in keys.items()}
        shapes = {dataset.shape for dataset in datasets.values()}
        if len(shapes) != 1 or len(keys) == has_mask:
            found = ", ".join(f"{name} {data.shape}" for name, data in datasets.items())
            what = f"must hold bands of one size, but holds {found or 'none'}."
            raise DataError(Problem(str(path), what))
        height, width = shapes.pop()
        dtypes = {name: data.dtype for name, data in datasets.items() if name != MASK}
        bands = _ordered([name for name in keys if name != MASK], details)
        entries = {name: details.get(keys[name]) or details.get(name) for name in bands}
        return Header(
            bands,
            dtypes,
            height,
            width,
            has_mask,
            details.get(MASK),
            {name: _record_of(entry) for name, entry in entries.items()},
            min((size for entry in entries.values() if (size := metres_of(entry))), default=None),
        )


def metres_of(entry: Any) -> float | None:
    """The ground size of a pixel that a band's entry, or a dataset's specifications, give."""
    found = entry.get("spatial_resolution") if isinstance(entry, dict | unpickle.Record) else None
    if isinstance(found, bool) or not isinstance(found, int | float | np.number):
        return None
    return float(found) if 0 < found < 1e6 else None


def _record_of(entry: Any) -> str:
    record = entry.get("band_info") if isinstance(entry, dict) else None
    return type(record).__name__


def band_keys(file: h5py.File, path: Path) -> dict[str, str]:
    """Names without dates → names of the HDF5 datasets.

    Raises:
        DataError: A band is there at several dates, of which none can be preferred.
    """
    keys: dict[str, str] = {}
    for key in file:
        name = _DATE.sub("", key)
        if name in keys:
            what = f"holds band {name!r} at several dates ({keys[name]!r} and {key!r})."
            raise DataError(Problem(str(path), what, "Keep one date of each band in a sample."))
        keys[name] = key
    return keys


def plain_dataset(file: h5py.File, key: str, path: Path, axes: int = 2) -> h5py.Dataset:
    """An array of numbers, two-dimensional unless said, that lies in this very file.

    Raises:
        DataError: It is anything else, such as a link to another file.
    """
    if not isinstance(file.get(key, getlink=True), h5py.HardLink):
        raise DataError(Problem(str(path), f"{key!r} is a link, which is not followed."))
    found = file[key]
    if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
        what = f"{key!r} is not an array that lies in this file."
        raise DataError(Problem(str(path), what))
    if found.ndim != axes or found.dtype.kind not in "biuf" or 0 in found.shape:
        shape = "(height, width)" if axes == 2 else "(quantities, height, width)"
        what = f"{key!r} must be a {shape} array of numbers, but is {found.dtype} "
        raise DataError(Problem(str(path), f"{what}{found.shape}."))
    check_size(f"{path}: {key!r}", found.shape, found.dtype)
    return found


def attributes(file: h5py.File, path: Path) -> dict[str, Any]:
    """What the pickled root attribute says, rebuilt without running anything; may be empty."""
    if "pickle" not in file.attrs:
        return {}
    text = file.attrs["pickle"]
    if isinstance(text, np.void):
        text = text.tobytes()
    if not isinstance(text, str | bytes):
        what = f"has a 'pickle' attribute of type {type(text).__name__}, which must be text."
        raise DataError(Problem(str(path), what))
    found = unpickle.load_literal(text, str(path))
    if not isinstance(found, dict):
        what = f"has a 'pickle' attribute that holds a {type(found).__name__}, not a mapping."
        raise DataError(Problem(str(path), what))
    return found


def read_pixels(
    file: h5py.File, path: Path, bands: Sequence[str], shape: tuple[int, int]
) -> npt.NDArray[Any]:
    """The named bands (names without dates) as one (bands, height, width) array.

    Raises:
        DataError: A band is absent or of another size.
    """
    keys = band_keys(file, path)
    missing = [band for band in bands if band not in keys]
    if missing:
        what = f"lacks band {missing[0]!r}; it holds {', '.join(sorted(keys))}."
        raise DataError(Problem(str(path), what))
    datasets = [_of_shape(plain_dataset(file, keys[band], path), shape, path) for band in bands]
    kind = np.result_type(*(data.dtype for data in datasets))
    check_size(str(path), (len(bands), *shape), kind)
    image = np.empty((len(bands), *shape), kind)
    for row, data in zip(image, datasets, strict=True):
        row[...] = data[()]
    return image


def read_mask(file: h5py.File, path: Path, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """The (height, width) mask in its own integer type.

    Raises:
        DataError: It is absent, of another size, or holds fractions.
    """
    if MASK not in file:
        raise DataError(Problem(str(path), f"lacks the mask {MASK!r}."))
    mask: npt.NDArray[Any] = _of_shape(plain_dataset(file, MASK, path), shape, path)[()]
    if mask.dtype.kind in "iu":
        return mask
    whole = np.where(np.isfinite(mask), mask, 0.5).astype(np.float64)
    if (whole != np.round(whole)).any() or (np.abs(whole) > 2**31).any():
        raise DataError(Problem(str(path), f"the mask {MASK!r} must hold whole numbers."))
    return whole.astype(np.int32)


def read_maps(file: h5py.File, path: Path) -> npt.NDArray[Any]:
    """(quantities, height, width) on a grid of their own, in their own type.

    Raises:
        DataError: They are absent, or no such array.
    """
    if MASK not in file:
        raise DataError(Problem(str(path), f"lacks the maps {MASK!r}."))
    maps: npt.NDArray[Any] = plain_dataset(file, MASK, path, axes=3)[()]
    return maps


def _is_maps(file: h5py.File) -> bool:
    """Whether the label is maps on a finer grid, and no mask."""
    label = file[MASK] if isinstance(file.get(MASK, getlink=True), h5py.HardLink) else None
    return isinstance(label, h5py.Dataset) and label.ndim == 3


def _of_shape(data: h5py.Dataset, shape: tuple[int, int], path: Path) -> h5py.Dataset:
    if data.shape != shape:
        what = f"{data.name.strip('/')!r} is {data.shape} pixels, but the dataset's are {shape}."
        raise DataError(Problem(str(path), what))
    return data


def _ordered(names: list[str], details: dict[str, Any]) -> tuple[str, ...]:
    """By `bands_order` where the sample gives one, else in the pickle's order, else the file's."""
    order = details.get("bands_order")
    if not isinstance(order, list | tuple) or not order:
        order = list(details)
    intended = [_DATE.sub("", name) for name in order if isinstance(name, str)]
    first = [name for name in dict.fromkeys(intended) if name in names]
    return (*first, *(name for name in names if name not in first))

"""The images among the keys of a sample, and their bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from iterate_core.data.bands import describe, family_of, guess_unit
from iterate_core.data.dataset import Band
from iterate_core.data.keyed.options import BandData, KeyedData
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.plurals import counted

Array = npt.NDArray[Any]
Stack = Literal["bands", "dates"]


def array_of(value: Any) -> Array:
    """A tensor as an array; whatever else NumPy takes, likewise."""
    found: Array = np.asarray(value)
    return found


def value_of(sample: Mapping[str, Any], keys: Sequence[str], where: str, option: str) -> Any:
    """What a sample holds under the first of some keys that it has.

    Raises:
        DataError: It has none of them.
    """
    found = next((key for key in keys if key in sample), None)
    if found is None:
        what = f"has no {' or '.join(map(repr, keys))}; it has {', '.join(map(repr, sample))}."
        raise DataError(Problem(where, what, f"{option} names the key."))
    return sample[found]


def image_of(sample: Mapping[str, Any], keys: Sequence[str], stack: Stack, where: str) -> Array:
    """(bands, height, width), or (bands, frames, height, width) of several dates.

    Raises:
        DataError: There is no image, or images do not fit together.
    """
    images = [_frames(array_of(value_of(sample, [key], where, "data.image_keys"))) for key in keys]
    axis = 0 if stack == "bands" else 1
    shapes = {tuple(n for i, n in enumerate(image.shape) if i != axis) for image in images}
    if len(shapes) > 1 or images[0].ndim != 4:
        told = ", ".join(f"{key!r} {image.shape}" for key, image in zip(keys, images, strict=True))
        raise DataError(Problem(where, f"has images of shapes that do not fit together: {told}."))
    whole = np.concatenate(images, axis=axis)
    return whole if whole.shape[1] > 1 else whole[:, 0]


def _frames(image: Array) -> Array:
    """(bands, frames, height, width) of what has dates first, or no dates, or no bands."""
    if image.ndim == 4:
        return image.swapaxes(0, 1)
    return image[:, None] if image.ndim == 3 else image[None, None]


def bands_of(
    section: KeyedData, offered: Sequence[str] | None, images: Sequence[Array]
) -> tuple[Band, ...]:
    """What is known of a dataset's bands.

    Args:
        section: Of the recipe.
        offered: The names that the dataset gives its bands, where it does.
        images: Some, whose values tell units that nobody says.

    Raises:
        RequestError: Nothing names the bands, or not as many as there are.
    """
    count = len(images[0])
    declared: Sequence[str | BandData] | None = section.band_names or offered
    if declared is None or (section.band_names is None and len(declared) != count):
        what = f"must name {counted(count, 'band')}: the dataset does not."
        raise RequestError(Problem("data.band_names", what, "In the order of a sample's bands."))
    if len(declared) != count:
        what = f"names {counted(len(declared), 'band')}, but a sample has {count}."
        raise RequestError(Problem("data.band_names", what))
    asked = [BandData(name=band) if isinstance(band, str) else band for band in declared]
    names = [band.name for band in asked]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RequestError(Problem("data.band_names", f"names {twice!r} twice."))
    kind = _type_in_files(images)
    axes = tuple(range(1, images[0].ndim))
    largest = reduce(np.fmax, [np.fmax.reduce(image, axis=axes) for image in images])
    known = zip(describe(names, family_of(section.sensor)), asked, largest, strict=True)
    return tuple(_band(found, said, section, kind, float(top)) for found, said, top in known)


def _type_in_files(images: Sequence[Array]) -> np.dtype[Any]:
    """The type that files had before a dataset made floating-point numbers of them."""
    kind = np.result_type(*(image.dtype for image in images))
    if kind.kind != "f" or not all(np.array_equal(image, np.rint(image)) for image in images):
        return kind
    low, high = min(image.min() for image in images), max(image.max() for image in images)
    return np.dtype(np.uint8 if low >= 0 and high <= 255 else np.int32)


def _band(
    known: Band, said: BandData, section: KeyedData, kind: np.dtype[Any], largest: float
) -> Band:
    meant = known if said.meaning is None else replace(describe([said.meaning])[0], name=said.name)
    band = replace(
        meant,
        common=said.meaning or meant.common,
        wavelength=said.wavelength or meant.wavelength,
        sensor=said.sensor or section.sensor or meant.sensor,
    )
    unit = said.unit or section.unit or guess_unit(band, kind, largest)
    return replace(band, unit=unit)

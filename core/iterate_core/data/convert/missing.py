"""Pixels without data in somebody's images: told, and filled or left out only as asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from iterate_core.data.convert.source import SampleSource
from iterate_core.data.dataset import Band
from iterate_core.data.store.pixels import LARGEST
from iterate_core.data.target import Form
from iterate_core.errors import DataError, Problem, RequestError

_RANGES = {
    "dn": (-3000.0, 65_535.0),
    "reflectance": (-1.0, 10.0),
    "uint8": (0.0, 255.0),
    "db": (-100.0, 100.0),
    "metre": (-12_000.0, 10_000.0),
    "probability": (0.0, 100.0),
}
"""What a band of a unit can hold; the units that are absent can hold anything."""

MARKS = (-999.0, -9999.0, -99_999.0, -32_767.0, -32_768.0)
"""Numbers that people write for missing data, where no other value is near them."""


@dataclass(frozen=True)
class Missing:
    """What a person says of pixels without data; see `iterate_core.data.convert.convert`."""

    nodata: float | Literal["none"] | None = None
    fill: float | Literal["mean"] | None = None
    mask: bool = False
    _treated: set[int] = field(default_factory=set, compare=False)

    @property
    def note(self) -> str | None:
        """What was done to the samples so far, for the record; None if nothing."""
        if not self._treated:
            return None
        done = []
        if self.fill is not None or self.mask:
            done.append("filled with the mean" if self._by_mean else f"filled with {self.fill:g}")
        if self.mask:
            done.append("left out of the masks")
        return f"pixels without data are {' and '.join(done)}" if done else None

    @property
    def _by_mean(self) -> bool:
        return self.fill in (None, "mean")

    def treated(
        self, source: SampleSource, index: int
    ) -> tuple[npt.NDArray[Any], int | npt.NDArray[Any]]:
        """A sample of a source with its pixels without data filled, and left out of its mask.

        Raises:
            RequestError: It has such pixels, and nothing is said of them.
            DataError: A band of it holds nothing else, so that there is no mean.
        """
        image, target = source.read(index)
        where = f"sample {source.names[index]}"
        image, missing = self.cleared(image, source.nodata(index), where)
        if missing is None:
            return image, target
        self._treated.add(index)
        return image, self.masked(target, missing, source.ignore_index) if self.mask else target

    def cleared(
        self, image: npt.NDArray[Any], nodata: float | None, where: str
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        """An image with its pixels without data filled, and where they were.

        Args:
            image: (bands, height, width).
            nodata: The value that marks such pixels, where the image's file says one.
            where: The sample, for messages.

        Returns:
            The image, and (height, width) whether a pixel lacks any band; None where none does.

        Raises:
            DataError: See `treated`.
        """
        mark = nodata if self.nodata is None else self.nodata
        missing = np.isnan(image) if image.dtype.kind == "f" else np.zeros(image.shape, np.bool_)
        if isinstance(mark, float):
            missing |= image == mark
        if not missing.any():
            return image, None
        if self.fill is None and not self.mask:
            raise _untold(where, int(missing.sum()), mark)
        anywhere: npt.NDArray[np.bool_] = np.any(missing, axis=0)
        return self._filled(image, missing, where), anywhere

    @staticmethod
    def masked(
        mask: int | npt.NDArray[Any], missing: npt.NDArray[np.bool_], ignored: int
    ) -> npt.NDArray[Any]:
        """A (height, width) mask that leaves pixels out; in a type that holds what is ignored."""
        kind = np.result_type(mask, np.min_scalar_type(ignored))
        return np.where(missing, ignored, mask).astype(kind)

    def _filled(
        self, image: npt.NDArray[Any], missing: npt.NDArray[np.bool_], where: str
    ) -> npt.NDArray[Any]:
        filled = image.copy()
        for band, gaps in zip(filled, missing, strict=True):
            if not gaps.any():
                continue
            if self._by_mean and gaps.all():
                what = "has a band without any data, which has no mean."
                raise DataError(Problem(where, what, "Leave it out, or --fill with a number."))
            value = band[~gaps].mean() if self._by_mean else self.fill
            band[gaps] = _in_type(value, image.dtype, where)
        return filled


def check_ranges(
    image: npt.NDArray[Any], bands: Sequence[Band], missing: Missing, where: str
) -> None:
    """Refuse a value far outside what its band's unit can hold, or one that marks missing data.

    Args:
        image: (bands, height, width).
        bands: With their units.
        missing: What was asked for; ``nodata="none"`` says that all values are real.
        where: The sample, for messages.

    Raises:
        DataError: There is one; the options that accept it are named.
    """
    if missing.nodata == "none":
        return
    for band, pixels in zip(bands, image, strict=True):
        value = _strange(pixels, band.unit)
        if value is None:
            continue
        many = int((pixels == value).sum())
        what = f"band {band.name!r} holds {value:g} in {many} pixels, far from its other values"
        hint = (
            f"If it marks missing data: --nodata {value:g} with --fill (a number, or mean), and "
            "--mask to leave such pixels out of the masks. If it is real: --nodata none"
        )
        low, high = _RANGES.get(band.unit, (-LARGEST, LARGEST))
        if not low <= value <= high:
            what = f"band {band.name!r} holds {value:g} in {many} pixels; {band.unit} cannot"
            hint = f"{hint}, or another --unit"
        raise DataError(Problem(where, f"{what}.", f"{hint}."))


def parse_missing(nodata: str | None, fill: str | None, *, mask: bool, form: Form) -> Missing:
    """Type the options.

    Raises:
        RequestError: One is neither a number nor the word that it may be, or they do not fit.
    """
    problems = []
    if mask and form != "mask":
        what = "only masks have pixels that do not count."
        problems.append(Problem("mask", what, "Use --fill alone."))
    if nodata == "none" and (fill is not None or mask):
        what = "says that nothing is missing, so there is nothing to fill or leave out."
        problems.append(Problem("nodata", what, "Leave out --fill and --mask."))
    mark = _number("nodata", nodata, "none", problems)
    value = _number("fill", fill, "mean", problems)
    if problems:
        raise RequestError(problems)
    return Missing(mark, value, mask)  # type: ignore[arg-type]


def _number(
    option: str, text: str | None, word: str, problems: list[Problem]
) -> float | str | None:
    if text is None or text == word:
        return text
    try:
        return float(text)
    except ValueError:
        problems.append(Problem(option, f"must be a number or {word!r}, but is {text!r}."))
        return None


def _strange(pixels: npt.NDArray[Any], unit: str) -> float | None:
    """A value that its unit cannot hold, or a mark that stands apart; None if there is none."""
    low, high = float(pixels.min()), float(pixels.max())
    least, most = _RANGES.get(unit, (-LARGEST, LARGEST))
    if not (least <= low and high <= most):
        return low if low < least else high
    if low in MARKS and not ((pixels != low) & (pixels < low / 2)).any():
        return low
    return None


def _in_type(value: Any, kind: np.dtype[Any], where: str) -> Any:
    """A fill value in the image's type; whole numbers are rounded."""
    if kind.kind == "f":
        return value
    limits = np.iinfo(kind)
    if not limits.min <= value <= limits.max:
        raise RequestError(Problem("fill", f"{value:g} does not fit {where}, which is {kind}."))
    return round(float(value))


def _untold(where: str, count: int, mark: float | str | None) -> RequestError:
    shown = f"{mark:g}, which marks missing data" if isinstance(mark, float) else "NaN"
    what = f"has {count} pixel values that are {shown}."
    hint = (
        "Say with --fill what stands there (a number, or mean); --mask also leaves such pixels "
        "out of the masks"
    )
    real = "; --nodata none takes them as they are" if isinstance(mark, float) else ""
    return DataError(Problem(where, what, f"{hint}{real}."))

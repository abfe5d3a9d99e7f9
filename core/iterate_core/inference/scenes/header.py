"""What a file says of itself before its pixels are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from iterate_core.data.convert.images import names_in
from iterate_core.data.convert.palettes import COLOURS, has_palette
from iterate_core.errors import DataError, Problem
from iterate_core.inference.scenes.addresses import shown
from iterate_core.inference.scenes.opening import Grid, open_file, telling

Masking = Literal["none", "nodata", "mask"]


@dataclass(frozen=True)
class Header:
    """A file, unread.

    Attributes:
        path: Of the file.
        grid: Where its pixels lie.
        names: Of its bands, in their order, where it says.
        kinds: Type of each band's numbers.
        scales: Of each band the factor and the summand that numbers become physical by.
        units: What it says of each band's unit, in its own words; empty where nothing.
        nodata: The value that marks pixels without data.
        masked: Whether it has a mask or a band of opacity.
        palette: Colour of each number, where it holds such numbers.
        points: Whether ground control points alone say where it lies.
        overviews: How many times coarser its coarsest overview is; 1 where it has none.
    """

    path: str
    grid: Grid
    names: tuple[str, ...] | None
    kinds: tuple[np.dtype[Any], ...]
    scales: tuple[tuple[float, float], ...]
    units: tuple[str, ...]
    nodata: float | None
    masked: bool
    palette: npt.NDArray[np.uint8] | None
    points: bool
    overviews: int

    @property
    def where(self) -> str:
        """The file, for messages."""
        return shown(self.path)


def header_of(path: str) -> Header:
    """Read the header of a file.

    Raises:
        DataError: It is damaged, holds several images, or numbers that are no pixels.
    """
    with telling(path), open_file(path) as file:
        kinds = tuple(np.dtype(kind) for kind in file.dtypes)
        if not kinds or any(kind.kind not in "uif" for kind in kinds):
            what = f"holds {' and '.join(sorted(set(file.dtypes))) or 'no pixels'}."
            raise DataError(Problem(shown(path), what, "Pixels must be whole or decimal numbers."))
        crs = file.crs or None
        grid = Grid(crs, file.transform, file.height, file.width)
        flags = {flag.name for band in file.mask_flag_enums for flag in band}
        palette = _palette(file) if has_palette(file) else None
        names = names_in(file)
        if palette is not None:
            names, kinds = COLOURS, (np.dtype(np.uint8),) * 3
        pairs = tuple(zip(map(float, file.scales), map(float, file.offsets), strict=True))
        return Header(
            path=path,
            grid=grid,
            names=names,
            kinds=kinds,
            scales=((1.0, 0.0),) * 3 if palette is not None else pairs,
            units=("",) * 3 if palette is not None else tuple(unit or "" for unit in file.units),
            nodata=None if file.nodata is None else float(file.nodata),
            masked=bool(flags & {"per_dataset", "alpha"}),
            palette=palette,
            points=crs is None and bool(file.gcps[0]),
            overviews=max(file.overviews(1), default=1),
        )


def _palette(file: Any) -> npt.NDArray[np.uint8]:
    """(numbers, 4): red, green, blue and opacity of each number; of one without colour no opacity.

    What the table has no colour for, such as other numbers up to 255, is seen through.
    """
    table: dict[int, Sequence[int]] = file.colormap(1)
    colours = np.zeros((max(256, *(number + 1 for number in table)), 4), np.uint8)
    for number, colour in table.items():
        colours[number] = colour
    if file.nodata is not None and 0 <= file.nodata < len(colours):
        colours[int(file.nodata), 3] = 0
    return colours

"""What a scene is to whatever predicts on it, and how one is asked for."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from iterate_core.inference.scenes.addresses import scheme_of, shown

if TYPE_CHECKING:
    from iterate_core.data.loading.batch import Context

Units = str | Mapping[str, str]
"""The unit of all bands, or of each band that is named (`iterate_core.data.units`)."""
NoData = float | Literal["none"]
"""The value that marks pixels without data; ``none`` says that all values are real."""


@dataclass(frozen=True)
class SceneOptions:
    """What a person says of scenes where their files do not, or say it wrongly.

    Attributes:
        bands: Names of the files' bands, in their order.
        unit: Of the files' pixels.
        nodata: Of the files' pixels, beside NaN.
        dates: When the scenes were taken: a day such as ``2020-07-11`` for each frame of the
            model.
        table: A .csv file of scenes that several files make up, one file a row.
    """

    bands: tuple[str, ...] | None = None
    unit: Units | None = None
    nodata: NoData | None = None
    dates: tuple[str, ...] | None = None
    table: Path | None = None


@dataclass(frozen=True)
class SceneFile:
    """One of the files that make up a scene.

    Attributes:
        path: A path, a URL, or a STAC item's path or URL.
        date: When it was taken, such as ``2020-07-11``; None: it stands at each of the dates.
        frame: Which of the scene's dates it is; None: the order of the dates tells it.
        kind: The modality of the training data that it is of, where that is known.
        bands: Names of its bands, in their order; None takes what the file says.
        unit: Of its pixels; None takes what the file says.
        nodata: Likewise.
        scales: Of each band the factor and the summand that its numbers become physical by; None
            takes what the file says.
    """

    path: str
    date: str | None = None
    frame: int | None = None
    kind: str | None = None
    bands: tuple[str, ...] | None = None
    unit: Units | None = None
    nodata: NoData | None = None
    scales: tuple[tuple[float, float], ...] | None = None


def told_of(file: SceneFile) -> dict[str, Any]:
    """All that is said of a file but where it is, as plain JSON types."""
    told = asdict(file)
    del told["path"]
    if isinstance(file.nodata, float) and not math.isfinite(file.nodata):
        told["nodata"] = str(file.nodata)  # no number of JSON's
    return told


@dataclass(frozen=True)
class SceneRequest:
    """A scene that is asked for; nothing of it was looked at.

    Attributes:
        name: What outputs are called by; unique in a command.
        source: File or URL, for messages.
        files: That make it up; the first one's grid is the scene's.
        notes: What was guessed of how they make it up, for people.
    """

    name: str
    source: str
    files: tuple[SceneFile, ...]
    notes: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Real paths of the files, and URLs without keys."""
        each = (file.path for file in self.files)
        return tuple(os.path.realpath(p) if scheme_of(p) is None else shown(p) for p in each)


@dataclass(frozen=True)
class Piece:
    """A rectangle of a scene, ready for the model.

    Attributes:
        pixels: (bands, height, width), or of several dates (bands, frames, height, width): the
            bands of the model's description in its order and units, finite everywhere.
        valid: (height, width) whether a pixel has data in every band that the model uses.
    """

    pixels: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]


class Scene(Protocol):
    """An image of any size. It may be used from several processes and threads.

    Attributes:
        name: As in `SceneRequest`.
        source: Likewise.
        height: Rows in pixels.
        width: Columns in pixels.
        crs: A `rasterio.crs.CRS`; None where the scene lies nowhere.
        transform: From columns and rows to its coordinates (an `affine.Affine`).
        notes: What was guessed, converted or left out, for people.
    """

    name: str
    source: str
    height: int
    width: int
    crs: Any
    transform: Any
    notes: tuple[str, ...]

    def read(self, row: int, column: int, height: int, width: int) -> Piece:
        """A rectangle by its upper left pixel and its size.

        It may reach beyond any edge: there pixels are mirrored, and not valid.

        Raises:
            DataError: The file is damaged there, or cannot be reached.
        """

    def context(self, row: int, column: int, height: int, width: int) -> Context | None:
        """When and where a rectangle was taken, as tensors with a first axis of 1; None: unknown.

        The place is that of the rectangle's centre.
        """

    def fingerprint(self) -> str:
        """16 hexadecimal digits fixed by what the files hold, as far as path, size and time tell.

        Raises:
            DataError: A file cannot be reached.
        """

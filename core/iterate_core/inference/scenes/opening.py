"""Files as GDAL opens them: by windows, in each process and thread anew, errors as sentences."""

from __future__ import annotations

import logging
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.vrt import WarpedVRT

from iterate_core.data.convert.images import STRICT
from iterate_core.errors import DataError, Problem
from iterate_core.inference.scenes.addresses import for_gdal, scheme_of, shown
from iterate_core.secrets import without_passwords
from iterate_core.storage.limits import check_plain_file

_NO_RANGES = "Range downloading not supported"  # GDAL's words
_CACHE = 64 << 20  # bytes of decoded blocks: a row of windows of most scenes kept in strips

_REMOTE = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_INGESTED_BYTES_AT_OPEN": 32_768,
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": True,
    "GDAL_HTTP_MULTIPLEX": True,
    "GDAL_HTTP_CONNECTTIMEOUT": 20,
    "GDAL_HTTP_LOW_SPEED_TIME": 60,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1,
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 1,
    "VSI_CACHE": True,
    "VSI_CACHE_SIZE": 16 << 20,
}
"""For files on servers: headers in one request, no look for files beside them, and some patience.

See https://gdal.org/en/stable/user/configoptions.html and https://developmentseed.org/titiler/advanced/performance_tuning.
"""


class _WithoutKeys(logging.Filter):
    """What GDAL logs of addresses goes on without their queries, which may hold keys."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        told = re.sub(r"(https?://[^\s?#]+)[?#]\S*?(?=[.,;:]?(?:\s|$))", r"\1", record.getMessage())
        record.msg, record.args = without_passwords(told), ()
        return True


logging.getLogger("rasterio._env").addFilter(_WithoutKeys())


@dataclass(frozen=True)
class Grid:
    """Where the pixels of an image lie; see `rasterio.vrt.WarpedVRT`."""

    crs: Any
    transform: Any
    height: int
    width: int


@contextmanager
def telling(path: str) -> Iterator[None]:
    """Within GDAL's strict ways, what it finds wrong with a file is a `DataError`."""
    remote = {} if scheme_of(path) is None else _REMOTE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.Env(**STRICT, GDAL_CACHEMAX=_CACHE, **remote):
                yield
        except DataError:
            raise
        except (RasterioError, OSError, ValueError, MemoryError) as error:
            raise DataError(_unread(path, error)) from None


def _unread(path: str, error: BaseException) -> Problem:
    reason = _reason(error, path)
    if _NO_RANGES in reason:
        what = "its server gives whole files alone, and no ranges of them."
        return Problem(shown(path), what, "Download it first, and give the file.")
    return Problem(shown(path), f"cannot be read ({reason}).")


def _reason(error: BaseException, path: str) -> str:
    reason = str(error.__cause__ or error).strip().rstrip(".")
    for full in (for_gdal(path), path):
        reason = reason.replace(full, shown(path))
    return reason


def open_file(path: str) -> Any:
    """The file, open; within `telling`.

    Raises:
        DataError: It is none, or holds several images.
    """
    if scheme_of(path) is None:
        check_plain_file(Path(path))
        if not Path(path).exists():
            what = "there is no such file."
            if Path(path).is_symlink():
                what = f"is a link to {os.readlink(path)}, which is not there."
            raise DataError(Problem(path, what))
    file = rasterio.open(for_gdal(path))
    if file.subdatasets:
        several = [name.removeprefix("/vsicurl/") for name in file.subdatasets]
        file.close()
        what = f"holds {len(several)} images, such as {shown(several[0])}."
        hint = "Bring the one that is meant into a file of its own: gdal_translate IMAGE new.tif"
        raise DataError(Problem(shown(path), what, hint))
    return file


class Handle:
    """A file that is opened where it is needed and stays open there, on its own grid or another.

    Args:
        path: Of the file.
        grid: What it is brought to; None leaves it as it is.
        nodata: The value that marks pixels without data, for what is brought to another grid.
        nearest: Whether pixels of another grid are those that lie nearest, and not blended.
    """

    def __init__(
        self, path: str, grid: Grid | None, nodata: float | None, *, nearest: bool = False
    ) -> None:
        self.path = path
        self._grid, self._nodata, self._nearest = grid, nodata, nearest
        self._mine = threading.local()

    def file(self) -> Any:
        """The open file of this process and thread; within `telling`."""
        if getattr(self._mine, "process", None) != os.getpid():
            self._mine.file, self._mine.process = self._opened(), os.getpid()
        return self._mine.file

    def __getstate__(self) -> dict[str, Any]:
        """Open files stay where they are."""
        return {name: value for name, value in self.__dict__.items() if name != "_mine"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._mine = threading.local()

    def _opened(self) -> Any:
        file = open_file(self.path)
        if self._grid is None:
            return file
        alpha = self._nodata is None and not _has_alpha(file)
        grid = self._grid
        return WarpedVRT(
            file,
            crs=grid.crs,
            transform=grid.transform,
            height=grid.height,
            width=grid.width,
            resampling=Resampling.nearest if self._nearest else Resampling.bilinear,
            src_nodata=self._nodata,
            nodata=self._nodata,
            add_alpha=alpha,
        )


def _has_alpha(file: Any) -> bool:
    return any(colour.name == "alpha" for colour in file.colorinterp)

"""Files as users have them, and descriptions of models that are to read them."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from engine_support import recipe
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning

from iterate_core.data.bands import describe, family_of
from iterate_core.data.dataset import Band, DatasetInfo
from iterate_core.data.units import Channel
from iterate_core.engine.description import ModelDescription
from iterate_core.inference.scenes.base import Scene, SceneFile, SceneOptions
from iterate_core.inference.scenes.open import open_scene, scenes_of

UTM = CRS.from_epsg(32632)
DEGREES = CRS.from_epsg(4326)
NORTH_UP = Affine(10, 0, 500_000, 0, -10, 5_000_000)
SIX = ("blue", "green", "red", "nir", "swir_1", "swir_2")


def model(
    names: Sequence[str] = SIX,
    unit: str | Sequence[str] = "dn",
    *,
    sensor: str | None = None,
    used: Sequence[int] | None = None,
    frames: int = 1,
    means: Sequence[float] | None = None,
    data: Mapping[str, Any] | None = None,
    dates: bool = False,
    places: bool = False,
    metres: float | None = 10.0,
) -> ModelDescription:
    """What a model is that was trained on bands of these names."""
    units = [unit] * len(names) if isinstance(unit, str) else unit
    known = describe(names, family_of(sensor))
    bands = tuple(
        Band(b.name, b.common, b.wavelength, one, sensor or b.sensor)
        for b, one in zip(known, units, strict=True)
    )
    info = DatasetInfo(
        name="trained", task="segmentation", classes=("land", "water"), bands=bands,
        sizes={"train": 4, "val": 2, "test": 2}, height=32, width=32, frames=frames, metres=metres,
    )  # fmt: skip
    section = data or recipe("segmentation").to_mapping()["data"]
    return ModelDescription(
        identity="0" * 16,
        recipe={**recipe("segmentation").to_mapping(), "data": dict(section)},
        info=info,
        bands=bands,
        channels=tuple(Channel(i) for i in (range(len(names)) if used is None else used)),
        means=tuple(means or (100.0 * (i + 1) for i in range(len(names)))),
        dates=dates,
        places=places,
    )


def raster(
    path: Path,
    pixels: npt.NDArray[Any],
    names: Sequence[str] = (),
    *,
    scales: Sequence[float] | None = None,
    offsets: Sequence[float] | None = None,
    units: Sequence[str] | None = None,
    mask: npt.NDArray[np.bool_] | None = None,
    placed: bool = True,
    **options: Any,
) -> Path:
    """Write (bands, height, width) pixels as a GeoTIFF, in UTM where nothing else is said."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    profile = {"crs": UTM, "transform": NORTH_UP} if placed else {}
    profile |= {"driver": "GTiff", "dtype": pixels.dtype} | options
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", count=count, height=height, width=width, **profile) as file:
            file.write(pixels)
            for index, name in enumerate(names, 1):
                file.set_band_description(index, name)
            for what, values in (("scales", scales), ("offsets", offsets), ("units", units)):
                if values is not None:
                    setattr(file, what, tuple(values))
            if mask is not None:
                file.write_mask(mask)
    return path


def numbers(*shape: int, high: int = 9000, seed: int = 0) -> npt.NDArray[np.uint16]:
    """Pixels of reflectance × 10,000."""
    drawn = np.random.default_rng(seed).integers(300, high, shape)
    return drawn.astype(np.uint16)


def opened(path: str | Path, described: ModelDescription, **options: Any) -> Scene:
    """The one scene that a path stands for."""
    (request,) = scenes_of([path], described, SceneOptions(**options))
    return open_scene(request, described)


def whole(scene: Scene) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """All of a scene."""
    piece = scene.read(0, 0, scene.height, scene.width)
    return piece.pixels, piece.valid


def paths(files: Sequence[SceneFile]) -> list[str]:
    """Names of files."""
    return [Path(file.path).name for file in files]


@dataclass
class Server:
    """Files over HTTP.

    Attributes:
        address: Where it listens.
        requests: Method, path and range of each request.
        served: Bytes sent.
        busy: How many requests are answered next that it is too busy.
        ranges: Whether it gives parts of files.
    """

    address: str = ""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    served: int = 0
    busy: int = 0
    ranges: bool = True


class _Ranges(SimpleHTTPRequestHandler):
    """Answers ranges of one run of bytes, as servers of COGs do."""

    def __init__(self, *args: Any, state: Server, **options: Any) -> None:
        self.state = state
        super().__init__(*args, **options)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        wanted = self.headers.get("Range") if self.state.ranges else None
        self.state.requests.append((self.command, self.path, wanted))
        file = Path(self.translate_path(self.path))
        if self.state.busy:
            self.state.busy -= 1
            self.send_error(503)
            return
        if not file.is_file():
            self.send_error(404)
            return
        content = file.read_bytes()
        size, status = len(content), 200
        start, stop = 0, size
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(int(last or size - 1) + 1, size)
            status = 206
        self.send_response(status)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        if self.state.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{size}-{file.stat().st_mtime_ns}"')
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        if body:
            self.state.served += stop - start
            with suppress(ConnectionError):  # who wanted a part hangs up on the whole
                self.wfile.write(content[start:stop])


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server of a folder's files on this machine."""
    state = Server()
    handler = partial(_Ranges, directory=str(folder), state=state)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        state.address = f"http://127.0.0.1:{server.server_address[1]}"
        yield state
        server.shutdown()
        thread.join()

"""Images to convert, and datasets that were converted."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning

from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data


def opened(root: Path) -> GeoBenchV1:
    return GeoBenchV1(GeoBenchV1Data(root=root))


def image(path: Path, pixels: Any, names: tuple[str, ...] = (), **options: Any) -> Path:
    """Write (bands, height, width) pixels in the format that the suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    driver = {".tif": "GTiff", ".png": "PNG", ".jpg": "JPEG"}[path.suffix]
    count, height, width = pixels.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver=driver, count=count, height=height, width=width,
            dtype=pixels.dtype, **options,
        ) as file:  # fmt: skip
            file.write(pixels)
            for index, name in enumerate(names, 1):
                file.set_band_description(index, name)
    return path

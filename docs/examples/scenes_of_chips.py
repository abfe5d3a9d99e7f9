"""Put the chips of an archive together again: a GeoTIFF and a mask for each scene they were cut of.

    python docs/examples/scenes_of_chips.py cloudshadow_64.npz scenes

The archive says of each chip its scene (`source`) and its row and column there (`chip_rc`); where
on Earth the scenes lie it does not say, so they have no coordinates.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import NotGeoreferencedWarning

Array = npt.NDArray[Any]


def put_together(chips: Array, places: npt.NDArray[np.int64], empty: float) -> Array:
    """One image (bands, height, width) of chips (n, bands, side, side) at (row, column) places."""
    side = chips.shape[-1]
    rows, columns = (places.max(axis=0) + 1) * side
    scene = np.full((chips.shape[1], rows, columns), empty, chips.dtype)
    for chip, (row, column) in zip(chips, places * side, strict=True):
        scene[:, row : row + side, column : column + side] = chip
    return scene


def write(path: Path, pixels: Array, names: tuple[str, ...], nodata: float) -> None:
    """Write bands with their names."""
    bands, height, width = pixels.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = {"count": bands, "height": height, "width": width, "dtype": pixels.dtype}
    with rasterio.open(path, "w", driver="GTiff", nodata=nodata, compress="deflate", **shape) as to:
        to.write(pixels)
        to.descriptions = names


def main(archive: Path, folder: Path) -> None:
    """Write every scene."""
    chips = np.load(archive)
    masks, ignored = chips["masks"][:, None], int(chips["ignore_index"])
    for scene in np.unique(chips["source"]):
        mine = chips["source"] == scene
        places = chips["chip_rc"][mine].astype(np.int64)
        names = tuple(map(str, chips["band_names"]))
        image = put_together(chips["images"][mine], places, 0)
        write(folder / f"images/{scene}.tif", image, names, 0)
        mask = put_together(masks[mine], places, ignored)
        write(folder / f"masks/{scene}.tif", mask, ("class",), ignored)


if __name__ == "__main__":
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""The data of the comparisons, in the forms that the peers read; none of it is made twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio

from iterate_core.data.bands import describe
from iterate_core.data.dataset import SPLITS
from iterate_core.data.generated.reader import GeneratedData, generate
from iterate_core.data.geobench_v1.writer import NewDataset, writing

SCENES = "data/classification_v1.0/m-eurosat"  # where the peers look for it, below a folder
BANDS = ("02 - Blue", "03 - Green", "04 - Red", "08 - NIR", "11 - SWIR", "12 - SWIR")
CLASSES = ("clear", "cloud", "cloud shadow")
UNKNOWN = 255

Counts = tuple[int, int, int]
Array = npt.NDArray[np.generic]


def counts(text: str) -> Counts:
    """Numbers of training, validation and test samples, as an option names them: 512,128,128."""
    train, val, test = map(int, text.split(","))
    return train, val, test


def scenes(root: Path, sizes: Counts) -> Path:
    """Drawn scenes of 13 bands and 64 × 64 pixels in eight classes, shaped as m-eurosat."""
    folder = root / SCENES
    if not folder.exists():
        generate(GeneratedData(samples=sizes, size=64), folder)
    return folder


def clouds(root: Path, file: Path | None, sizes: Counts) -> Path:
    """Masks of clouds and their shadows on six bands of 64 × 64 pixels.

    Written in GeoBench v1 format, and beside it as GeoTIFFs, `SPLIT/NAME_image.tif` and
    `SPLIT/NAME_mask.tif`.

    Args:
        root: Where to write both.
        file: An archive of arrays `images` (samples, 6, 64, 64), `masks` and `split` (0, 1, 2);
            None draws blocks of three classes.
        sizes: How many samples of each split at most.
    """
    folder = root / "clouds"
    if folder.exists():
        return folder
    images, masks, split = _drawn(sizes) if file is None else _archived(file)
    declared = NewDataset("clouds", "segmentation", CLASSES, describe(BANDS), UNKNOWN)
    with writing(folder, declared) as writer:
        for index, (name, count) in enumerate(zip(SPLITS, sizes, strict=True)):
            for number in np.flatnonzero(split == index)[:count]:
                writer.add(name, f"{name}_{number}", images[number], masks[number])
                tiles = root / "tiles" / name
                tiles.mkdir(parents=True, exist_ok=True)
                _write_tile(tiles / f"{number}_image.tif", images[number])
                _write_tile(tiles / f"{number}_mask.tif", masks[number][None])
    return folder


def moments(root: Path) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each band over the training tiles of `clouds`."""
    pixels = []
    for tile in sorted((root / "tiles/train").glob("*_image.tif")):
        with rasterio.open(tile) as opened:
            pixels.append(opened.read())
    stacked = np.stack(pixels).astype(np.float64)
    return stacked.mean((0, 2, 3)).tolist(), stacked.std((0, 2, 3)).tolist()


def _archived(file: Path) -> tuple[Array, Array, Array]:
    with np.load(file, allow_pickle=False) as archive:
        return archive["images"], archive["masks"], archive["split"]


def _drawn(sizes: Counts) -> tuple[Array, Array, Array]:
    """Noise over blocks of 16 pixels, each of one class, brighter where its number is higher."""
    rng = np.random.default_rng(0)
    samples = sum(sizes)
    masks = rng.integers(0, len(CLASSES), (samples, 4, 4)).repeat(16, 1).repeat(16, 2)
    noise = rng.normal(1500.0, 500.0, (samples, len(BANDS), 64, 64))
    images = np.clip(noise + 700.0 * masks[:, None], 0, 10_000)
    split = np.repeat(np.arange(len(sizes)), sizes)
    return images.astype(np.uint16), masks.astype(np.uint8), split


def _write_tile(file: Path, pixels: Array) -> None:
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width}
    # One grid for all: no reader of the comparison looks at where a tile lies.
    placed = {"crs": "EPSG:32630", "transform": rasterio.transform.from_origin(0, 0, 10, 10)}
    with rasterio.open(file, "w", dtype=pixels.dtype, **profile, **placed) as opened:
        opened.write(pixels)

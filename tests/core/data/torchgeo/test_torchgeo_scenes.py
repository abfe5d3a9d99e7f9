"""Real aerial scenes with masks, each of another place, cut by TorchGeo's samplers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform
from rasterio.windows import Window

from iterate_core.data.dataset import SPLITS, Reader
from iterate_core.data.geobench_v2.tortilla import content, read_files, read_samples
from iterate_core.data.open import open_dataset
from iterate_core.data.torchgeo.geo_options import GeoData
from iterate_core.errors import DataError
from iterate_core.registry.parsing import parse

BANDS = ("red", "green", "blue", "nir", "elevation")
SIDE = 64


@pytest.fixture(scope="module")
def published(shared_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five scenes of FLAIR #2 as GeoTIFFs, as they were published."""
    root = tmp_path_factory.mktemp("flair")
    file = shared_data("geobench_v2") / "flair2.tortilla"
    with file.open("rb") as handle:
        for sample in read_samples(file):
            for item in read_files(handle, sample, str(file)):
                path = root / item.name / f"{sample.name}.tif"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content(handle, item))
    return root


def opened(root: Path, **options: Any) -> Reader:
    source = {"dataset": "torchgeo.datasets.RasterDataset"}
    named = {"filename_glob": "*.tif", "all_bands": list(BANDS)}
    data = {
        "name": "torchgeo_geo",
        "root": str(root),
        "images": {**source, "folder": "aerial", "attributes": named},
        "labels": {**source, "folder": "mask"},
        "task": "segmentation",
        "classes": {value: str(value) for value in range(1, 14)},
        "size": SIDE,
        "split": {"block_metres": 51.2, "distance_metres": 1},
        **options,
    }
    return open_dataset(parse(GeoData, data, "data"))


def test_coordinates_that_lead_nowhere_are_told_with_what_would_help(published: Path) -> None:
    """The masks of four scenes name their coordinates in words that no library can place."""
    with pytest.raises(DataError, match=r"mask: holds files whose coordinates .*`rio edit-info"):
        opened(published)


def test_patches_are_the_very_pixels_of_the_scenes(published: Path, tmp_path: Path) -> None:
    for path in published.rglob("*.tif"):
        kept = tmp_path / path.relative_to(published)
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(path.read_bytes())
        with rasterio.open(kept, "r+") as scene:
            scene.crs = "EPSG:2154"
    found = opened(tmp_path)
    seen = set()
    for split in SPLITS:
        for name in found.names(split):
            sample = found.read(name, BANDS)
            assert sample.place is not None
            (x,), (y,) = transform("EPSG:4326", "EPSG:2154", sample.place[1:], sample.place[:1])
            scene, window = window_around(tmp_path / "aerial", x, y)
            seen.add(scene.name)
            with rasterio.open(scene) as image, rasterio.open(tmp_path / "mask" / scene.name) as m:
                assert np.array_equal(sample.image, image.read(window=window))
                assert np.array_equal(sample.target, m.read(1, window=window).astype(int) - 1)
    assert len(seen) == 5


def window_around(folder: Path, x: float, y: float) -> tuple[Path, Window]:
    """The scene that holds a place, and the patch around it."""
    for path in sorted(folder.iterdir()):
        with rasterio.open(path) as scene:
            column = (x - scene.bounds.left) / scene.res[0]
            row = (scene.bounds.top - y) / scene.res[1]
            left, top = round(column - SIDE / 2), round(row - SIDE / 2)
            if 0 <= left <= scene.width - SIDE and 0 <= top <= scene.height - SIDE:
                return path, Window(left, top, SIDE, SIDE)
    raise AssertionError(f"no scene holds ({x}, {y})")

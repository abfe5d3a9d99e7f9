"""Small GEO-Bench-2 datasets, and how the tests open them."""

from pathlib import Path
from typing import Any

import numpy as np

from iterate_core.data.dataset import Boxes, Sample
from iterate_core.data.geobench_v2.options import GeoBenchV2Data
from iterate_core.data.geobench_v2.reader import GeoBenchV2
from iterate_core.data.geobench_v2.synthetic.writer import NewFile, NewSample, write_tortilla

NINETEEN = {
    "benv2", "treesatai", "so2sat", "forestnet", "burn_scars", "caffe", "cloudsen12",
    "dynamic_earthnet", "flair2", "fotw", "kuro_siwo", "pastis", "pastis_r", "spacenet2",
    "spacenet7", "biomassters", "everwatch", "nzcattle", "substation",
}  # fmt: skip


def opened(root: Path, dataset: str, **options: Any) -> GeoBenchV2:
    return GeoBenchV2(GeoBenchV2Data(root=root, dataset=dataset, **options))


def all_bands(reader: GeoBenchV2) -> list[str]:
    return [band.name for band in reader.info.bands]


def written(root: Path, dataset: str, files: list[NewFile]) -> Path:
    """A dataset whose splits are one sample each, all of the same files."""
    path = root / f"{dataset}.tortilla"
    splits = ("train", "validation", "test")
    write_tortilla(path, [NewSample(f"s{split}", split, files) for split in splits])
    return root


def planes(count: int, kind: str = "uint8", size: int = 4) -> np.ndarray[Any, Any]:
    """(count, size, size) where channel c is c + 1 everywhere."""
    return np.stack([np.full((size, size), number + 1) for number in range(count)]).astype(kind)


def boxes(sample: Sample) -> Boxes:
    assert isinstance(sample.target, Boxes)
    return sample.target


def words(text: str) -> list[str]:
    return text.split()

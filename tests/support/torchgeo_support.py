"""Folders laid out as datasets of TorchGeo expect them, of small images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from convert_support import image
from folders_support import noise, on_ground

EUROSAT = "ds/images/remote_sensing/otherDatasets/sentinel_2/tif"
OWN_SPLITS = {"train": "train", "val": "val", "test": "test"}

OWN_CLASS = '''
from pathlib import Path

import numpy as np
from torchgeo.datasets import NonGeoDataset


class Tiles(NonGeoDataset):
    """Samples from arrays, of whatever keys they have."""

    least = 0

    def __init__(self, root, first=0):
        self.files = sorted(Path(root).glob("*.npz"))
        self.first = max(first, self.least)

    def __len__(self):
        return len(self.files) - self.first

    def __getitem__(self, index):
        if index + self.first == 13:
            raise OSError("the disk is sad")
        return dict(np.load(self.files[index + self.first]))


class Others(Tiles):
    """Others of the kind."""
'''


def eurosat(root: Path, each: int = 3) -> Path:
    """Of two classes `each` images a split, 16 pixels wide, as `torchgeo.datasets.EuroSAT`."""
    for part, split in enumerate(OWN_SPLITS):
        names = []
        for label in ("Forest", "River"):
            for number in range(each):
                name = f"{label}_{part * each + number}"
                pixels = noise(13, 16, len(label) * 100 + part * each + number)
                image(root / EUROSAT / label / f"{name}.tif", pixels)
                names.append(f"{name}.jpg")
        (root / f"eurosat-{split}.txt").write_text("\n".join(names))
    return root


def levir(root: Path, each: int = 4) -> Path:
    """Pairs of images and masks of change, as `torchgeo.datasets.LEVIRCD`."""
    for split in OWN_SPLITS:
        for number in range(each):
            for folder, seed in (("A", number), ("B", number + 50)):
                pixels = noise(3, 16, seed).astype(np.uint8)
                image(root / folder / f"{split}_{number}.png", pixels)
            change = (noise(1, 16, number) % 2 * 255).astype(np.uint8)
            image(root / "label" / f"{split}_{number}.png", change)
    return root


def marine_debris(root: Path, count: int = 10) -> Path:
    """Images and boxes, as `torchgeo.datasets.NASAMarineDebris`; the last box of each is none."""
    (root / "labels").mkdir(parents=True)
    for number in range(count):
        image(root / f"source/{number}.tif", noise(3, 16, number).astype(np.uint8))
        boxes = np.array([[1, 2, 7, 9, 1], [4, 4, 12, 10, 1], [5, 5, 5, 9, 1]])
        np.save(root / f"labels/{number}.npy", boxes)
    return root


def tiles(root: Path, count: int = 10, **keys: Any) -> Path:
    """A class of one's own, and a file a sample of what each key is for its number."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        arrays = {key: make(number) for key, make in keys.items()}
        np.savez(root / f"{number:02}.npz", **arrays)
    (root / "mine.py").write_text(OWN_CLASS)
    return root


def scenes(root: Path, side: int = 48, count: int = 2, **options: Any) -> Path:
    """Scenes side by side, whose pixels say their column and row, and masks of both."""
    for number in range(count):
        columns = np.arange(side) + number * side
        x, y = np.meshgrid(columns, np.arange(side))
        where = on_ground(number, 0, side) | options
        name = f"scene{number}_20200{number + 1}15.tif"
        image(root / "images" / name, np.stack([x, y]).astype(np.uint16) + 300, **where)
        image(root / "masks" / name, ((x + y) % 3)[None].astype(np.uint8), **where)
    return root


def scene_options(root: Path, **split: Any) -> dict[str, Any]:
    """What a recipe says of `scenes`."""
    raster = "torchgeo.datasets.RasterDataset"
    return {
        "root": str(root),
        "images": {"dataset": raster, "folder": "images"},
        "labels": {"dataset": raster, "folder": "masks"},
        "task": "segmentation",
        "classes": ["a", "b", "c"],
        "band_names": ["column", "row"],
        "size": 8,
        "split": {"block_metres": 160, **split},
    }

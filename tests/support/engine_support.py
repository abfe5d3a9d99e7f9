"""Small recipes on generated data, and a dataset of arrays, for the engine's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import Band, DatasetInfo, Sample, Split
from iterate_core.data.options import DataSection
from iterate_core.fingerprint import fingerprint
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.marks import HowOnly
from iterate_core.registry.registry import Entry


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`, section by section; another `name` starts its section anew."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        both = both and value.get("name", old.get("name")) == old.get("name")
        result[key] = merged(old, value) if both else value
    return result


def recipe(kind: str = "classification", **changes: Any) -> Recipe:
    """Three epochs of a tiny network on 24 generated samples of 32×32 pixels."""
    decoder = "linear" if kind == "classification" else "unet"
    base: dict[str, Any] = {
        "data": {
            "name": "generated",
            "kind": kind,
            "samples": [24, 12, 12],
            "size": 32,
            "batch_size": 8,
            "bands": ["blue", "green", "red", "nir"],
        },
        "model": {
            "backbone": {"name": "test_resnet", "weights": "none"},
            "decoder": {"name": decoder},
        },
        "optimiser": {"name": "adamw"},
        "scheduler": {"name": "cosine"},
        "trainer": {"epochs": 3},
    }
    return Recipe.parse(merged(base, changes))


class ArraysData(DataSection):
    """Arrays that were given to `give`.

    Attributes:
        number: Which of them.
    """

    name: Literal["arrays"] = "arrays"
    number: Annotated[int, HowOnly]


@dataclass
class Arrays:
    """A dataset of arrays in memory, the same for every split; see `Reader`."""

    images: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    info: DatasetInfo
    dates: Sequence[Any] | None = None
    places: Sequence[Any] | None = None

    def names(self, split: Split) -> Sequence[str]:
        return [f"{split}-{index}" for index in range(len(self.images))]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        index = int(name.partition("-")[2])
        order = [[band.name for band in self.info.bands].index(band) for band in bands]
        target = self.targets[index]
        return Sample(
            name,
            self.images[index][order],
            int(target) if target.ndim == 0 else target,
            None if self.dates is None else self.dates[index],
            None if self.places is None else self.places[index],
        )

    def fingerprint(self) -> str:
        arrays = [(a.tobytes().hex(), str(a.dtype), a.shape) for a in (self.images, self.targets)]
        context = [str(self.dates), str(self.places)]
        return fingerprint([*arrays, [band.name for band in self.info.bands], context])


_given: list[Arrays] = []


def open_arrays(section: ArraysData) -> Arrays:
    return _given[section.number]


if "arrays" not in registries.datasets.names():
    registries.datasets.register(Entry("arrays", ArraysData, open_arrays))


def give(
    images: npt.NDArray[Any],
    targets: npt.NDArray[Any],
    bands: Sequence[Band],
    classes: int | Sequence[str],
    ignore_index: int = 255,
    task: str | None = None,
    dates: Sequence[Any] | None = None,
    places: Sequence[Any] | None = None,
    **declared: Any,
) -> dict[str, Any]:
    """Make arrays the dataset that ``data: {name: arrays}`` opens; returns that section.

    `declared` are further fields of its `DatasetInfo`.
    """
    dense = targets.ndim > 1
    count, _, *frames, height, width = images.shape
    names = [f"class {n}" for n in range(classes)] if isinstance(classes, int) else classes
    info = DatasetInfo(
        name="arrays",
        task=task or ("segmentation" if dense else "classification"),
        classes=tuple(names),
        bands=tuple(bands),
        sizes={"train": count, "val": count, "test": count},
        height=height,
        width=width,
        frames=frames[0] if frames else 1,
        ignore_index=ignore_index,
    )
    info = replace(info, **declared)
    _given.append(Arrays(images, targets, info, dates, places))
    return {"name": "arrays", "number": len(_given) - 1, "bands": None, "batch_size": 4}


RGB = tuple(Band(name, name, unit="uint8") for name in ("red", "green", "blue"))


def random_images(shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

"""Datasets with coordinates: any `GeoDataset`s of TorchGeo, by the paths of their classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iterate_core.data.blocks import in_degrees
from iterate_core.data.dataset import SPLITS, Split
from iterate_core.data.keyed.images import Stack
from iterate_core.data.keyed.reader import Found, KeyedReader
from iterate_core.data.torchgeo.areas import areas_of, rasterio_crs
from iterate_core.data.torchgeo.geo_options import GeoData
from iterate_core.data.torchgeo.joined import ALL, Joined
from iterate_core.data.torchgeo.patches import Patch, corners_of


def open_geo(section: GeoData) -> KeyedReader:
    """Open `GeoDataset`s as patches; see `iterate_core.data.dataset.Reader`.

    Raises:
        RequestError: The recipe does not say what must be said.
        DataError: A dataset is absent, its class raises something, or a split is empty.
    """
    return KeyedReader(section, _Patches(section))


class _Patches:
    """See `iterate_core.data.keyed.reader.Samples`: a split and a number are a name."""

    images: tuple[str, ...] = ("image",)
    stack: Stack = "bands"

    def __init__(self, section: GeoData) -> None:
        self._joined = Joined(section)
        areas = areas_of(section, self._joined)
        self._patches: dict[str, tuple[Split, Patch]] = {
            f"{split}-{number}": (split, patch)
            for split in SPLITS
            for number, patch in enumerate(areas.patches[split])
        }
        self.names: Mapping[Split, Sequence[str]] = {
            split: [f"{split}-{number}" for number in range(len(areas.patches[split]))]
            for split in SPLITS
        }
        first = self._joined[self._joined.parts[0]]
        self._crs = rasterio_crs(first)
        self.found = Found(
            name=self._joined.name,
            bands=self._joined.bands(),
            classes=self._joined.classes(),
            metres=_metres(self._crs, first.res),
            crs=self._crs.to_string(),
            notes=(_extent(first), *areas.notes),
        )

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """See `Samples`."""
        split, patch = self._patches[name]
        dataset = self._joined[ALL if ALL in self._joined.parts else self._part(split)]
        with self._joined.told(f"reads patch {name!r}"):
            sample: Mapping[str, Any] = dataset[patch.query]
        return sample

    def about(self, name: str) -> tuple[tuple[float, float], tuple[int, int] | None]:
        """See `Samples`."""
        _, patch = self._patches[name]
        longitude, latitude = in_degrees(self._crs, corners_of([patch]))[0].mean(axis=0)
        return (float(latitude), float(longitude)), patch.day

    def content(self) -> dict[str, Any]:
        """See `Samples`."""
        return self._joined.content()

    def _part(self, split: Split) -> str:
        """The dataset that holds a split: its own, or that of training, which it is drawn from."""
        return split if split in self._joined.parts else "train"


def _metres(crs: Any, resolution: tuple[float, float]) -> float | None:
    """Ground size of a pixel; None where coordinates are no lengths."""
    if not crs.is_projected:
        return None
    _, factor = crs.linear_units_factor
    return float(abs(resolution[0]) * factor)


def _extent(dataset: Any) -> str:
    x, y, _ = dataset.bounds
    width, height = dataset.res
    covers = f"covers x {x.start:.10g} to {x.stop:.10g}, y {y.start:.10g} to {y.stop:.10g}"
    pixels = f"{width:.6g}" if width == height else f"{width:.6g} × {height:.6g}"
    return f"{covers} in pixels of {pixels} ({dataset.crs.axis_info[0].unit_name})"

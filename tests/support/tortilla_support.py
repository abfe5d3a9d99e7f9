"""Tortilla files: looked at without the reader, and read whole with it."""

import io
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from iterate_core.data.dataset import SPLITS, Boxes, Sample
from iterate_core.data.geobench_v2.options import GeoBenchV2Data
from iterate_core.data.geobench_v2.reader import GeoBenchV2
from iterate_core.data.geobench_v2.synthetic.writer import (
    NewFile,
    NewSample,
    geotiff_file,
    write_tortilla,
)


def table(blob: bytes) -> list[dict[str, Any]]:
    """The table at the end of a blob, read as the format's documents say."""
    assert blob[:2] == b"#y"
    offset, length = struct.unpack("<QQ", blob[2:18])
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(
        io.BytesIO(blob[offset : offset + length])
    ).to_pylist()
    return rows


def samples(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, tuple[dict[str, Any], bytes]]]]:
    """Each sample's row, and its files: identifier → (row, bytes)."""
    whole = path.read_bytes()
    for row in table(whole):
        blob = whole[row["tortilla:offset"] :][: row["tortilla:length"]]
        files = {}
        for inner in table(blob):
            start = inner["tortilla:offset"]
            files[inner["tortilla:id"]] = (inner, blob[start : start + inner["tortilla:length"]])
        yield row, files


def raster(path: Path, sample: dict[str, Any], row: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The pixels of one GeoTIFF, found by GDAL itself inside the whole file."""
    import warnings

    start = sample["tortilla:offset"] + row["tortilla:offset"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(f"/vsisubfile/{start}_{row['tortilla:length']},{path}") as file:
            pixels: np.ndarray[Any, Any] = file.read()
            return pixels


def fingers(sample: Sample) -> tuple[Any, ...]:
    """Everything of a sample in a form that compares."""
    target = sample.target
    if isinstance(target, Boxes):
        masks = None if target.masks is None else target.masks.tobytes()
        label: Any = (target.corners.tobytes(), target.labels.tobytes(), masks)
    else:
        label = np.asarray(target).tobytes()
    return sample.image.shape, sample.image.tobytes(), label, sample.dates, sample.place


def everything(root: Path, dataset: str) -> dict[str, object]:
    """What all samples of a dataset hold, by split and name."""
    reader = GeoBenchV2(GeoBenchV2Data(root=root, dataset=dataset))
    bands = [band.name for band in reader.info.bands]
    return {
        f"{split}/{name}": fingers(reader.read(name, bands))
        for split in SPLITS
        for name in reader.names(split)
    }


def contents(found: dict[str, object]) -> Counter[tuple[str, object]]:
    """What the samples of each split hold, whatever their identifiers."""
    return Counter((key.split("/")[0], value) for key, value in found.items())


def tiny(path: Path, files: list[NewFile] | None = None) -> Path:
    """One sample a split, of a burn scar's files."""
    image = geotiff_file("image", np.full((6, 4, 4), 0.25, np.float32))
    mask = geotiff_file("label", np.ones((1, 4, 4), np.int16))
    splits = ("train", "validation", "test")
    whole = files if files is not None else [image, mask]
    write_tortilla(path, [NewSample(f"s{split}", split, whole) for split in splits])
    return path

"""Cloud-optimised GeoTIFFs of finished maps, by GDAL's own driver."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement

from iterate_core.inference.dense.raw import RawMap

CACHE_MEGABYTES = 64
"""GDAL's cache of blocks; its default is a share of the machine's memory."""
_TYPES = {"uint8": "Byte", "uint16": "UInt16", "float32": "Float32"}


def write_cog(
    raw: RawMap, path: Path, crs: Any, transform: Any, tags: Mapping[str, str]
) -> tuple[Path, ...]:
    """Write a map as a cloud-optimised GeoTIFF, whole or not at all.

    Args:
        raw: The map, finished.
        path: Of the GeoTIFF.
        crs: A `rasterio.crs.CRS`, or None.
        transform: From columns and rows to its coordinates.
        tags: What its file says of itself.

    Returns:
        The GeoTIFF, and the file beside it in which GDAL keeps names of classes.
    """
    import rasterio
    from rasterio import shutil

    described = raw.path.with_suffix(".vrt")
    _describe(raw, described, crs, transform, tags)
    part = raw.path.with_suffix(".part.tif")
    options = {
        "COMPRESS": "DEFLATE",
        "BIGTIFF": "IF_SAFER",
        "RESAMPLING": "MODE" if raw.output.categories else "AVERAGE",
        "PREDICTOR": "NO" if raw.output.categories else "YES",
        "STATISTICS": "NO",
    }
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MEGABYTES):
        shutil.copy(described, part, driver="COG", **options)
    written = []
    for ending in (".aux.xml", ""):
        made = part.with_name(part.name + ending)
        if made.exists():
            with made.open("rb") as file:
                os.fsync(file.fileno())
            written.append(made.replace(path.with_name(path.name + ending)))
    return tuple(reversed(written))


def _describe(raw: RawMap, path: Path, crs: Any, transform: Any, tags: Mapping[str, str]) -> None:
    """Write a file of GDAL's virtual format, which says what the plain file's bytes are."""
    root = Element("VRTDataset", rasterXSize=str(raw.width), rasterYSize=str(raw.height))
    if crs is not None:
        _text(root, "SRS", crs.to_wkt())
    if transform is not None and not transform.is_identity:
        _text(root, "GeoTransform", ", ".join(repr(value) for value in transform.to_gdal()))
    metadata = SubElement(root, "Metadata")
    for key, value in tags.items():
        SubElement(metadata, "MDI", key=key).text = value
    for number, name in enumerate(raw.output.bands, start=1):
        _band(root, raw, number, name)
    ElementTree(root).write(path, encoding="utf-8")


def _band(root: Element, raw: RawMap, number: int, name: str) -> None:
    output, kind = raw.output, _TYPES[raw.output.kind]
    band = SubElement(
        root, "VRTRasterBand", dataType=kind, band=str(number), subClass="VRTRawRasterBand"
    )
    _text(band, "Description", name)
    if output.unit is not None:
        _text(band, "UnitType", output.unit)
    _text(band, "NoDataValue", repr(output.nodata))
    if output.categories:
        _classes(band, raw)
    SubElement(band, "SourceFilename", relativetoVRT="1").text = raw.path.name
    _text(band, "ImageOffset", str((number - 1) * raw.height * raw.width * raw.itemsize))
    _text(band, "PixelOffset", str(raw.itemsize))
    _text(band, "LineOffset", str(raw.width * raw.itemsize))
    _text(band, "ByteOrder", "LSB")


def _classes(band: Element, raw: RawMap) -> None:
    _text(band, "ColorInterp", "Palette")
    names = SubElement(band, "CategoryNames")
    for category in raw.output.categories:
        _text(names, "Category", category)
    table = SubElement(band, "ColorTable")
    for red, green, blue in raw.output.colours:
        SubElement(table, "Entry", c1=str(red), c2=str(green), c3=str(blue), c4="255")


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text

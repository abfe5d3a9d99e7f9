"""STAC items as files of a scene: the assets that hold what a model uses.

Items are read of versions 1.0 (``eo:bands``, ``raster:bands``) and 1.1 (``bands``):
https://github.com/radiantearth/stac-spec.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iterate_core.data.bands import describe, family_of
from iterate_core.data.dataset import Band
from iterate_core.engine.description import ModelDescription
from iterate_core.errors import DataError, Problem
from iterate_core.inference.scenes.addresses import beside, is_item, scheme_of, shown
from iterate_core.inference.scenes.base import SceneFile
from iterate_core.inference.scenes.item_fields import (
    MalformedError,
    address,
    asset_of,
    mark_of,
    number,
    objects,
    texts,
)
from iterate_core.inference.scenes.matching import fitting, used_bands
from iterate_core.inference.scenes.remote import document
from iterate_core.storage.limits import check_plain_file

_FOR_THE_EYE = {"visual", "overview", "thumbnail"}
_TYPES = ("profile=cloud-optimized", "image/tiff", "image/vnd.stac.geotiff", "image/jp2", "image/")
_LANDSAT = {"nir08": "nir"}  # the common name of what is nir on Landsat, and nir_narrow elsewhere


@dataclass(frozen=True)
class Asset:
    """A file of an item.

    Attributes:
        href: Where it lies.
        names: Of each of its bands all that it is called.
        scales: Of each band factor and summand of its numbers; None where the item says nothing.
        nodata: The value that marks missing data, where the item says.
        rank: The less, the sooner it is taken.
    """

    href: str
    names: tuple[tuple[str, ...], ...]
    scales: tuple[tuple[float, float], ...] | None
    nodata: float | None
    rank: tuple[int, int, float]


def expanded(
    files: Sequence[SceneFile], description: ModelDescription
) -> tuple[list[SceneFile], int]:
    """Files of a scene, in the place of each item those of its assets that a model needs.

    Returns:
        The files, and how many of them stand for the first that was given.

    Raises:
        DataError: An item cannot be had, or is none.
    """
    alone = len(files) == 1
    each = [
        _of_item(file, description, alone=alone) if is_item(file.path) else [file] for file in files
    ]
    return [file for found in each for file in found], len(each[0])


def _of_item(file: SceneFile, description: ModelDescription, *, alone: bool) -> list[SceneFile]:
    """The assets to read; of an item that is the whole scene they must hold every band."""
    item = _read(file.path)
    properties = item["properties"]
    assets = sorted(_assets(item, file.path, properties), key=lambda asset: asset.rank)
    wanted = [description.bands[index] for index in used_bands(description)]
    family = _family(properties)
    named = [(asset, _named(asset, wanted, family)) for asset in assets]
    chosen: dict[int, None] = {}
    lacking: list[str] = []
    for band in wanted:
        holding = (n for n, (_, names) in enumerate(named) if fitting(band, names))
        first = next(holding, None)
        if first is None:
            lacking.append(band.name)
        else:
            chosen[first] = None
    if lacking and (alone or not chosen):
        bands = f"band{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}"
        has = ", ".join(sorted({name for _, names in named for name in names})) or "none"
        what = f"has no asset with the {bands}, which the model uses."
        raise DataError(Problem(shown(file.path), what, f"Its assets' bands: {has}."))
    taken = str(properties.get("datetime") or properties.get("start_datetime") or "")[:10]
    return [
        replace(
            file,
            path=asset.href,
            date=file.date or taken or None,
            bands=names,
            nodata=asset.nodata if file.nodata is None else file.nodata,
            scales=asset.scales,
        )
        for asset, names in (named[first] for first in chosen)
    ]


def _read(path: str) -> dict[str, Any]:
    """An item's document."""
    if scheme_of(path) in ("http", "https"):
        text = document(path)
    elif scheme_of(path) is not None:
        what = "items are read from http:// and https:// and from this machine."
        raise DataError(Problem(shown(path), what, "Copy the item here; its assets may stay."))
    else:
        check_plain_file(Path(path))
        try:
            text = Path(path).read_bytes()
        except OSError as error:
            raise DataError(Problem(path, f"cannot be read ({error.strerror}).")) from None
    try:
        item = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(Problem(shown(path), f"is not valid JSON ({error}).")) from None
    if not isinstance(item, dict) or not isinstance(item.get("assets"), dict):
        what = "is no STAC item: it has no assets."
    elif item.get("type") != "Feature":
        what = f"is a {item.get('type')}, not a STAC item."
    elif not isinstance(item.get("properties") or {}, dict):
        what = "is no STAC item: its properties are no object."
    else:
        return {**item, "properties": item.get("properties") or {}}
    raise DataError(Problem(shown(path), what, "Give items: each is one scene."))


def _assets(item: Mapping[str, Any], path: str, properties: Mapping[str, Any]) -> list[Asset]:
    """Of the assets those that are images, by what the item says of them.

    Raises:
        DataError: What it says is not of the specification's types; the asset is named.
    """
    applied = bool(properties.get("earthsearch:boa_offset_applied"))
    found = []
    for name, fields in item["assets"].items():
        try:
            asset = asset_of(fields)
            rank = _rank(asset)
            if rank is not None:
                href = beside(path, address(asset))
                found.append(_asset(name, asset, href, rank, applied=applied))
        except MalformedError as error:
            hint = "Correct the item: https://github.com/radiantearth/stac-spec"
            raise DataError(Problem(shown(path), f"asset {name!r}: {error}.", hint)) from None
    return found


def _rank(asset: Mapping[str, Any]) -> tuple[int, int, float] | None:
    """What is for the eye and of coarser pixels comes last; None of what is no image."""
    kind = str(asset.get("type") or "")
    preference = next((i for i, start in enumerate(_TYPES) if start in kind), None)
    if preference is None:
        if kind:
            return None
        preference = len(_TYPES)
    roles = set(texts(asset, "roles"))
    if "thumbnail" in roles or (roles and roles <= {"metadata"}):
        return None
    rasters = objects(asset, "raster:bands")
    metres = asset.get("gsd") or (rasters[0] if rasters else {}).get("spatial_resolution")
    seen = bool(roles & _FOR_THE_EYE) and "data" not in roles
    size = float(metres) if isinstance(metres, int | float) else 0.0
    return int(seen or "visual" in roles), preference, size


def _asset(
    name: str,
    asset: Mapping[str, Any],
    href: str,
    rank: tuple[int, int, float],
    *,
    applied: bool,
) -> Asset:
    """An asset by what the versions of the specification say of its bands.

    What is said of one band stands beside it, in a list of rasters, or at the asset itself.
    """
    optical = objects(asset, "eo:bands") or objects(asset, "bands")
    rasters = objects(asset, "raster:bands") or objects(asset, "bands")
    count = max(len(optical), len(rasters), 1)
    names, scales, marks = [], [], []
    for index in range(count):
        band = optical[index] if index < len(optical) else {}
        raster = {**asset, **(rasters[index] if index < len(rasters) else {})}
        called = [band.get("name"), band.get("eo:common_name") or band.get("common_name")]
        called += [name] if count == 1 else []
        names.append(tuple(str(one) for one in called if one) or (f"{name}_{index + 1}",))
        scale = number(raster, "raster:scale", "scale") or 1.0
        offset = number(raster, "raster:offset", "offset") or 0.0
        scales.append((scale, 0.0 if applied else offset))
        marks.append(raster.get("nodata"))
    said = any(scale != (1.0, 0.0) for scale in scales)
    return Asset(href, tuple(names), tuple(scales) if said else None, mark_of(marks[0]), rank)


def _family(properties: Mapping[str, Any]) -> str | None:
    """The sensor whose short names an item uses."""
    said = (properties.get(field) for field in ("constellation", "platform"))
    words = [str(word).casefold() for word in said if word]
    return next((found for word in words if (found := family_of(word))), None)


def _named(asset: Asset, wanted: Sequence[Band], family: str | None) -> tuple[str, ...]:
    """One name for each band of an asset: the model's own, else one whose meaning is known."""
    own = {band.name for band in wanted}
    chosen = []
    for names in asset.names:
        if family == "landsat-8":
            names = tuple(_LANDSAT.get(name, name) for name in names)
        known = (name for name in names if describe([name], family)[0].common is not None)
        exact = next((name for name in names if name in own), None)
        plain = exact or next(known, names[0])
        chosen.append(_unambiguous(plain, family))
    return tuple(chosen)


def _unambiguous(name: str, family: str | None) -> str:
    """The common name where the short one means something else on another sensor."""
    meaning = describe([name], family)[0].common
    return meaning if meaning is not None and describe([name])[0].common is None else name

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
    each = [_of_item(file, description) if is_item(file.path) else [file] for file in files]
    return [file for found in each for file in found], len(each[0])


def _of_item(file: SceneFile, description: ModelDescription) -> list[SceneFile]:
    item = _read(file.path)
    properties: Mapping[str, Any] = item.get("properties") or {}
    assets = sorted(_assets(item, file.path, properties), key=lambda asset: asset.rank)
    wanted = [description.bands[number] for number in used_bands(description)]
    family = _family(properties)
    named = [(asset, _named(asset, wanted, family)) for asset in assets]
    chosen: dict[int, None] = {}
    for band in wanted:
        holding = (n for n, (_, names) in enumerate(named) if fitting(band, names))
        number = next(holding, None)
        if number is not None:
            chosen[number] = None
    if not chosen:
        names = ", ".join(band.name for band in wanted)
        has = ", ".join(sorted({name for _, names in named for name in names})) or "none"
        what = f"has no asset with any of the bands that the model uses: {names}."
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
        for asset, names in (named[number] for number in chosen)
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
    else:
        return item
    raise DataError(Problem(shown(path), what, "Give items: each is one scene."))


def _assets(item: Mapping[str, Any], path: str, properties: Mapping[str, Any]) -> list[Asset]:
    applied = bool(properties.get("earthsearch:boa_offset_applied"))
    found = []
    for name, asset in item["assets"].items():
        if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
            continue
        rank = _rank(asset)
        if rank is not None:
            found.append(_asset(name, asset, beside(path, asset["href"]), rank, applied=applied))
    return found


def _rank(asset: Mapping[str, Any]) -> tuple[int, int, float] | None:
    """What is for the eye and of coarser pixels comes last; None of what is no image."""
    kind = str(asset.get("type") or "")
    preference = next((i for i, start in enumerate(_TYPES) if start in kind), None)
    if preference is None:
        if kind:
            return None
        preference = len(_TYPES)
    roles = set(asset.get("roles") or ())
    if "thumbnail" in roles or (roles and roles <= {"metadata"}):
        return None
    metres = asset.get("gsd") or _first(asset, "raster:bands").get("spatial_resolution")
    seen = bool(roles & _FOR_THE_EYE) and "data" not in roles
    size = float(metres) if isinstance(metres, int | float) else 0.0
    return int(seen or "visual" in roles), preference, size


def _first(asset: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    return next((band for band in asset.get(field) or () if isinstance(band, dict)), {})


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
    optical = asset.get("eo:bands") or asset.get("bands") or []
    rasters = asset.get("raster:bands") or asset.get("bands") or []
    count = max(len(optical), len(rasters), 1)
    names, scales, marks = [], [], []
    for index in range(count):
        band = optical[index] if index < len(optical) else {}
        raster = {**asset, **(rasters[index] if index < len(rasters) else {})}
        called = [band.get("name"), band.get("eo:common_name") or band.get("common_name")]
        called += [name] if count == 1 else []
        names.append(tuple(str(one) for one in called if one) or (f"{name}_{index + 1}",))
        scale = raster.get("raster:scale", raster.get("scale", 1.0))
        offset = raster.get("raster:offset", raster.get("offset", 0.0))
        scales.append((float(scale or 1.0), 0.0 if applied else float(offset or 0.0)))
        marks.append(raster.get("nodata"))
    said = any(scale != (1.0, 0.0) for scale in scales)
    return Asset(href, tuple(names), tuple(scales) if said else None, _number(marks[0]), rank)


def _number(mark: Any) -> float | None:
    """A nodata value, which JSON writes as a number or as a word such as ``nan``."""
    try:
        return None if mark is None else float(mark)
    except (TypeError, ValueError):
        return None


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

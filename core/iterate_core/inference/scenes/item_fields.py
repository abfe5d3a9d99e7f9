"""Fields of a STAC item's assets, none of which is what the specification says until it is seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


class MalformedError(ValueError):
    """A field is of another type than the specification's; says which and what it is."""


def asset_of(fields: Any) -> Mapping[str, Any]:
    """An asset.

    Raises:
        MalformedError: It is none.
    """
    if not isinstance(fields, dict):
        raise MalformedError(f"is {_shown(fields)}, not an object")
    return fields


def address(fields: Mapping[str, Any]) -> str:
    """Where an asset lies.

    Raises:
        MalformedError: It does not say.
    """
    href = fields.get("href")
    if not isinstance(href, str) or not href:
        raise MalformedError(f"its href is {_shown(href)}, not an address")
    return href


def objects(fields: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A list of objects; an empty one where the field is absent.

    Raises:
        MalformedError: It is something else.
    """
    found = fields.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise MalformedError(f"its {name} is {_shown(found)}, not a list of objects")
    return found


def texts(fields: Mapping[str, Any], name: str) -> list[str]:
    """A list of words; an empty one where the field is absent.

    Raises:
        MalformedError: It is something else.
    """
    found = fields.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise MalformedError(f"its {name} is {_shown(found)}, not a list of words")
    return found


def number(fields: Mapping[str, Any], *names: str) -> float | None:
    """The first of the fields that is there; None where none is.

    Raises:
        MalformedError: It is no finite number.
    """
    name = next((name for name in names if fields.get(name) is not None), None)
    if name is None:
        return None
    found = fields[name]
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise MalformedError(f"its {name} is {_shown(found)}, not a number")
    if not math.isfinite(mark_of(found) or 0.0):
        raise MalformedError(f"its {name} is {_shown(found)}, not a finite number")
    return float(found)


def mark_of(nodata: Any) -> float | None:
    """A nodata value, which JSON writes as a number or as a word such as ``nan``."""
    try:
        return None if nodata is None else float(nodata)
    except (TypeError, ValueError):
        return None
    except OverflowError:
        return math.inf


def _shown(found: Any) -> str:
    text = repr(found)
    return text if len(text) <= 40 else f"{text[:37]}…"

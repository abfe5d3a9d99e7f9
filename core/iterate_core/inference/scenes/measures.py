"""In which unit a file keeps a band, and how it becomes the one that a model takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from iterate_core.data.bands import guess_unit, key, match
from iterate_core.data.dataset import Band
from iterate_core.data.units import UNITS, Channel, converted, unit_of_tags
from iterate_core.errors import DataError, Problem
from iterate_core.inference.scenes.base import Units

_GROUPS = {
    "reflectance": "optical",
    "brightness": "optical",
    "backscatter": "radar",
    "backscatter in decibel": "radar",
    "amplitude": "radar",
}
"""Quantities that one unit said of all bands may stand for; any other stands for itself."""

_WORDS = {
    "m": "metre", "meter": "metre", "meters": "metre", "metres": "metre",
    "k": "kelvin", "degrees": "degree", "decibel": "db",
}  # fmt: skip
"""What files call units, beside our own names."""


@dataclass(frozen=True)
class Values:
    """The least, the middle and the largest of some of a band's numbers."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Stored:
    """A band as a file keeps it.

    Attributes:
        where: The file, for messages.
        name: Of the band in the file.
        wanted: The model's band.
        kind: Type of the numbers.
        scale: Factor and summand that numbers become physical by.
        word: What the file says of the unit.
        said: What a person says of the unit.
        values: Looks at some numbers; None where there are none with data.
    """

    where: str
    name: str
    wanted: Band
    kind: np.dtype[Any]
    scale: tuple[float, float]
    word: str
    said: str | None
    values: Callable[[], Values | None]


@dataclass(frozen=True)
class Measure:
    """How a band's numbers are understood.

    Attributes:
        unit: Of them, once they are `gain` · x + `offset`.
        gain: See `unit`.
        offset: See `unit`.
        told: Who says so: ``said``, ``file``, or how it was ``taken`` where nobody does.
    """

    unit: str
    gain: float = 1.0
    offset: float = 0.0
    told: str = "said"


def said_of(units: Units | None, band: Band, name: str) -> str | None:
    """What a person says of the unit of one of the model's bands, which a file calls `name`."""
    if units is None:
        return None
    if isinstance(units, Mapping):
        own = (unit for said, unit in units.items() if answers(said, band, name))
        return next(own, None)
    return units if _concerns(units, band) else None


def answers(said: str, band: Band, name: str) -> bool:
    """Whether a word means one of the model's bands, which a file calls `name`."""
    return key(said) == key(name) or bool(match(said, [band]))


def _concerns(unit: str, band: Band) -> bool:
    """Whether a unit said of all bands can be meant of this one."""
    groups = [
        None if one not in UNITS else _GROUPS.get(UNITS[one].quantity, UNITS[one].quantity)
        for one in (unit, band.unit)
    ]
    return None in groups or groups[0] == groups[1]


def is_light_or_radar(band: Band) -> bool:
    """Whether a band is of what is hardly ever 0: reflected light or radar, not heights or rain."""
    return _GROUPS.get(_quantity(band.unit)) is not None


def measure(stored: Stored) -> Measure:
    """How to understand a band: as a person or the file says, else by its type and values.

    A file that says nothing is taken to be in the unit of the training data if its numbers can be;
    else its unit is guessed as that of training data is.

    Raises:
        DataError: Its numbers are in no unit that can be guessed.
    """
    trained = stored.wanted.unit
    if stored.said is not None:
        return Measure(stored.said)
    if stored.scale != (1.0, 0.0):
        return _scaled(stored)
    word = _unit_of_word(stored.word)
    if word is not None:
        return Measure(word, told="file")
    if trained == "unknown":
        return Measure(trained, told="taken")
    values = stored.values()
    if _can_be(trained, stored.kind, values):
        return Measure(trained, told="taken")
    guess = guess_unit(stored.wanted, stored.kind, None if values is None else values.high)
    if guess != "unknown" or values is None:
        return Measure(guess if guess != "unknown" else trained, told="taken")
    what = (
        f"does not say the unit of band {stored.name!r}, whose numbers of {stored.kind} from "
        f"{values.low:g} to {values.high:g} are hardly {UNITS[trained].meaning}."
    )
    raise DataError(Problem(stored.where, what, f"Say it with --unit; the model takes {trained}."))


def _scaled(stored: Stored) -> Measure:
    """A band whose file says how its numbers become physical."""
    gain, offset = stored.scale
    optical = _GROUPS.get(_quantity(stored.wanted.unit)) == "optical" or stored.wanted.wavelength
    if optical:
        unit = unit_of_tags(gain, offset)
        return (
            Measure("reflectance", gain, offset, "file")
            if unit is None
            else Measure(unit, told="file")
        )
    return Measure(_unit_of_word(stored.word) or stored.wanted.unit, gain, offset, "file")


def _quantity(unit: str) -> str:
    return UNITS[unit].quantity if unit in UNITS else ""


def _unit_of_word(word: str) -> str | None:
    plain = word.strip().casefold()
    return _WORDS.get(plain) or (plain if plain in UNITS else None)


def _can_be(unit: str, kind: np.dtype[Any], values: Values | None) -> bool:
    """Whether numbers of a type can be in a unit."""
    if unit == "uint8":
        return kind == np.uint8 or (values is not None and 2 < values.high <= 255)
    if kind == np.uint8 and _GROUPS.get(_quantity(unit)) == "optical":
        return False
    if values is None:
        return True
    if unit in ("reflectance", "fraction"):
        return kind.kind == "f" and values.high <= 2
    if _quantity(unit) == "reflectance":
        return values.high > 255
    if unit == "linear":
        return values.middle >= 0
    return unit != "db" or values.middle < 0


def channel_of(stored: Stored, found: Measure, source: int) -> Channel:
    """What is done to a band's physical numbers so that they are in the model's unit.

    Args:
        stored: The band.
        found: How its numbers are understood.
        source: Number of the band among those that are read.

    Raises:
        DataError: One unit does not convert into the other.
    """
    trained = stored.wanted.unit
    plain = Channel(source)
    if found.unit == trained or trained == "unknown":
        return plain
    made = converted(plain, found.unit, trained)
    if made is not None:
        return made
    what = f"keeps band {stored.name!r} as {_meaning(found.unit)}, which does not become "
    hint = f"If its numbers are in another unit: --unit; the model takes {trained}."
    if _quantity(found.unit) == "brightness":
        hint = f"Give the product with its own numbers, from before it was made for the eye. {hint}"
    raise DataError(Problem(stored.where, f"{what}{_meaning(trained)}.", hint))


def _meaning(unit: str) -> str:
    return f"{UNITS[unit].meaning} ({unit})" if unit in UNITS else "numbers of an unknown unit"


def affine(channel: Channel, found: Measure) -> Channel | None:
    """A channel of stored numbers rather than physical ones; None where its curve forbids it."""
    if (found.gain, found.offset) == (1.0, 0.0):
        return channel
    if channel.curve is not None:
        return None
    return replace(
        channel,
        shift=(channel.shift - found.offset) / found.gain,
        scale=channel.scale / found.gain,
    )

"""Units of pixels, and what is done to a stored band before a model sees it. Imports no torch.

Units of one quantity convert into each other. Reflectance also converts into 8-bit brightness, as
ESA makes its true-colour images of Sentinel-2 (a reflectance of 0.3558 becomes 255, what is
brighter too); nothing converts back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

Curve = Literal["decibel", "power"]
TRUE_COLOUR_WHITE = 0.3558
"""The reflectance that becomes 255 in ESA's true-colour images (Sentinel-2 products, TCI)."""


@dataclass(frozen=True)
class Unit:
    """A unit as gain · x + offset of its quantity's base unit.

    Attributes:
        quantity: What is measured.
        gain: Of the base unit.
        offset: In the base unit.
        meaning: For people.
        span: What its values reach from 0, in the unit; None where nothing bounds them.
    """

    quantity: str
    gain: float
    offset: float
    meaning: str
    span: float | None = None


UNITS = {
    "reflectance": Unit("reflectance", 1.0, 0.0, "reflectance, 0 to 1", 1.0),
    "dn": Unit("reflectance", 1e-4, 0.0, "reflectance × 10,000", 10_000.0),
    "landsat_sr": Unit("reflectance", 2.75e-5, -0.2, "Landsat Collection 2 Level 2 numbers"),
    "landsat_toa": Unit("reflectance", 2e-5, -0.1, "Landsat Collection 2 Level 1 numbers"),
    "uint8": Unit("brightness", 1.0, 0.0, "8-bit brightness, 0 to 255", 255.0),
    "fraction": Unit("brightness", 255.0, 0.0, "8-bit brightness ÷ 255", 1.0),
    "linear": Unit("backscatter", 1.0, 0.0, "radar backscatter as power"),
    "db": Unit("backscatter in decibel", 1.0, 0.0, "radar backscatter in decibel"),
    "degree": Unit("angle", 1.0, 0.0, "degrees"),
    "grd": Unit("amplitude", 1.0, 0.0, "Sentinel-1 GRD numbers, uncalibrated"),
    "kelvin": Unit("temperature", 1.0, 0.0, "brightness temperature in kelvin"),
    "landsat_tir": Unit("thermal counts", 1.0, 0.0, "Landsat Level 1 numbers of a thermal band"),
    "metre_of_water": Unit("precipitation", 1.0, 0.0, "precipitation in metres"),
    "metre": Unit("height", 1.0, 0.0, "metres"),
    "probability": Unit("probability", 1.0, 0.0, "probability", 1.0),
}
"""Every unit that converts; ``unknown`` is none of them."""


def unit_of_scale(scale: float) -> str | None:
    """The unit whose numbers a factor turns into reflectance; None where no unit has the factor.

    A factor of 1 tells nothing: many units are numbers to be taken as they are.
    """
    fitting = (
        name
        for name, unit in UNITS.items()
        if unit.quantity == "reflectance"
        and unit.gain != 1
        and math.isclose(unit.gain, scale, rel_tol=1e-6)
    )
    return next(fitting, None)


def unit_of_tags(scale: float, offset: float) -> str | None:
    """The unit of numbers that are reflectance, or brightness to 1, by a factor and a summand.

    None where no unit has both; those that change nothing tell nothing.
    """
    if (scale, offset) == (1, 0):
        return None
    for name, unit in UNITS.items():
        gain = {"reflectance": unit.gain, "brightness": unit.gain / 255}.get(unit.quantity)
        same = gain is not None and math.isclose(gain, scale, rel_tol=1e-6)
        if same and math.isclose(unit.offset, offset, abs_tol=1e-9):
            return name
    return None


@dataclass(frozen=True)
class Channel:
    """How one channel of a model comes from a stored band: curve, (x − shift) / scale, limits.

    Attributes:
        source: Index of the stored band; None fills the channel with zeros.
        curve: ``decibel`` takes 10 · log10 first, ``power`` its inverse.
        shift: In the unit behind the curve.
        scale: Likewise; above 0.
        low: What is lower becomes this.
        high: What is higher becomes this.
        steps: Values are cut to multiples of 1 / steps; None leaves them.
    """

    source: int | None
    curve: Curve | None = None
    shift: float = 0.0
    scale: float = 1.0
    low: float = -math.inf
    high: float = math.inf
    steps: int | None = None


def same_quantity(one: str, other: str) -> bool:
    """Whether two units measure the same quantity; ``unknown`` measures none."""
    return one in UNITS and other in UNITS and UNITS[one].quantity == UNITS[other].quantity


def converted(channel: Channel, stored: str, wanted: str) -> Channel | None:
    """A channel of pixels in one unit, made to take pixels in another.

    Args:
        channel: What is done to pixels in the unit `wanted`.
        stored: The unit of the pixels that come.
        wanted: The unit that `channel` takes.

    Returns:
        The same channel for pixels in the unit `stored`; None where no conversion exists.
    """
    here, there = UNITS.get(stored), UNITS.get(wanted)
    if here is None or there is None:
        return None
    gain, offset = here.gain / there.gain, (here.offset - there.offset) / there.gain
    curve: Curve | None = None
    low, high = channel.low, channel.high
    if (stored, wanted) in _CURVED:
        curve, gain, offset = _CURVED[stored, wanted], 1.0, 0.0
    elif (here.quantity, there.quantity) == ("reflectance", "brightness"):
        factor = 255 / TRUE_COLOUR_WHITE / there.gain
        gain, offset = here.gain * factor, here.offset * factor
        black, white = (-channel.shift / channel.scale, (255 / there.gain - channel.shift))
        low, high = max(low, black), min(high, white / channel.scale)
    elif here.quantity != there.quantity:
        return None
    shift = (channel.shift - offset) / gain
    return replace(
        channel, curve=curve, shift=shift, scale=channel.scale / gain, low=low, high=high
    )


_CURVED: dict[tuple[str, str], Curve] = {("linear", "db"): "decibel", ("db", "linear"): "power"}

"""Names beside points, where there is room for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

# The narrowest field in which names are shown, in pixels; a wider one only leaves them more room.
_WIDE, _HIGH = 900.0, 384.0
_LETTER, _LINE = 6.3, 13.0  # of a name
_RADIUS = 9.5  # of a point
_GAP = 3.0


class Spot(NamedTuple):
    """A point to be named.

    Attributes:
        share: Where it stands across, 0 to 1.
        aside: And by how many pixels more.
        level: Where it stands from the top, 0 to 1.
        name: What it is called.
    """

    share: float
    aside: float
    level: float
    name: str


class Label(NamedTuple):
    """Where a name stands, from the centre of its point.

    Attributes:
        right: Pixels to the right.
        down: Pixels down.
        anchor: Which end of the name stands there.
    """

    right: float
    down: float
    anchor: Literal["start", "end", "middle"]


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    @property
    def inside(self) -> bool:
        return self.left >= 0 and self.top >= 0 and self.right <= _WIDE and self.bottom <= _HIGH


_ASIDE, _BESIDE = _RADIUS + _GAP, _RADIUS + _GAP + _LINE / 2
_PLACES = (
    Label(_ASIDE, 0.0, "start"),
    Label(-_ASIDE, 0.0, "end"),
    Label(0.0, -_BESIDE, "middle"),
    Label(0.0, _BESIDE, "middle"),
    *(Label(-_RADIUS, down, "start") for down in (-_BESIDE, _BESIDE)),
    *(Label(_RADIUS, down, "end") for down in (-_BESIDE, _BESIDE)),
)


def labels(spots: Sequence[Spot]) -> list[Label | None]:
    """A place for the name of each point that has one, the first points' first.

    Names lie neither on points nor on each other; a point without room around it goes unnamed.
    """
    taken = [_point(spot) for spot in spots]
    found: list[Label | None] = []
    for spot in spots:
        free = next((one for one in _free(spot, taken)), None)
        if free is not None:
            taken.append(_name(spot, free))
        found.append(free)
    return found


def _free(spot: Spot, taken: Iterable[_Box]) -> Iterator[Label]:
    for place in _PLACES:
        box = _name(spot, place)
        if box.inside and not any(box.meets(other) for other in taken):
            yield place


def _centre(spot: Spot) -> tuple[float, float]:
    return _WIDE * spot.share + spot.aside, _HIGH * spot.level


def _point(spot: Spot) -> _Box:
    x, y = _centre(spot)
    return _Box(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS)


def _name(spot: Spot, place: Label) -> _Box:
    x, y = _centre(spot)
    x, y = x + place.right, y + place.down
    wide = _LETTER * len(spot.name)
    left = {"start": x, "end": x - wide, "middle": x - wide / 2}[place.anchor]
    return _Box(left, y - _LINE / 2, left + wide, y + _LINE / 2)

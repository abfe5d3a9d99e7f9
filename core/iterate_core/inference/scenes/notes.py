"""What was guessed, converted or left out of a scene, for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from iterate_core.data.bands import describe, family_of
from iterate_core.data.units import UNITS
from iterate_core.engine.description import ModelDescription
from iterate_core.inference.scenes.doubts import notes_on_units, notes_on_zeros
from iterate_core.inference.scenes.header import Header
from iterate_core.inference.scenes.matching import Named, meant
from iterate_core.inference.scenes.opening import Grid
from iterate_core.inference.scenes.planes import Planes

_ALIKE = 1.25  # times that pixels may be larger or smaller than those of the training data
_RADIUS = 6_371_008.8  # of the Earth in metres


class Placed(Protocol):
    """What is asked of a scene here."""

    height: int
    width: int
    crs: Any
    transform: Any

    @property
    def days(self) -> tuple[tuple[int, int], ...] | None:
        """Of each frame."""

    def place(self, row: float, column: float) -> tuple[float, float] | None:
        """Latitude and longitude in degrees."""


def notes_of(
    scene: Placed,
    description: ModelDescription,
    headers: Sequence[Header],
    bands: Sequence[Named],
    planes: Mapping[int, Planes],
    grids: Sequence[Grid | None],
) -> tuple[str, ...]:
    """All that is to be told of a scene, each once."""
    count = sum(len(each.taken) for each in planes.values())
    found = [
        *(one.note for one in bands if one.note is not None),
        *_meanings(description, planes),
        *_units(description, planes),
        *notes_on_units([one for each in planes.values() for one in each.beyond], count),
        *notes_on_zeros({each.header.where: each.zeros for each in planes.values()}),
        *_unused(bands, planes),
        *(
            f"{headers[n].where} is on another grid; brought to that of the scene bilinearly"
            for n in planes
            if grids[n] is not None
        ),
        *_ground(scene, description, headers),
    ]
    return tuple(dict.fromkeys(found))


def _meanings(description: ModelDescription, planes: Mapping[int, Planes]) -> Iterator[str]:
    """Short names that the model's sensor gave a meaning, and sensors that are not the model's."""
    read: list[str] = []
    sensors: set[tuple[str, str]] = set()
    for one in (one for each in planes.values() for one in each.taken):
        wanted = description.bands[one.number]
        (own,), (band,) = describe([one.name]), meant(wanted, [one.name])
        family = family_of(wanted.sensor)
        if own.common is None and band.common is not None and one.name != wanted.name:
            read.append(f"{one.name} ({band.common})")
        if own.sensor and family and own.sensor != family:
            sensors.add((own.sensor, family))
    if read:
        yield f"names of bands that several sensors have are read as the model's: {', '.join(read)}"
    for sensor, family in sorted(sensors):
        yield f"its bands are {sensor}'s; the model was trained on {family}"


def _units(description: ModelDescription, planes: Mapping[int, Planes]) -> Iterator[str]:
    """How bands' numbers are understood where nobody says it, and what they are converted into."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for each in planes.values():
        for one, how in zip(each.taken, each.measures, strict=True):
            trained = description.bands[one.number].unit
            unit = how.unit
            if (how.gain, how.offset) != (1.0, 0.0):
                unit = f"{how.gain:g} · x {'-' if how.offset < 0 else '+'} {abs(how.offset):g}"
            groups.setdefault((how.told, unit, trained), []).append(one.name)
    all_alike = len(groups) == 1
    for (told, unit, trained), names in groups.items():
        listed = "all bands" if all_alike and len(names) > 1 else ", ".join(dict.fromkeys(names))
        if trained == "unknown":
            if told != "taken":
                yield f"{listed}: taken as they are, since the model's own unit is unknown"
            continue
        meaning = f"{UNITS[unit].meaning} ({unit})" if unit in UNITS else unit
        if told == "taken":
            yield f"{listed}: taken as {meaning}, which files do not say; --unit says otherwise"
        if unit != trained:
            yield f"{listed}: converted from {meaning} to {UNITS[trained].meaning} ({trained})"


def _unused(bands: Sequence[Named], planes: Mapping[int, Planes]) -> Iterator[str]:
    """Bands, and whole files, that the model has no use for."""
    for number, file in enumerate(bands):
        if number not in planes:
            yield f"{file.where} holds nothing that the model uses"
            continue
        taken = {one.band for one in planes[number].taken}
        left = [name for band, name in enumerate(file.names) if band not in taken]
        if left:
            yield f"bands that the model does not use: {', '.join(left)}"


def _ground(
    scene: Placed, description: ModelDescription, headers: Sequence[Header]
) -> Iterator[str]:
    """Where the scene lies, how large its pixels are, and when it was taken."""
    if scene.crs is None:
        points = any(header.points for header in headers)
        only = " but ground control points, which are not used" if points else ""
        told = ", so that the model is not told where it is" if description.places else ""
        yield f"it has no coordinate system{only}{told}"
    elif scene.transform.b or scene.transform.d:
        yield "its rows and columns do not run along its coordinates; it is read as it lies"
    elif scene.transform.a < 0 or scene.transform.e > 0:
        yield _turned(scene.transform)
    if description.dates and scene.days is None:
        yield "its date is not known, which the model was told in training; --dates says it"
    own, trained = _metres(scene), description.info.metres
    if own and trained and not 1 / _ALIKE < own / trained < _ALIKE:
        yield f"its pixels are {_short(own)} m wide; the model was trained on {_short(trained)} m"


def _turned(transform: Any) -> str:
    """Of a scene whose first row or column does not lie as on a map."""
    ways = [
        *(["its first row lies in the south"] if transform.e > 0 else []),
        *(["its first column lies in the east"] if transform.a < 0 else []),
    ]
    return f"{' and '.join(ways)}: the model sees it mirrored, as it lies in the file"


def _metres(scene: Placed) -> float | None:
    """Ground size of a pixel amid the scene, along its row."""
    row, column = scene.height / 2, scene.width / 2
    here, there = scene.place(row, column), scene.place(row, column + 1)
    if here is None or there is None:
        return None
    (south, west), (north, east) = (map(math.radians, place) for place in (here, there))
    half = math.sin((north - south) / 2) ** 2
    half += math.cos(south) * math.cos(north) * math.sin((east - west) / 2) ** 2
    return 2 * _RADIUS * math.asin(math.sqrt(half))


def _short(number: float) -> str:
    """Two digits of a number."""
    return f"{float(f'{number:.2g}'):g}"

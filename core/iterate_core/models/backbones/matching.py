"""Which of a dataset's bands goes to which channel of a backbone: by meaning, never by position.

A band goes where the model declares its common name, or else its wavelength (within 10 nm). What
happens to channels that find no band and to bands that find no channel is the recipe's choice, and
is recorded. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from iterate_core.data.dataset import Band
from iterate_core.data.units import Channel, same_quantity
from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.models.backbones.card import Card, Modality
from iterate_core.models.backbones.options import MatchedOptions

WHERE = "model.backbone"
SAME_WAVELENGTH = 0.01
"""Centres that differ by no more than this, in µm, are one band to a model."""
_SHOWN = 16
"""How many bands are told by name; a model of the weather takes hundreds."""


@dataclass(frozen=True)
class Match:
    """One channel of a backbone.

    Attributes:
        band: What the model understands by it, in the model's unit.
        source: Index of the dataset's band that fills it; None fills it with zeros.
        normal: What pretraining did to pixels in the model's unit; None where not declared.
    """

    band: Band
    source: int | None
    normal: Channel | None = None


@dataclass(frozen=True)
class Matching:
    """All channels of a backbone, in order.

    Attributes:
        matches: One a channel.
        modalities: Each modality's name and its number of channels, in order; empty for a
            backbone that has none.
        notes: What was filled, replaced or left out.
    """

    matches: tuple[Match, ...]
    modalities: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def bands(self) -> tuple[Band, ...]:
        """The channels' meanings."""
        return tuple(match.band for match in self.matches)

    def described(self, bands: Sequence[Band]) -> dict[str, Any]:
        """Channel by channel, with the names of the dataset's bands, as plain JSON types."""
        return {
            "modalities": [list(modality) for modality in self.modalities],
            "channels": [
                {
                    "channel": match.band.name,
                    "unit": match.band.unit,
                    "band": None if match.source is None else bands[match.source].name,
                }
                for match in self.matches
            ],
            "notes": list(self.notes),
        }


def match_bands(card: Card | None, bands: Sequence[Band], options: object) -> Matching:
    """Match a dataset's bands with a backbone's channels.

    Args:
        card: What the backbone declares; None takes the bands as they are.
        bands: The dataset's bands, in their order.
        options: The backbone's options, which hold the policies if they are `MatchedOptions`.

    Raises:
        RequestError: A channel stays empty that may not, a band is left over that may not be, or
            bands are ambiguous; all are named.
    """
    if card is None or card.takes == "any" or not isinstance(options, MatchedOptions):
        return Matching(tuple(Match(band, index) for index, band in enumerate(bands)))
    if card.takes == "wavelengths":
        found = _by_wavelength(card, bands, options)
    else:
        found = _declared(card, bands, options)
    return _with_extra(found, card, bands, options)


def _declared(card: Card, bands: Sequence[Band], options: MatchedOptions) -> Matching:
    fillings = [_fill(modality, bands) for modality in _wanted(card, options)]
    chosen = fillings if options.modalities is not None else _chosen(card, fillings, bands, options)
    problems = [problem for filling in chosen for problem in filling.problems(options, bands)]
    if problems:
        complete = [f.modality.name for f in fillings if not f.missing and f not in chosen]
        if complete:
            what = f"{' and '.join(complete)} would be complete."
            problems.append(Problem(f"{WHERE}.modalities", what))
        raise RequestError(problems)
    matches: list[Match] = []
    notes: list[str] = []
    for filling in chosen:
        filled: list[str] = []
        for index, band in enumerate(filling.modality.bands):
            source = filling.sources[index]
            if source is None:
                source, note = _stand_in(band, bands, options)
                filled.append(note)
            matches.append(Match(band, source, filling.modality.normal(index)))
        more = len(filled) - _SHOWN
        rest = (f"and so with {more} more channels of {filling.modality.name}",) * (more > 0)
        notes += [*filled[:_SHOWN], *rest]
    counts = tuple((f.modality.name, len(f.modality.bands)) for f in chosen)
    return Matching(tuple(matches), counts, tuple(notes))


def _wanted(card: Card, options: MatchedOptions) -> list[Modality]:
    if options.modalities is None:
        return list(card.modalities)
    names = [modality.name for modality in card.modalities]
    problems = [
        Problem(
            f"{WHERE}.modalities.{index}", f"there is no modality {name!r}.", nearest(name, names)
        )
        for index, name in enumerate(options.modalities)
        if name not in names
    ]
    if problems or not options.modalities:
        none = [Problem(f"{WHERE}.modalities", "must name one or more.", ", ".join(names))]
        raise RequestError(problems or none)
    return [known for name in options.modalities if (known := card.modality(name)) is not None]


@dataclass(frozen=True)
class _Filling:
    """A modality and the dataset's bands that fit it; `rivals` fit a channel equally well."""

    modality: Modality
    sources: tuple[int | None, ...]
    rivals: tuple[tuple[Band, tuple[int, ...]], ...]

    @property
    def missing(self) -> list[Band]:
        pairs = zip(self.modality.bands, self.sources, strict=True)
        return [band for band, source in pairs if source is None]

    @property
    def filled(self) -> int:
        return len(self.sources) - len(self.missing)

    def problems(self, options: MatchedOptions, bands: Sequence[Band]) -> list[Problem]:
        found = [
            Problem(
                "data.bands",
                f"{' and '.join(repr(bands[i].name) for i in indices)} both are {band.common}, "
                f"which the backbone takes once ({self.modality.name}).",
                "List the bands to use.",
            )
            for band, indices in self.rivals
        ]
        if self.missing and options.missing == "refuse":
            missing = _listed(self.missing)
            what = f"takes {self.modality.name}, of which the dataset lacks {missing}."
            hint = f"It has {_listed(bands)}. Choose missing: zero or nearest, or another backbone."
            found.append(Problem(f"{WHERE}.missing", what, hint))
        return found


def _fill(modality: Modality, bands: Sequence[Band]) -> _Filling:
    sources: list[int | None] = []
    rivals: list[tuple[Band, tuple[int, ...]]] = []
    for band in modality.bands:
        same = [i for i, b in enumerate(bands) if b.common is not None and b.common == band.common]
        best = _of_sensor(same, band, bands)
        if len(best) > 1:
            rivals.append((band, tuple(best)))
        sources.append(best[0] if best else None)
    for index, band in enumerate(modality.bands):
        if sources[index] is None:
            free = [i for i, b in enumerate(bands) if i not in sources and _same_light(b, band)]
            sources[index] = free[0] if free else None
    return _Filling(modality, tuple(sources), tuple(rivals))


def _of_sensor(same: list[int], band: Band, bands: Sequence[Band]) -> list[int]:
    """Of several bands of one meaning, those of the sensor that the model was trained with."""
    if len(same) < 2 or band.sensor is None:
        return same
    family = _family(band.sensor)
    own = [i for i in same if (sensor := bands[i].sensor) and _family(sensor) == family]
    return own or same


def _family(sensor: str) -> str:
    """A sensor without its processing level: ``sentinel-2-l2a`` is ``sentinel-2``."""
    return "-".join(sensor.split("-")[:2])


def _same_light(one: Band, other: Band) -> bool:
    if one.wavelength is None or other.wavelength is None:
        return False
    return abs(one.wavelength - other.wavelength) <= SAME_WAVELENGTH


def _chosen(
    card: Card, fillings: list[_Filling], bands: Sequence[Band], options: MatchedOptions
) -> list[_Filling]:
    """Of each kind of sensor the modality that suits the dataset best, if one has a band of it.

    One that takes all of the dataset's bands, and lacks none, comes first; else the one that takes
    most: a dataset of ten bands does not quietly become one of three. Of those that take as many,
    one of the bands' own sensor comes first. Modalities that belong together are all taken.
    """
    best = fillings if card.together else _best(fillings, bands)
    usable = [f for f in best if not f.missing or (options.missing != "refuse" and f.filled)]
    return usable or best[:1]


def _best(fillings: list[_Filling], bands: Sequence[Band]) -> list[_Filling]:
    best = []
    in_order = sorted(fillings, key=lambda filling: _kind(filling.modality.bands[0]))
    for kind, alternatives in groupby(in_order, key=lambda f: _kind(f.modality.bands[0])):
        count = sum(_kind(band) == kind for band in bands)
        # Stable: of equals the one declared first.
        best.append(
            max(
                alternatives,
                key=lambda f: (
                    *(_exact(f, count), _alike(f, bands), f.filled),
                    *(_own(f, bands), -len(f.missing)),
                ),
            )
        )
    return sorted(best, key=fillings.index)


def _exact(filling: _Filling, count: int) -> bool:
    return not filling.missing and filling.filled == count


def _kind(band: Band) -> str:
    common = band.common or ""
    if common in _HEIGHTS:
        return "height"
    if common[:2] in ("vv", "vh"):
        return "radar"
    return "light" if band.wavelength is not None else "other"


_HEIGHTS = ("elevation", "canopy_height")


def _stand_in(band: Band, bands: Sequence[Band], options: MatchedOptions) -> tuple[int | None, str]:
    lengths = {i: b.wavelength for i, b in enumerate(bands) if b.wavelength is not None}
    if options.missing == "nearest" and band.wavelength is not None and lengths:
        wanted = band.wavelength
        source = min(lengths, key=lambda i: abs(lengths[i] - wanted))
        return source, f"{_told(band)} takes the nearest band, {_told(bands[source])}"
    return None, f"{_told(band)} is filled with zeros, the mean after normalisation"


def _by_wavelength(card: Card, bands: Sequence[Band], options: MatchedOptions) -> Matching:
    """Every band that has a wavelength, or a stand-in for one, in the dataset's order."""
    known = [_fill(modality, bands) for modality in _wanted(card, options)]
    platform = (
        max(known, key=lambda f: (f.filled, _alike(f, bands), -len(f.missing))) if known else None
    )
    stand_ins = dict(card.stand_ins)
    matches = []
    for index, band in enumerate(bands):
        wavelength = stand_ins.get(band.common or "", band.wavelength)
        if wavelength is None:
            continue
        told = replace(band, wavelength=wavelength)
        channel = None
        if platform is not None and index in platform.sources:
            place = platform.sources.index(index)
            channel = platform.modality.normal(place)
            told = replace(told, unit=platform.modality.bands[place].unit)
        matches.append(Match(told, index, channel))
    if not matches:
        what = "takes bands by their wavelength, and the dataset declares none."
        raise RequestError(Problem(WHERE, what, f"It has {', '.join(b.name for b in bands)}."))
    named = platform is not None and platform.filled
    modalities = ((platform.modality.name, len(matches)),) if platform and named else ()
    idle = options.missing != "refuse"
    notes = (f"missing: {options.missing} changes nothing: no channel stays empty",) * idle
    return Matching(tuple(matches), modalities, notes)


def _alike(filling: _Filling, bands: Sequence[Band]) -> int:
    """How many of the bands that fit measure the quantity that the modality takes."""
    pairs = zip(filling.modality.bands, filling.sources, strict=True)
    found = ((bands[source].unit, band.unit) for band, source in pairs if source is not None)
    return sum(same_quantity(stored, wanted) for stored, wanted in found)


def _own(filling: _Filling, bands: Sequence[Band]) -> int:
    """How many of the bands that fit are of the very sensor."""
    pairs = zip(filling.modality.bands, filling.sources, strict=True)
    sensors = ((bands[source].sensor, band.sensor) for band, source in pairs if source is not None)
    return sum(bool(a and b and _family(a) == _family(b)) for a, b in sensors)


def _with_extra(
    found: Matching, card: Card, bands: Sequence[Band], options: MatchedOptions
) -> Matching:
    """Deal with the bands that no channel takes."""
    used = {match.source for match in found.matches}
    extra = [index for index in range(len(bands)) if index not in used]
    if not extra:
        return found
    names = ", ".join(_told(bands[index]) for index in extra)
    if options.extra == "refuse":
        what = f"has no channel for {names}."
        raise RequestError(Problem(f"{WHERE}.extra", what, "Choose extra: drop, or data.bands."))
    if options.extra == "drop":
        return replace(found, notes=(*found.notes, f"not used: {names}"))
    if not card.widens or len(found.modalities) != 1:
        what = f"cannot take further channels, which {names} would need."
        raise RequestError(Problem(f"{WHERE}.extra", what, "Choose extra: drop."))
    name, count = found.modalities[0]
    added = tuple(Match(bands[index], index) for index in extra)
    note = f"with random weights, drawn from the recipe's seed: {names}"
    return Matching((*found.matches, *added), ((name, count + len(added)),), (*found.notes, note))


def _listed(bands: Sequence[Band]) -> str:
    shown = ", ".join(_told(band) for band in bands[:_SHOWN])
    more = len(bands) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _told(band: Band) -> str:
    if band.common is None or band.common == band.name:
        return repr(band.name)
    return f"{band.name!r} ({band.common})"

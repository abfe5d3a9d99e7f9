"""Which of a file's bands is which of the model's: by meaning, never by position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iterate_core.data.bands import describe, family_of, match
from iterate_core.data.dataset import Band
from iterate_core.engine.description import ModelDescription
from iterate_core.errors import DataError, Problem
from iterate_core.inference.scenes.base import SceneFile
from iterate_core.inference.scenes.header import Header
from iterate_core.plurals import counted


@dataclass(frozen=True)
class Named:
    """A file's bands.

    Attributes:
        names: Of the bands, in the file's order.
        kind: The modality that the file is of, where that is known.
        where: The file, for messages.
        note: Where the names are from, if that must be told.
    """

    names: tuple[str, ...]
    kind: str | None
    where: str
    note: str | None = None


@dataclass(frozen=True)
class Place:
    """A band of one of several files.

    Attributes:
        file: Number of the file.
        band: Number of the band in it, from 0.
    """

    file: int
    band: int


def used_bands(description: ModelDescription) -> tuple[int, ...]:
    """Numbers of the bands whose pixels a model makes use of.

    Beside those of its channels they are bands that bear the name of something predicted: what is
    predicted may be told as a departure from them.
    """
    sources = {channel.source for channel in description.channels}
    return tuple(
        number
        for number, band in enumerate(description.bands)
        if number in sources or band.name in description.info.classes
    )


def named(file: SceneFile, header: Header, description: ModelDescription) -> Named:
    """The names of a file's bands: those a person says, the file's, or the recipe's.

    Raises:
        DataError: Nobody says them, or not as many as the file has bands.
    """
    count = len(header.kinds)
    if file.bands is not None:
        if len(file.bands) != count:
            what = f"has {counted(count, 'band')}, but {len(file.bands)} are named:"
            raise DataError(Problem(header.where, f"{what} {', '.join(file.bands)}."))
        return Named(file.bands, file.kind, header.where)
    if header.names is not None:
        return Named(header.names, file.kind, header.where)
    fitting = [names for names in _of_recipe(description.recipe["data"]) if len(names) == count]
    if len(set(fitting)) == 1:
        note = f"its bands have no names; taken as the recipe's: {', '.join(fitting[0])}"
        return Named(fitting[0], file.kind, header.where, note)
    raise _nameless(header.where, count, description)


def _nameless(where: str, count: int, description: ModelDescription) -> DataError:
    trained = [band.name for band in description.info.bands]
    wanted = [description.bands[number].name for number in used_bands(description)]
    what = f"does not name its {counted(count, 'band')}; the model uses {', '.join(wanted)}."
    hint = "Name the file's bands in their order with --bands."
    if len(trained) == count:
        listed = ",".join(trained)
        hint = f"If they lie as in the training data: --bands '{listed}'; else in their own order."
    return DataError(Problem(where, what, hint))


def _of_recipe(data: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Every list of names that a recipe gives the bands of files."""
    modalities = data.get("modalities") or {}
    for section in (data, *modalities.values()):
        names = section.get("band_names") if isinstance(section, Mapping) else None
        if names:
            yield tuple(one if isinstance(one, str) else one["name"] for one in names)


def places(
    description: ModelDescription, files: Sequence[Named], numbers: Sequence[int], where: str
) -> dict[int, Place]:
    """Where each band that a model uses lies in files.

    Args:
        description: Of the model.
        files: All files of a scene.
        numbers: Of those that are looked into.
        where: The scene, for messages.

    Raises:
        DataError: A band lies nowhere or in several places, or one band would serve twice.
    """
    found: dict[int, Place] = {}
    lacking: list[Band] = []
    wrong: list[str] = []
    there = [(Place(n, band), name) for n in numbers for band, name in enumerate(files[n].names)]
    for number in used_bands(description):
        wanted = description.bands[number]
        fits = _fitting(wanted, [(place, files[place.file].kind, name) for place, name in there])
        if not fits:
            lacking.append(wanted)
            continue
        if len(fits) > 1:
            names = " and ".join(repr(name) for place, name in there if place in fits)
            wrong.append(f"{names} both answer to band {_meant(wanted)}, which the model uses")
            continue
        twice = next((other for other, place in found.items() if place == fits[0]), None)
        if twice is not None:
            both = f"{description.bands[twice].name!r} and {wanted.name!r}"
            name = dict(there)[fits[0]]
            wrong.append(f"band {name!r} answers to both {both}")
        found[number] = fits[0]
    if lacking or wrong:
        raise DataError(_mismatch([files[number] for number in numbers], lacking, wrong, where))
    return found


def _mismatch(
    files: Sequence[Named], lacking: Sequence[Band], wrong: Sequence[str], where: str
) -> Problem:
    """All that is wrong with the bands of a scene's files, as one."""
    told, hint = list(wrong), "Name the bands as the model does: --bands."
    if lacking:
        band = "bands" if len(lacking) > 1 else "band"
        names = ", ".join(map(_meant, lacking))
        told.insert(0, f"has no {band} {names}, which the model uses")
        has = "; ".join(f"{file.where} ({', '.join(file.names)})" for file in files)
        if len(files) == 1 and files[0].where == where:
            has = ", ".join(files[0].names)
        hint = f"It has: {has or 'none'}. --bands names them otherwise."
    return Problem(where, f"{'; '.join(told)}.", hint)


def _meant(band: Band) -> str:
    told = band.common is None or band.common.casefold() == band.name.casefold()
    meaning = "" if told else f" ({band.common})"
    return f"{band.name!r}{meaning}"


def _fitting(wanted: Band, there: Sequence[tuple[Place, str | None, str]]) -> tuple[Place, ...]:
    """The places of bands that answer to one of the model's, the surest answers alone."""
    bands = meant(wanted, [name for _, _, name in there])
    pairs = [
        (place, kind, band)
        for (place, kind, _), band in zip(there, bands, strict=True)
        if None in (band.common, wanted.common) or band.common == wanted.common
    ]
    own = tuple(place for place, kind, b in pairs if kind and f"{kind}_{b.name}" == wanted.name)
    exact = own or tuple(place for place, _, band in pairs if band.name == wanted.name)
    if exact:
        return exact
    matched = match(wanted.name, [band for _, _, band in pairs])
    fits = [(place, band) for place, _, band in pairs if band in matched]
    fits = fits or [(p, band) for p, _, band in pairs if wanted.common and band.common]
    family = family_of(wanted.sensor)
    same = [(place, band) for place, band in fits if family and family_of(band.sensor) == family]
    return tuple(place for place, _ in same or fits)


def fitting(wanted: Band, names: Sequence[str]) -> tuple[int, ...]:
    """Numbers of the names, of one file, that answer to one of the model's bands."""
    there = [(Place(0, band), None, name) for band, name in enumerate(names)]
    return tuple(place.band for place in _fitting(wanted, there))


def meant(wanted: Band, names: Sequence[str]) -> list[Band]:
    """Bands by their names; what these leave open is told by the sensor of the model's band."""
    own, as_trained = describe(names), describe(names, family_of(wanted.sensor))
    return [a if a.common else b for a, b in zip(own, as_trained, strict=True)]

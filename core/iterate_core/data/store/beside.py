"""What is remembered of samples beside their images and targets, as they are packed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import DatasetInfo, Sample
from iterate_core.data.store.moments import Moments, Part, part_of
from iterate_core.data.store.validation import Dates, Place, stacked_dates, stacked_places
from iterate_core.data.target import Target
from iterate_core.storage.files import write_json


@dataclass(frozen=True)
class Beside:
    """Of one sample.

    Attributes:
        bands: Of its pixels.
        known: Of each quantity of its target that `Target.known` gives; None where it gives none.
        dates: Year and day of each frame; None where unknown.
        place: Latitude and longitude; None where unknown.
    """

    bands: Part
    known: list[Part] | None
    dates: Dates | None
    place: Place | None

    @classmethod
    def of(cls, sample: Sample, target: Target) -> Beside:
        """What is remembered of a sample."""
        bands = part_of(sample.image.reshape(len(sample.image), -1))
        known = target.known(sample.target)
        parts = None if known is None else [part_of(v[~np.isnan(v)][None]) for v in known]
        return cls(bands, parts, sample.dates, sample.place)


def write(path: Path, samples: Iterable[Beside]) -> None:
    """Keep what is remembered of some samples, to the last digit."""
    write_json(path, [_plain(sample) for sample in samples])


def read(path: Path) -> Iterator[Beside]:
    """What `write` has kept."""
    for found in json.loads(path.read_text(encoding="utf-8")):
        known = found["known"]
        yield Beside(
            _part(found["bands"]),
            None if known is None else [_part(part) for part in known],
            found["dates"],
            found["place"],
        )


class Summary:
    """What is remembered of a split.

    Args:
        info: The dataset's declaration.
        bands: How many are packed.
    """

    def __init__(self, info: DatasetInfo, bands: int) -> None:
        self._frames = info.frames
        self._bands = Moments(bands)
        self._known: list[Moments] | None = None
        self._dates: list[Dates | None] = []
        self._places: list[Place | None] = []

    def add(self, sample: Beside) -> None:
        """Take the next sample in, in the split's order: it decides the last digits."""
        self._bands.merge(sample.bands)
        if sample.known is not None:
            self._known = self._known or [Moments(1) for _ in sample.known]
            for moments, part in zip(self._known, sample.known, strict=True):
                moments.merge(part)
        self._dates.append(sample.dates)
        self._places.append(sample.place)

    def statistics(self) -> dict[str, list[float]]:
        """Mean and deviation of the bands, and of what is known of the targets, by name."""
        found = {"mean": self._bands.mean.tolist(), "std": self._bands.std.tolist()}
        if self._known is not None:
            found["target_mean"] = [quantity.mean.item() for quantity in self._known]
            found["target_std"] = [quantity.std.item() for quantity in self._known]
        return found

    def arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """``dates`` and ``places``, where any sample has them."""
        found = {
            "dates": stacked_dates(self._dates, self._frames),
            "places": stacked_places(self._places),
        }
        return {kind: array for kind, array in found.items() if array is not None}


def _plain(sample: Beside) -> dict[str, Any]:
    """In JSON types; numbers of NumPy become Python's."""
    return {
        "bands": _listed(sample.bands),
        "known": None if sample.known is None else [_listed(part) for part in sample.known],
        "dates": None if sample.dates is None else np.asarray(sample.dates).tolist(),
        "place": None if sample.place is None else [float(part) for part in sample.place],
    }


def _listed(part: Part) -> list[Any]:
    return [part.count, part.mean.tolist(), part.squares.tolist()]


def _part(found: list[Any]) -> Part:
    count, mean, squares = found
    return Part(count, np.array(mean), np.array(squares))

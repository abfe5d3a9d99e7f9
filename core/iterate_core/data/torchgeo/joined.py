"""Several `GeoDataset`s of one place as one: images of all, and labels."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import reduce
from operator import and_
from typing import Any

from iterate_core.data.dataset import SPLITS
from iterate_core.data.target import Form, target_class
from iterate_core.data.torchgeo.geo_options import GeoData, GeoSource
from iterate_core.data.torchgeo.sources import BANDS, CLASSES, Source, named
from iterate_core.errors import Problem, RequestError

ALL = "all"
"""The part that is everything, of classes that do not tell splits apart."""


class Joined:
    """The datasets of images and labels, of each split that their classes tell apart.

    Args:
        section: Of the recipe.

    Attributes:
        parts: The splits that are datasets of their own; or `ALL`.

    Raises:
        RequestError: The recipe does not say what must be said of a class.
        DataError: A folder is absent.
    """

    def __init__(self, section: GeoData) -> None:
        several = enumerate(section.more_images)
        self._images = [
            _source(section, section.images, "data.images"),
            *(_source(section, more, f"data.more_images.{number}") for number, more in several),
        ]
        self._sources = list(self._images)
        if section.labels is not None:
            form = target_class(section.task).form
            self._sources.append(_source(section, section.labels, "data.labels", form))
        self._split = section.split
        self._check_splits()
        told = [split for split in SPLITS if getattr(section.split, split) is not None]
        self.parts: Sequence[str] = told or [ALL]
        self._made: dict[str, list[Any]] = {}
        self._joined: dict[str, Any] = {}

    def __getitem__(self, part: str) -> Any:
        """The datasets of a part as one.

        Raises:
            DataError: Making one fails, or they have no place and time in common.
        """
        if part not in self._joined:
            value = getattr(self._split, part, None)
            argument = self._split.argument
            self._made[part] = [
                source.make(**({argument: value} if value is not None and own else {}))
                for source in self._sources
                for own in [source.takes(argument)]
            ]
            with self.told("is joined with the others"):
                self._joined[part] = reduce(and_, self._made[part])
        return self._joined[part]

    def __getstate__(self) -> dict[str, Any]:
        """Another process makes the datasets anew: they hold open files."""
        return {**self.__dict__, "_made": {}, "_joined": {}}

    @property
    def name(self) -> str:
        """Of the datasets of images."""
        return " & ".join(source.name for source in self._images)

    @property
    def where(self) -> str:
        """The folder of the first images, for messages."""
        return str(self._images[0].root)

    def told(self, doing: str) -> AbstractContextManager[None]:
        """Tell what the classes raise."""
        return self._images[0].told(doing)

    def bands(self) -> tuple[str, ...] | None:
        """What the datasets of images call their bands; None where one does not name them."""
        found = [named(dataset, BANDS) for dataset in self._first[: len(self._images)]]
        if any(names is None for names in found):
            return None
        return tuple(name for names in found for name in names or ())

    def classes(self) -> tuple[str, ...] | None:
        """What the dataset of labels calls its classes."""
        return named(self._first[-1], CLASSES)

    def content(self) -> dict[str, Any]:
        """What fixes the samples, beside the recipe."""
        return {"sources": [source.content() for source in self._sources]}

    @property
    def _first(self) -> list[Any]:
        part = self.parts[0]
        if part not in self._made:
            self[part]
        return self._made[part]

    def _check_splits(self) -> None:
        argument = self._split.argument
        if not self._split.own:
            for source in self._sources:
                source.check_whole()
        elif not any(source.takes(argument) for source in self._sources):
            names = ", ".join(source.name for source in self._sources)
            what = f"no class takes an argument {argument!r}: {names}."
            raise RequestError(Problem("data.split.argument", what))


def _source(section: GeoData, source: GeoSource, where: str, form: Form | None = None) -> Source:
    root = section.root.expanduser() / (source.folder or "")
    return Source(source, root, "GeoDataset", where, form)

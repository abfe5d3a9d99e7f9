"""Lazy registries of everything a recipe chooses by name.

A registry maps a name to an `Entry`: the options the component takes, and where the code that
builds it lives (``"module:attribute"``, imported only when it is built). It starts empty and is
filled when it is first asked: by its catalogue (what ships) and by the entry points of other
packages, each a callable that is given the registry. The ``iterate.register_…`` decorators and
the path of a user's code add to it too.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from iterate_core.errors import Problem, RequestError, nearest


@dataclass(frozen=True)
class Entry:
    """One named component.

    Attributes:
        name: The name users write.
        options: A `Component` subclass (or ``"module:Class"``) that types and checks its options.
        target: ``"module:attribute"`` of the callable that builds it, or the callable itself.
        tasks: The tasks it serves, by name or by a kind of prediction that they take (of decoders:
            ``vector``, ``labels``, ``map``) or a form of target (of losses: ``index``, ``mask``,
            ``indicators``, ``quantities``, ``map``); empty means all.
        facts: Whatever else its registry declares (metrics, licence, …).
    """

    name: str
    options: Any
    target: str | Callable[..., Any]
    tasks: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def serves(self, kinds: Iterable[str]) -> bool:
        """Whether it serves a task of that name, or one with such predictions or targets."""
        return not self.tasks or not set(self.tasks).isdisjoint(kinds)

    def load_options(self) -> Any:
        """The class that types this component's options."""
        return resolve(self.options)

    def load(self) -> Any:
        """The callable that builds the component; imports its module."""
        return resolve(self.target)


def resolve(reference: Any) -> Any:
    """Import ``"module:attribute"``; anything that is not text is returned as it is."""
    if not isinstance(reference, str):
        return reference
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)


class Registry:
    """Names of one kind of component.

    Args:
        kind: What the names name, for messages: ``"decoder"``.
        group: Entry-point group through which other packages add to it.
        catalogue: ``"module:attribute"`` of the callable that registers what ships.
        options: Types the options of components that are named by the path of their code.
        by_path: Makes the entry of such a name, from the registry, the name and its YAML path;
            None takes no such names.
        call: What its components are built from, in this order; empty where that is not checked.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        catalogue: str | None = None,
        options: str | None = None,
        by_path: Callable[[Registry, str, str], Entry] | None = None,
        call: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        self.options = options
        self.call = call
        self._group = group
        self._catalogue = catalogue
        self._by_path = by_path
        self._entries: dict[str, Entry] = {}
        self._find: Callable[[str], Entry | None] | None = None
        self._more_names: Callable[[], list[str]] | None = None
        self._discovered = False

    def register(self, entry: Entry) -> None:
        """Add an entry.

        Raises:
            ValueError: The name is taken.
        """
        self._discover()
        if entry.name in self._entries:
            raise ValueError(f"{self.kind} {entry.name!r} is registered already")
        self._entries[entry.name] = entry

    def fall_back(
        self, find: Callable[[str], Entry | None], names: Callable[[], list[str]]
    ) -> None:
        """Find entries that nobody registers: the models of a library, by their names there.

        Args:
            find: Tried for a name that is not registered; None where it knows none either.
            names: What it finds, for hints and listings.
        """
        self._find, self._more_names = find, names

    def get(self, name: str, where: str = "") -> Entry:
        """The entry of a name.

        Raises:
            RequestError: No such name; the nearest legal ones are named.
        """
        self._discover()
        found = self._entries.get(name)
        if found is None and self._find is not None:
            found = self._find(name)
        if found is None and self._by_path is not None and ":" in name:
            found = self._by_path(self, name, where)
        if found is None:
            what = f"there is no {self.kind} {name!r}."
            raise RequestError(Problem(where, what, nearest(name, self.names())))
        return found

    def names(self) -> list[str]:
        """Every legal name, sorted."""
        self._discover()
        more = self._more_names() if self._more_names is not None else []
        return sorted({*self._entries, *more})

    def __iter__(self) -> Iterator[Entry]:
        self._discover()
        return iter(sorted(self._entries.values(), key=lambda entry: entry.name))

    def _discover(self) -> None:
        """Let the catalogue and then installed packages register theirs, once."""
        if self._discovered:
            return
        self._discovered = True
        if self._catalogue is not None:
            resolve(self._catalogue)(self)
        for point in entry_points(group=self._group):
            point.load()(self)

"""Config groups whose choice names one component, and another part of the files another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from iterate.config.compose import Layer
from iterate.config.expand import touch
from iterate.config.messages import shown
from iterate.config.overrides import PLACE
from iterate.config.resolve import Resolver
from iterate.hpo.space import Value
from iterate_core.errors import Problem


def misnamed(
    resolver: Resolver, mapping: Mapping[str, Any], point: Mapping[str, Value]
) -> Iterator[Problem]:
    """Where a chosen option of a config group and a ``name:`` in its section contradict each other.

    A choice by the command line or by the space says what is wanted: a file may not name something
    else without a word. A choice of a defaults list gives way to a name, but then the options of
    the one may not pass for those of the other.

    Args:
        resolver: Of the files.
        mapping: What they say at the point, resolved.
        point: Of their space.
    """
    for layer in resolver.composition(point).layers:
        group = layer.groups[-1] if layer.groups else ""
        chosen, named = layer.content.get("name"), _at(mapping, f"{layer.section}.name")
        contradicted = chosen is not None and named is not None and chosen != named
        if contradicted and group.replace("/", ".") == layer.section:
            yield from _Contradiction(resolver, point, layer, group, str(named)).problems()


class _Contradiction:
    """An option of a group (`layer`), and another component that is named in its section."""

    def __init__(
        self,
        resolver: Resolver,
        point: Mapping[str, Value],
        layer: Layer,
        group: str,
        named: str,
    ) -> None:
        self._composer = resolver.composer
        self._composition = resolver.composition(point)
        self._point = point
        self._layer = layer
        self._group = group
        self._named = named
        self._where = resolver.locate(f"{layer.section}.name", point)

    def problems(self) -> Iterator[Problem]:
        """What is wrong with it, if anything is."""
        if self._set_by_user("name"):
            if not self._searched("name"):
                yield from self._left_over()
        elif self._group in self._composer.words.groups or self._group in self._point:
            option = self._composition.choices[self._group]
            what = f"names {self._named!r}, so that {self._group}={option} would have no effect."
            yield Problem(self._where, what, "Leave name out there, and what belongs to it.")
        else:
            yield from self._left_over()

    def _left_over(self) -> Iterator[Problem]:
        """Options of the one that stay, though the other's own file differs or knows none."""
        if self._named not in self._composer.options(self._group):
            return
        layers = self._composer.compose({self._group: self._named}).layers
        (other,) = (one for one in layers if one.groups[-1:] == (self._group,))
        left = [
            key
            for key, value in self._layer.content.items()
            if key not in ("name", "space") and self._stays(key)
            if key not in other.content or other.content[key] != value
        ]
        if left:
            what = (
                f"names {self._named!r}, and for {self._layer.content['name']!r} says "
                f"{shown(self._layer.file)} what would stay: {', '.join(left)}."
            )
            word = f"{self._group}={self._named}"
            override = f"- override {self._group}: {self._named}"
            by_word = self._where.startswith(PLACE)
            hint = f"Write {word}." if by_word else f"Write `{override}` in the defaults list."
            yield Problem(self._where, what, hint)

    def _stays(self, key: str) -> bool:
        """Whether nothing that comes after the option's file sets a key of its."""
        setter = self._composition.file_of(f"{self._layer.section}.{key}")
        return setter == self._layer.file and not self._set_by_user(key)

    def _set_by_user(self, key: str) -> bool:
        """Whether the command line or the space sets a key of the section."""
        path = f"{self._layer.section}.{key}"
        constants = self._composer.words.constants
        return self._searched(key) or any(touch(word, path) for word in constants)

    def _searched(self, key: str) -> bool:
        return f"{self._layer.section}.{key}" in self._point


def _at(mapping: Mapping[str, Any], path: str) -> Any:
    value: Any = mapping
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value

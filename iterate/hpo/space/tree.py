"""A space: a tree of parameters, in which each option of a choice may carry a space of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from iterate.hpo.space.dimension import Categorical, Dimension, Value
from iterate.hpo.space.text import at, dimension_text, value_text

Point: TypeAlias = dict[str, Value]
"""Override key → value, of exactly the active parameters: those whose conditions hold."""

Condition: TypeAlias = tuple[tuple[str, Value], ...]
"""The choices, outermost first, under which a parameter is active; empty: always."""


@dataclass(frozen=True)
class Parameter:
    """A named dimension of a space.

    Attributes:
        key: What it sets: ``optimiser.lr``, or a config group, ``model/decoder``.
        dimension: Over what it varies.
        branches: One space for each choice of a categorical dimension, active while that choice
            is taken; empty where no choice carries a space.
    """

    key: str
    dimension: Dimension
    branches: tuple[Space, ...] = ()

    def __post_init__(self) -> None:
        """Check that branches and choices belong together.

        Raises:
            ValueError: They do not.
        """
        if not self.branches:
            return
        choices = self.dimension.choices if isinstance(self.dimension, Categorical) else ()
        if len(choices) != len(self.branches):
            raise ValueError(
                f"{self.key}: one branch per choice must hold, but got {len(self.branches)} "
                f"branches for {len(choices)} choices"
            )
        if any(self.key in branch.all_keys() for branch in self.branches):
            raise ValueError(f"{self.key} stands within one of its own options")

    def branch(self, value: Value) -> Space:
        """The space that is active while this parameter has `value`."""
        if not self.branches or not isinstance(self.dimension, Categorical):
            return Space()
        return self.branches[self.dimension.index(value)]

    def options(self) -> Iterator[tuple[Value, Space]]:
        """Each choice that has a branch, with it."""
        if self.branches and isinstance(self.dimension, Categorical):
            yield from zip(self.dimension.choices, self.branches, strict=True)

    def all_keys(self) -> set[str]:
        """Its own key and those of all its branches."""
        return {self.key}.union(*(branch.all_keys() for branch in self.branches))


@dataclass(frozen=True)
class Space:
    """Parameters that vary together; an empty space has one point, the base recipe itself."""

    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        """Check that no point could set a key twice.

        Raises:
            ValueError: A key stands in two places that may be active together.
        """
        seen: set[str] = set()
        for parameter in self.parameters:
            keys = parameter.all_keys()
            if twice := sorted(seen & keys):
                raise ValueError(f"{', '.join(twice)} would be set twice at one point")
            seen |= keys

    def __bool__(self) -> bool:
        return bool(self.parameters)

    def all_keys(self) -> set[str]:
        """Every key of the tree."""
        return set().union(*(parameter.all_keys() for parameter in self.parameters))

    def walk(self, value_of: Callable[[str, Parameter], Value], condition: Condition = ()) -> Point:
        """A point, made by asking for the value of each active parameter in turn.

        Args:
            value_of: Given a parameter and its name (its key, qualified by its condition:
                ``model.decoder.channels@model/decoder=unet``), returns its value.
            condition: The condition under which this space is active.
        """
        point: Point = {}
        for parameter in self.parameters:
            value = value_of(at(parameter.key, condition), parameter)
            point[parameter.key] = value
            inner = (*condition, (parameter.key, value))
            point.update(parameter.branch(value).walk(value_of, inner))
        return point

    def active(self, point: Mapping[str, Value]) -> dict[str, Parameter]:
        """Name → parameter of those that a point sets.

        Raises:
            ValueError: The point lacks one of them, holds another key, or a value outside.
        """
        found: dict[str, Parameter] = {}

        def look_up(name: str, parameter: Parameter) -> Value:
            if parameter.key not in point:
                raise ValueError(f"the point has no {parameter.key}")
            value = point[parameter.key]
            if not parameter.dimension.contains(value):
                text = dimension_text(parameter.dimension)
                raise ValueError(f"{parameter.key}: {value!r} is not within {text}")
            found[name] = parameter
            return value

        if extra := sorted(set(point) - set(self.walk(look_up))):
            raise ValueError(f"not active at this point: {', '.join(extra)}")
        return found

    def all(self, condition: Condition = ()) -> Iterator[tuple[Condition, Parameter]]:
        """Every parameter of the tree with its condition, outermost first."""
        for parameter in self.parameters:
            yield condition, parameter
            for value, branch in parameter.options():
                yield from branch.all((*condition, (parameter.key, value)))

    def size(self) -> int | None:
        """The number of points; None where they cannot be counted."""
        sizes = [_size(parameter) for parameter in self.parameters]
        counted = [size for size in sizes if size is not None]
        return math.prod(counted) if len(counted) == len(sizes) else None

    def points(self) -> Iterator[Point]:
        """Every point of a finite space, the last parameter varying fastest.

        Raises:
            ValueError: The space is not finite; the message names what makes it so.
        """
        endless = [
            at(parameter.key, condition)
            for condition, parameter in self.all()
            if parameter.dimension.count() is None
        ]
        if endless:
            raise ValueError(f"endlessly many values: {', '.join(endless)}")
        return _points(self.parameters)

    def to_mapping(self) -> dict[str, Any]:
        """The space as a ``space:`` section says it; `grammar.read_space` gives it back."""
        return {
            parameter.key: {
                value_text(value): branch.to_mapping() for value, branch in parameter.options()
            }
            or dimension_text(parameter.dimension)
            for parameter in self.parameters
        }

    def describe(self, indent: str = "") -> str:
        """The tree as lines of text, for people."""
        lines: list[str] = []
        for parameter in self.parameters:
            lines.append(f"{indent}{parameter.key}: {dimension_text(parameter.dimension)}")
            for value, branch in parameter.options():
                if branch:
                    lines.append(f"{indent}  {value_text(value)}:")
                    lines.append(branch.describe(indent + "    "))
        return "\n".join(lines)


def _size(parameter: Parameter) -> int | None:
    if parameter.branches:
        sizes = [branch.size() for branch in parameter.branches]
        counted = [size for size in sizes if size is not None]
        return sum(counted) if len(counted) == len(sizes) else None
    return parameter.dimension.count()


def _points(parameters: tuple[Parameter, ...]) -> Iterator[Point]:
    if not parameters:
        yield {}
        return
    first, rest = parameters[0], parameters[1:]
    for value in first.dimension.values():
        for inner in _points(first.branch(value).parameters):
            for others in _points(rest):
                yield {first.key: value, **inner, **others}

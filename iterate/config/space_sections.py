"""Finds the ``space:`` sections of composed files, and what their keys name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from iterate.config.compose import Layer
from iterate.config.messages import shown
from iterate.config.yaml_files import rejoined
from iterate_core.errors import Problem, RequestError

_KEY = re.compile(r"[A-Za-z_][\w-]*([./][A-Za-z0-9_][\w-]*)*")


@dataclass(frozen=True)
class SpaceEntry:
    """One line of a ``space:`` section, its key made absolute.

    Attributes:
        key: A field, ``optimiser.lr``, or a config group, ``model/decoder``.
        group: Whether it is a config group.
        content: The text of a sweep, a mapping of options to spaces, or None (not searched).
        section: The section where the outermost ``space:`` stands; keys within are relative to it.
        where: For messages: ``search.yaml: space.optimiser.lr``.
        rank: A higher one wins: first what the user wrote (command line 2, primary file 1,
            other files 0), then the file's place in the order of merging.
        groups: The config groups as whose options its file came in.
    """

    key: str
    group: bool
    content: Any
    section: str
    where: str
    rank: tuple[int, int]
    groups: tuple[str, ...] = ()

    @property
    def primary(self) -> bool:
        """Whether the user wrote it for this study."""
        return self.rank[0] > 0


def entries_of(layer: Layer, is_group: Callable[[str], bool]) -> Iterator[SpaceEntry]:
    """Every line of every ``space:`` section of a file.

    Raises:
        RequestError: With every line whose key cannot be one.
    """
    problems: list[Problem] = []
    for section, content in _spaces(layer.content, layer.section):
        inside = section.removeprefix(layer.section).strip(".")
        place = f"{shown(layer.file)}: {inside + '.' if inside else ''}space"
        if content is None:
            continue
        if not isinstance(content, Mapping):
            problems.append(Problem(place, f"must map keys to sweeps, but got {content!r}."))
            continue
        frame = SpaceEntry(
            "", False, None, section, place, (int(layer.primary), layer.rank), layer.groups
        )
        for key, value in rejoined(content).items():
            try:
                yield entry(frame, key, value, is_group)
            except RequestError as error:
                problems.extend(error.problems)
    if problems:
        raise RequestError(problems)


def entry(frame: SpaceEntry, key: Any, content: Any, is_group: Callable[[str], bool]) -> SpaceEntry:
    """A line within a frame (a ``space:`` section, or an option that carries a space).

    Raises:
        RequestError: The key cannot be one.
    """
    where = f"{frame.where}.{key}"
    text = str(key).removeprefix("/")
    if not _KEY.fullmatch(text):
        hint = "Write a field, such as optimiser.lr, or a config group, such as model/decoder."
        raise RequestError(Problem(where, f"{key!r} is no key of a recipe.", hint))
    section = "" if str(key).startswith("/") else frame.section
    as_group = f"{section.replace('.', '/')}/{text}".strip("/")
    group = "." not in text and is_group(as_group)
    if "/" in text and not group:
        raise RequestError(Problem(where, f"there is no config group {as_group!r}."))
    dotted_group = f"{section}.{text}".strip(".").replace(".", "/")
    if not group and "." in text and is_group(dotted_group):
        hint = f"Write {text.replace('.', '/')}."
        raise RequestError(Problem(where, f"{dotted_group} is a config group.", hint))
    if group and as_group in frame.groups:
        raise RequestError(Problem(where, f"an option of {as_group} cannot search {as_group}."))
    absolute = as_group if group else f"{section}.{text}".strip(".")
    return replace(frame, key=absolute, group=group, content=content, where=where)


def _spaces(content: Any, section: str) -> Iterator[tuple[str, Any]]:
    """(section, content) of each ``space:``, outermost only."""
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if key == "space":
            yield section, value
        else:
            yield from _spaces(value, f"{section}.{key}".strip("."))

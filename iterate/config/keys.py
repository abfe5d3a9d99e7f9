"""Unknown keys: where they might have been meant to stand, and what else is wrong beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from iterate.config.earlier import FREEZE, HINT
from iterate.config.resolve import Resolver
from iterate.config.schema import collect_config, fields_at
from iterate.hpo.space import Space
from iterate_core.engine.resolved import prepare
from iterate_core.errors import Problem, RequestError

UNKNOWN = "unknown key"
_LEGAL = "Legal here:"
_DEEPEST = 4


def with_places(problem: Problem, mapping: Mapping[str, Any]) -> Problem:
    """An unknown key with the keys of that name elsewhere, or all that are legal in its place.

    Args:
        problem: Of a config, its `where` a dotted path.
        mapping: The config.
    """
    if problem.where == FREEZE:
        return replace(problem, hint=HINT)
    near = problem.hint is not None and not problem.hint.startswith(_LEGAL)
    if near or not problem.what.startswith(UNKNOWN):
        return problem
    section, _, key = problem.where.rpartition(".")
    paths = list(_paths(mapping))
    found = [path for path in paths if path.rpartition(".")[2] == key]
    found = found or get_close_matches(key, paths, n=3, cutoff=0.8)
    if found:
        return replace(problem, hint=f"Did you mean {' or '.join(map(repr, found[:3]))}?")
    legal = ", ".join(sorted(fields_at(mapping, section)))
    return replace(problem, hint=f"{_LEGAL} {legal}." if legal else problem.hint)


def further(resolver: Resolver, space: Space, problems: Sequence[Problem]) -> list[Problem]:
    """What the dataset finds wrong with the base recipe, its unknown keys left out.

    A decoder that does not serve the task has other options than the one that was meant: the
    task is the news then. Nothing is told where anything but unknown keys is wrong.
    """
    if not all(UNKNOWN in problem.what for problem in problems):
        return []
    try:
        mapping, _ = resolver.collect(resolver.base(space, {}))
        _, found = collect_config(mapping)
        for problem in found:
            _drop(mapping, problem.where)
        config, _ = collect_config(mapping)
        if config is not None:
            prepare(config.recipe())
    except RequestError as error:
        return list(error.problems)
    return []


def _paths(mapping: Mapping[str, Any], section: str = "", depth: int = 0) -> Iterator[str]:
    """Every key of every section, given the components that a config names."""
    for name in sorted(fields_at(mapping, section)):
        path = f"{section}.{name}" if section else name
        yield path
        if depth < _DEEPEST:
            yield from _paths(mapping, path, depth + 1)


def _drop(mapping: dict[str, Any], path: str) -> None:
    *sections, last = path.split(".")
    inner: Any = mapping
    for section in sections:
        inner = inner.get(section) if isinstance(inner, dict) else None
    if isinstance(inner, dict):
        inner.pop(last, None)

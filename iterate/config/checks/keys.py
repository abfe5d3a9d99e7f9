"""Unknown keys: where they might have been meant to stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from iterate.config.earlier import FREEZE, HINT
from iterate.config.schema import fields_at
from iterate_core.errors import Problem

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


def _paths(mapping: Mapping[str, Any], section: str = "", depth: int = 0) -> Iterator[str]:
    """Every key of every section, given the components that a config names."""
    for name in sorted(fields_at(mapping, section)):
        path = f"{section}.{name}" if section else name
        yield path
        if depth < _DEEPEST:
            yield from _paths(mapping, path, depth + 1)

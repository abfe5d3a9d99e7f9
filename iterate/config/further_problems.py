"""What else is wrong with a file whose keys are wrong already, so that all is told at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iterate.config.keys import UNKNOWN
from iterate.config.resolve import Resolver
from iterate.config.schema import collect_config
from iterate.hpo.space import Space
from iterate_core.engine.complete import complete
from iterate_core.errors import Problem, RequestError


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
            complete(config.recipe())
    except RequestError as error:
        return list(error.problems)
    return []


def _drop(mapping: dict[str, Any], path: str) -> None:
    *sections, last = path.split(".")
    inner: Any = mapping
    for section in sections:
        inner = inner.get(section) if isinstance(inner, dict) else None
    if isinstance(inner, dict):
        inner.pop(last, None)

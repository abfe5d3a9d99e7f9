"""Messages that conversion and folders share, with the options as a recipe spells them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from iterate_core.errors import DataError, Problem

_FLAG = re.compile(r"--([a-z][a-z-]*)")
_OTHERWISE = {"bands": "band_names"}
"""Flags of ``iterate data convert`` that are called something else in a recipe."""


@contextmanager
def in_yaml() -> Iterator[None]:
    """Whatever is wrong with data names YAML's keys: ``data.fill`` for ``--fill``."""
    try:
        yield
    except DataError as error:
        raise DataError([_spelled(problem) for problem in error.problems]) from error


def _spelled(problem: Problem) -> Problem:
    hint = None if problem.hint is None else _FLAG.sub(_key, problem.hint)
    return Problem(problem.where, problem.what, hint)


def _key(found: re.Match[str]) -> str:
    name = found[1].replace("-", "_")
    return f"data.{_OTHERWISE.get(name, name)}"

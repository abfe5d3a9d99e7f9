"""Resolves what refers to something else, each value once.

OmegaConf follows a reference anew wherever it stands, so that a few dozen references to references
take years. Here a value is resolved only when everything that it refers to is plain already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from iterate.config import limits
from iterate.config.earlier import FREEZE, HINT
from iterate.config.environment import FROM_ENVIRONMENT, may_read, reading
from iterate.config.messages import unresolved
from iterate.hpo.space.grammar import MOST_CHARACTERS
from iterate_core.errors import Problem, RequestError

MISSING = "???"
Place = tuple[Any, ...]
"""Keys and indices, from the root to a value."""


@dataclass
class Resolved:
    """What a file says once nothing in it refers to anything else.

    Attributes:
        mapping: Without what could not be resolved.
        problems: Why that could not be.
        environment: Dotted key → the variables it was read from.
    """

    mapping: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)
    environment: dict[str, tuple[str, ...]] = field(default_factory=dict)


def resolve(config: DictConfig, locate: Callable[[str], str]) -> Resolved:
    """Resolve a config, which is left as it is.

    Args:
        config: Merged files.
        locate: Names the file that said a dotted key.

    Raises:
        RequestError: It refers to more than `limits` lets it.
    """
    content: Any = OmegaConf.to_container(config, resolve=False)
    pending = dict(references(content))
    if len(pending) > limits.REFERENCES:
        what = f"{len(pending)} values refer to others; at most {limits.REFERENCES} may."
        raise RequestError(Problem(locate(""), what))
    if not pending:
        return Resolved(content)
    return _Resolution(content, pending, locate).run()


def references(content: Any, path: Place = ()) -> Iterator[tuple[Place, str]]:
    """Path → text of each value that stands for another, or for one still to be given."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from references(value, (*path, key))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from references(value, (*path, index))
    elif isinstance(content, str) and ("${" in content or content == MISSING):
        yield path, content


def dotted(path: Place) -> str:
    """A path as messages show it: ``data.bands[0]``."""
    return "".join(
        f"[{part}]" if isinstance(part, int) and depth else f".{part}"
        for depth, part in enumerate(path)
    ).strip(".")


def settle(config: DictConfig, path: Place, locate: Callable[[str], str]) -> None:
    """Make plain whatever stands for another section on the way to a path that is about to be set.

    Raises:
        RequestError: It cannot be resolved.
    """
    section: Any = config
    for depth, part in enumerate(path):
        # `in` would say no: it looks at what the value stands for.
        if not isinstance(section, DictConfig) or part not in list(section.keys()):
            return
        if OmegaConf.is_interpolation(section, part):
            found = resolve(config, locate)
            try:
                section[part] = _literal(_walk(found.mapping, path[: depth + 1]))
            except (KeyError, TypeError):
                here = Problem(locate(dotted(path)), "cannot be set: its section leads nowhere.")
                raise RequestError(found.problems or here) from None
        if OmegaConf.is_missing(section, part):
            return
        section = section[part]


class _Resolution:
    """Two copies of a config, in both of which what is unresolved is missing.

    In `_plain`, so is what came from the environment: nothing else may refer to that.
    """

    def __init__(
        self, content: dict[Any, Any], pending: dict[Place, str], locate: Callable[[str], str]
    ) -> None:
        self._pending = pending
        self._locate = locate
        self._content = content
        for path in pending:
            _put(content, path, MISSING)
        self._plain = OmegaConf.create(content)
        self._all = OmegaConf.create(content)
        self._result = Resolved(content)
        self._size = sum(1 for _ in _values(content))

    def run(self) -> Resolved:
        """Pass over what is left, forwards and backwards in turn, until nothing more resolves."""
        left = [path for path, text in self._pending.items() if text != MISSING]
        missing = [path for path, text in self._pending.items() if text == MISSING]
        while left:
            waiting = [path for path in left if not self._try(path)]
            if len(waiting) == len(left):
                break
            left = waiting[::-1]
        for path in missing:
            self._refuse(path, "is required.")
        for path in left:
            self._refuse(path, self._why(path))
        return self._result

    def _try(self, path: Place) -> bool:
        """Resolve a value if all that it refers to is plain; say whether that is done with."""
        key = dotted(path)
        allowed = may_read(key)
        for config in (self._plain, self._all) if allowed else (self._plain,):
            with reading(allowed=allowed) as noted:
                try:
                    value = self._value(config, path)
                except (InterpolationToMissingValueError, MissingMandatoryValue):
                    continue
                except (OmegaConfBaseException, RecursionError, ValueError) as error:
                    if noted.early:
                        continue
                    self._fail(path, error, noted.variables)
                    return True
            self._accept(path, value, noted.variables, tainted=config is self._all)
            return True
        return False

    def _value(self, config: DictConfig, path: Place) -> Any:
        parent = _walk(config, path[:-1])
        parent[path[-1]] = self._pending[path]
        try:
            value = parent[path[-1]]
            if OmegaConf.is_config(value):
                # A section that holds this very value is not plain.
                parent[path[-1]] = MISSING
                value = OmegaConf.to_container(value, resolve=True, throw_on_missing=True)
        finally:
            parent[path[-1]] = MISSING
        return value

    def _accept(self, path: Place, value: Any, variables: list[str], *, tainted: bool) -> None:
        self._size += sum(1 for _ in _values(value))
        if self._size > limits.VALUES:
            what = f"with what is referred to, there are more than {limits.VALUES} values."
            raise RequestError(Problem(self._locate(dotted(path)), what))
        if isinstance(value, str) and len(value) > MOST_CHARACTERS:
            what = f"is longer than {MOST_CHARACTERS} characters, its references written out."
            raise RequestError(Problem(self._locate(dotted(path)), what))
        _put(self._content, path, value)
        _put(self._all, path, _literal(value))
        if variables or tainted:
            self._result.environment[dotted(path)] = tuple(variables)
        else:
            _put(self._plain, path, _literal(value))

    def _fail(self, path: Place, error: Exception, variables: list[str]) -> None:
        key, text = dotted(path), self._pending[path]
        if variables and not may_read(key):
            self._refuse(path, *_not_here(text))
            return
        problem = unresolved(self._locate(key), text, error)
        hint = HINT if f"{{{FREEZE}}}" in text else problem.hint
        self._refuse(path, problem.what, hint)

    def _why(self, path: Place) -> str:
        """Why a value is not plain when all that could be resolved is."""
        text = self._pending[path]
        if not may_read(dotted(path)):
            with reading(allowed=False):
                try:
                    self._value(self._all, path)
                except (OmegaConfBaseException, RecursionError, ValueError):
                    pass
                else:
                    return " ".join(_not_here(text))
        return f"{text!r} leads to a value that is missing, or back to itself."

    def _refuse(self, path: Place, what: str, hint: str | None = None) -> None:
        self._result.problems.append(Problem(self._locate(dotted(path)), what, hint))
        _drop(self._content, path)


def _not_here(text: str) -> tuple[str, str]:
    what = f"{text!r} reads the environment, which may hold secrets that would be recorded."
    return what, f"It is read for {', '.join(FROM_ENVIRONMENT)} alone."


def _walk(config: Any, path: Place) -> Any:
    for part in path:
        config = config[part]
    return config


def _put(content: Any, path: Place, value: Any) -> None:
    _walk(content, path[:-1])[path[-1]] = value


def _drop(content: Any, path: Place) -> None:
    """Leave a value out; a list is left out with its element."""
    for depth, part in enumerate(path):
        inner = content.get(part) if isinstance(content, dict) else None
        if depth == len(path) - 1 or isinstance(inner, list):
            if isinstance(content, dict):
                content.pop(part, None)
            return
        content = inner


def _values(content: Any) -> Iterator[Any]:
    if isinstance(content, Mapping):
        for value in content.values():
            yield from _values(value)
    elif isinstance(content, list):
        for value in content:
            yield from _values(value)
    yield content


def _literal(value: Any) -> Any:
    """A value as OmegaConf takes it for what it says, where it looks like a reference."""
    if isinstance(value, Mapping):
        return {key: _literal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_literal(inner) for inner in value]
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", value)
    return value

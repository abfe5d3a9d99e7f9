"""From composed files and a point to one plain, resolved mapping."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iterate.config.compose import Composer, Composition
from iterate.config.expand import Expansion, touch
from iterate.config.mistakes import first_line, unresolved
from iterate.config.schema import default_at, takes
from iterate.config.words import PLACE
from iterate.core.errors import Problem, RequestError
from iterate.search.space import Parameter, Point, Space, Value

_MISSING = "???"
_DEEPEST = 100  # references through references


class Resolver:
    """Composes a file for any point of its space.

    Args:
        composer: The user's file and the command line's words.
        expansion: What they search over.
    """

    def __init__(self, composer: Composer, expansion: Expansion) -> None:
        self.composer = composer
        self.expansion = expansion

    def composition(self, point: Mapping[str, Value]) -> Composition:
        """The files, merged for the config groups that a point chooses."""
        return self.composer.compose(
            {key: str(value) for key, value in point.items() if self.composer.is_group(key)}
        )

    def mapping(self, point: Mapping[str, Value]) -> dict[str, Any]:
        """Everything the files, the command line and a point say together, resolved.

        Raises:
            RequestError: As in `collect`, with everything found.
        """
        mapping, problems = self.collect(point)
        if problems:
            raise RequestError(problems)
        return mapping

    def collect(self, point: Mapping[str, Value]) -> tuple[dict[str, Any], list[Problem]]:
        """As `mapping`, without what cannot be resolved, and with why.

        Raises:
            RequestError: A word sets or deletes what cannot be.
        """
        config = self._with_constants(point)
        for key, value in point.items():
            if not self.composer.is_group(key):
                _set(config, key, value)
        config.setdefault("name", self.composer.file.stem)
        return _resolved(config, lambda path: self.locate(path, point))

    def locate(self, path: str, point: Mapping[str, Value]) -> str:
        """Names the file, or the command line, that set a path last, and the path."""
        if any(touch(key, path) for key in self.composer.words.constants):
            return f"{PLACE}: {path}"
        return self.composition(point).locate(path)

    def interpolates(self, point: Mapping[str, Value]) -> bool:
        """Whether anything in the merged files or constants refers to anything else."""
        content = OmegaConf.to_container(self._with_constants(point), resolve=False)
        texts = [value for value in point.values() if isinstance(value, str)]
        return any(True for _ in _references([content, *texts]))

    def base(self, space: Space, fixed: Mapping[str, Value]) -> Point:
        """The space's point that is nearest to what the files say outside their spaces.

        A parameter takes the files' own value where that lies within its dimension, and the
        dimension's middle, or first choice, where not.

        Args:
            space: The tree, or a part of it.
            fixed: Values that are given: choices of the branch to look at.
        """
        point: Point = {}

        def value_of(name: str, parameter: Parameter) -> Value:  # noqa: ARG001
            value = fixed[parameter.key] if parameter.key in fixed else self._own(parameter, point)
            point[parameter.key] = value
            return value

        return space.walk(value_of)

    def _own(self, parameter: Parameter, point: Point) -> Value:
        composition = self.composition(point)
        if self.composer.is_group(parameter.key):
            value: Any = composition.choices.get(parameter.key)
        else:
            value = self._value_at(composition, parameter.key)
        if parameter.dimension.contains(value):
            return value  # type: ignore[no-any-return]
        return parameter.dimension.probes()[0]

    def _value_at(self, composition: Composition, key: str) -> Value:
        """What the merged files say, or else the schema."""
        plain: Any = OmegaConf.to_container(composition.config, resolve=False)
        try:
            value = OmegaConf.select(composition.config, key, default=default_at(plain, key))
        except OmegaConfBaseException:
            return None
        return (
            tuple(value) if isinstance(value, list | tuple) or OmegaConf.is_list(value) else value
        )

    def _with_constants(self, point: Mapping[str, Value]) -> DictConfig:
        words = self.composer.words
        config = copy.deepcopy(self.composition(point).config)
        for key in words.deleted:
            if not self.composer.is_group(key):
                _delete(config, key)
        for key, value in words.constants.items():
            if key not in self.expansion.conditional or _takes(config, key):
                _set(config, key, value)
        return config


def _takes(config: DictConfig, key: str) -> bool:
    plain = OmegaConf.to_container(config, resolve=False)
    return isinstance(plain, dict) and takes(plain, key)  # type: ignore[arg-type]


def _set(config: DictConfig, key: str, value: Any) -> None:
    plain = list(value) if isinstance(value, tuple) else value
    try:
        OmegaConf.update(config, key, plain, merge=True, force_add=True)
    except (OmegaConfBaseException, ValueError, AssertionError) as error:
        where = f"{PLACE}: {key}"
        raise RequestError(Problem(where, f"cannot be set: {first_line(error)}.")) from None


def _delete(config: DictConfig, key: str) -> None:
    parent, _, last = key.rpartition(".")
    section = OmegaConf.select(config, parent) if parent else config
    if not isinstance(section, DictConfig) or last not in section:
        raise RequestError(Problem(f"{PLACE}: ~{key}", "there is no such key to delete."))
    del section[last]


def _resolved(
    config: DictConfig, locate: Callable[[str], str]
) -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    for _ in range(_DEEPEST):
        try:
            mapping = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        except OmegaConfBaseException as error:
            # Taking out what leads nowhere may leave others that referred to it.
            broken = list(_broken(config, locate))
            if not broken:
                where = locate(error.full_key or "")
                raise RequestError(Problem(where, f"{first_line(error)}.")) from None
            for key, problem in broken:
                problems.append(problem)
                _take_out(config, key)
            continue
        assert isinstance(mapping, dict)  # noqa: S101 - the root is one
        return {str(key): value for key, value in mapping.items()}, problems
    raise RequestError(problems)


def _broken(config: DictConfig, locate: Callable[[str], str]) -> Iterator[tuple[str, Problem]]:
    """Every value that is missing (``???``) or refers to nothing."""
    for key, text in list(_references(OmegaConf.to_container(config, resolve=False))):
        if text == _MISSING:
            yield key, Problem(locate(key), "is required.")
            continue
        try:
            found = OmegaConf.select(config, key, throw_on_missing=True)
            if OmegaConf.is_config(found):
                OmegaConf.to_container(found, resolve=True, throw_on_missing=True)
        except OmegaConfBaseException as error:
            yield key, unresolved(locate(key), text, error)


def _take_out(config: DictConfig, key: str) -> None:
    parent, _, _ = key.partition("[")
    section, _, last = parent.rpartition(".")
    found = OmegaConf.select(config, section) if section else config
    # `in` would say no: it looks at what the value stands for.
    if isinstance(found, DictConfig) and last in list(found.keys()):
        del found[last]


def _references(content: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted path → text of each value that stands for another, or for one still to be given."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _references(value, f"{path}.{key}".strip("."))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _references(value, f"{path}[{index}]")
    elif isinstance(content, str) and ("${" in content or content == _MISSING):
        yield path, content

"""From composed files and a point to one plain, resolved mapping."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iterate.config.compose import Composer, Composition
from iterate.config.expand import Expansion
from iterate.config.mistakes import first_line, shown, unresolved
from iterate.config.schema import takes
from iterate.config.words import PLACE
from iterate.core.errors import Problem, RequestError
from iterate.search.space import Parameter, Point, Space, Value


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
            RequestError: An interpolation leads nowhere, or a word deletes what is not there.
        """
        config = self._with_constants(point)
        for key, value in point.items():
            if not self.composer.is_group(key):
                _set(config, key, value)
        config.setdefault("name", self.composer.file.stem)
        return self._resolved(config, self.composition(point))

    def interpolates(self, point: Mapping[str, Value]) -> bool:
        """Whether anything in the merged files or constants refers to anything else."""
        content = OmegaConf.to_container(self._with_constants(point), resolve=False)
        texts = [value for value in point.values() if isinstance(value, str)]
        return any(True for _ in _interpolations([content, *texts]))

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
            try:
                value = OmegaConf.select(composition.config, parameter.key, default=None)
            except OmegaConfBaseException:
                value = None
        if OmegaConf.is_list(value):
            value = tuple(value)
        if parameter.dimension.contains(value):
            return value  # type: ignore[no-any-return]
        return parameter.dimension.probes()[0]

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

    def _resolved(self, config: DictConfig, composition: Composition) -> dict[str, Any]:
        try:
            mapping = OmegaConf.to_container(config, resolve=True)
        except OmegaConfBaseException:
            raise RequestError(list(_dead_ends(config, composition))) from None
        assert isinstance(mapping, dict)  # noqa: S101 - the root is one
        missing = sorted(str(key) for key in OmegaConf.missing_keys(config))
        if missing:
            problems = [Problem(composition.locate(key), "is required.") for key in missing]
            raise RequestError(problems)
        return {str(key): value for key, value in mapping.items()}


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


def _dead_ends(config: DictConfig, composition: Composition) -> Iterator[Problem]:
    """Every interpolation that cannot be resolved."""
    found = False
    for key, text in _interpolations(OmegaConf.to_container(config, resolve=False)):
        try:
            OmegaConf.select(config, key, throw_on_missing=True)
        except OmegaConfBaseException as error:
            found = True
            yield unresolved(composition.locate(key), text, error)
    if not found:
        primary = next(layer for layer in composition.layers if layer.primary)
        yield Problem(shown(primary.file), "holds an interpolation that cannot be resolved.")


def _interpolations(content: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _interpolations(value, f"{path}.{key}".strip("."))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _interpolations(value, f"{path}[{index}]")
    elif isinstance(content, str) and "${" in content:
        yield path, content

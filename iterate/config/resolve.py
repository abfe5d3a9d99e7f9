"""From composed files and a point to one plain, resolved mapping."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iterate.config.compose import Composer, Composition
from iterate.config.expand import Expansion, touch
from iterate.config.interpolate import Resolved, references, resolve, settle
from iterate.config.messages import first_line
from iterate.config.overrides import PLACE
from iterate.config.roots import ROOT, find_root
from iterate.config.schema import default_at, takes
from iterate.hpo.space import Parameter, Point, Space, Value
from iterate_core.errors import Problem, RequestError


class Resolver:
    """Composes a file for any point of its space.

    Args:
        composer: The user's file and the command line's words.
        expansion: What they search over.
    """

    def __init__(self, composer: Composer, expansion: Expansion) -> None:
        self.composer = composer
        self.expansion = expansion
        self._plain: dict[int, dict[str, Any]] = {}

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
            RequestError: A word sets or deletes what cannot be, or the files refer to too much.
        """
        found = self.resolved(point)
        return found.mapping, found.problems

    def resolved(self, point: Mapping[str, Value]) -> Resolved:
        """As `collect`, and with what was read from the environment.

        Raises:
            RequestError: A word sets or deletes what cannot be.
        """
        config = self._with_constants(point)
        for key, value in point.items():
            if not self.composer.is_group(key):
                _set(config, key, value)
        if "name" not in list(config.keys()):  # `in`, or setdefault, would look what it stands for
            config["name"] = self.composer.file.stem
        found = resolve(config, lambda path: self.locate(path, point))
        self._find_root(found.mapping, point)
        return found

    def missing_root(self, point: Mapping[str, Value]) -> Problem | None:
        """What is wrong with a relative root that lies nowhere; None if it does not."""
        return self._find_root(self.resolved(point).mapping, point)

    def _find_root(self, mapping: dict[str, Any], point: Mapping[str, Value]) -> Problem | None:
        return find_root(mapping, self.locate(ROOT, point), self._bases(point))

    def _bases(self, point: Mapping[str, Value]) -> list[Path]:
        """What a relative root is relative to; on the command line, to the working directory."""
        if any(touch(key, ROOT) for key in self.composer.words.constants):
            return [Path.cwd()]
        stating = self.composition(point).file_of(ROOT)
        return [(stating or self.composer.file).resolve().parent, Path.cwd()]

    def locate(self, path: str, point: Mapping[str, Value]) -> str:
        """Names the file, or the command line, that set a path last, and the path."""
        if any(touch(key, path) for key in self.composer.words.constants):
            return f"{PLACE}: {path}"
        return self.composition(point).locate(path)

    def interpolates(self, point: Mapping[str, Value]) -> bool:
        """Whether anything in the merged files or constants refers to anything else."""
        content = OmegaConf.to_container(self._with_constants(point), resolve=False)
        texts = [value for value in point.values() if isinstance(value, str)]
        return any(True for _ in references([content, *texts]))

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
        if id(composition) not in self._plain:  # the composer keeps every composition
            self._plain[id(composition)] = resolve(composition.config, composition.locate).mapping
        plain = self._plain[id(composition)]
        value: Any = plain
        for part in key.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return default_at(plain, key)  # type: ignore[no-any-return]
            value = value[part]
        return tuple(value) if isinstance(value, list) else value

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
    where = f"{PLACE}: {key}"
    settle(config, tuple(key.split("."))[:-1], lambda _: where)
    plain = list(value) if isinstance(value, tuple) else value
    try:
        OmegaConf.update(config, key, plain, merge=True, force_add=True)
    except (OmegaConfBaseException, ValueError, AssertionError) as error:
        raise RequestError(Problem(where, f"cannot be set: {first_line(error)}.")) from None


def _delete(config: DictConfig, key: str) -> None:
    parent, _, last = key.rpartition(".")
    where = f"{PLACE}: ~{key}"
    settle(config, tuple(parent.split(".")), lambda _: where)
    section = OmegaConf.select(config, parent) if parent else config
    if not isinstance(section, DictConfig) or last not in list(section.keys()):
        raise RequestError(Problem(where, "there is no such key to delete."))
    del section[last]

"""The door: a user's file and words in, a checked study or recipe out. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iterate.config.checks.keys import UNKNOWN
from iterate.config.checks.validate import check, variants
from iterate.config.compose import Composer
from iterate.config.earlier import tell
from iterate.config.expand import Expansion, expand
from iterate.config.messages import shown
from iterate.config.resolve import Resolver
from iterate.config.schema import SearchConfig, collect_config
from iterate.hpo.space import Condition, Point, Space
from iterate.hpo.space.text import at, dimension_text
from iterate_core.engine.resolved import prepare
from iterate_core.errors import Problem, RequestError
from iterate_core.recipe import Recipe

_MOST_POINTS = 100_000  # of a grid


@dataclass(frozen=True)
class LoadedStudy:
    """A search file, checked: what to train, what varies, and how to search.

    Attributes:
        source: The file.
        config: All of it, typed, at the base point.
        recipe: The recipe at the base point.
        base: The point of the space that is nearest to what the file says outside it.
        space: What varies.
    """

    source: Path
    config: SearchConfig
    recipe: Recipe
    base: Point
    space: Space
    _resolver: Resolver = field(repr=False, compare=False)

    def recipe_at(self, point: Point, seed: int) -> Recipe:
        """The recipe at a point: its config groups composed, constants and interpolations kept.

        Args:
            point: A point of `space`.
            seed: Becomes the recipe's seed.

        Raises:
            RequestError: The point's values do not fit together.
        """
        mapping = self._resolver.mapping(point)
        chosen = {name: mapping[name] for name in Recipe.model_fields if name in mapping}
        return Recipe.parse({**chosen, "seed": seed})

    def branches(self) -> list[tuple[Condition, Recipe]]:
        """One recipe for every branch of the space, and every other data or model within one.

        Each comes with the choices that lead to it; the base itself, with none, is the first.
        """
        found = []
        for condition in variants(self.space):
            point = self._resolver.base(self.space, dict(condition))
            found.append((condition, self.recipe_at(point, self.recipe.seed)))
        return found

    def check_roots(self) -> None:
        """Check that data which lie relative to something are there, in every branch.

        Raises:
            RequestError: They are not, with where they were looked for.
        """
        points = (self._resolver.base(self.space, dict(c)) for c in variants(self.space))
        missing = [self._resolver.missing_root(point) for point in points]
        problems = list(dict.fromkeys(problem for problem in missing if problem is not None))
        if problems:
            raise RequestError(problems)

    def environment(self) -> dict[str, tuple[str, ...]]:
        """Key → the variables of the environment that it was read from, in any branch."""
        found: dict[str, tuple[str, ...]] = {}
        for condition in variants(self.space):
            found |= self._resolver.resolved(
                self._resolver.base(self.space, dict(condition))
            ).environment
        return found


def load_study(file: Path, overrides: Sequence[str] = ()) -> LoadedStudy:
    """Compose, expand and check a search file.

    Args:
        file: Such as ``search.yaml``.
        overrides: Trailing words of the command line.

    Raises:
        RequestError: With every mistake found, each with its file, YAML path and, where a name
            is wrong, the nearest legal ones.
    """
    study = _loaded(file, overrides)
    _check_seed(study)
    return study


def _loaded(file: Path, overrides: Sequence[str]) -> LoadedStudy:
    composer = Composer(file, overrides)
    try:
        expansion = expand(composer)
    except RequestError as error:
        raise RequestError([*composer.words.problems, *error.problems]) from None
    tell(composer.readings)
    resolver = Resolver(composer, expansion)
    problems = [*composer.words.problems, *expansion.problems]
    problems += check(resolver, expansion.space)
    if problems:
        raise RequestError([*problems, *_further(resolver, expansion.space, problems)])
    base = resolver.base(expansion.space, {})
    config, problems = collect_config(resolver.mapping(base))
    if config is None:
        raise RequestError(problems)
    _check_grid(config, expansion)
    return LoadedStudy(file, config, config.recipe(), base, expansion.space, resolver)


def _further(resolver: Resolver, space: Space, problems: Sequence[Problem]) -> list[Problem]:
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


def _drop(mapping: dict[str, Any], path: str) -> None:
    *sections, last = path.split(".")
    inner: Any = mapping
    for section in sections:
        inner = inner.get(section) if isinstance(inner, dict) else None
    if isinstance(inner, dict):
        inner.pop(last, None)


def _check_grid(config: SearchConfig, expansion: Expansion) -> None:
    """A grid needs a space whose points can be counted."""
    if config.search.sampler.name != "grid":
        return
    hint = "Write range(start, stop, step) or choice(…), or take another sampler."
    endless = [
        Problem(
            expansion.places[at(parameter.key, condition)],
            f"a grid cannot search {dimension_text(parameter.dimension)}.",
            hint,
        )
        for condition, parameter in expansion.space.all()
        if parameter.dimension.count() is None
    ]
    if endless:
        raise RequestError(endless)
    size = expansion.space.size()
    if size is not None and size > _MOST_POINTS:
        what = f"a grid of {size:,} points; at most {_MOST_POINTS:,} are kept."
        hint = "Widen the steps, or take another sampler."
        raise RequestError(Problem("search.sampler", what, hint))


def _check_seed(study: LoadedStudy) -> None:
    """A search gives each training a seed of its own: one that is stated would not be used."""
    if study.recipe.seed and study.space:
        what = "fixes one training, and here a space is to be searched."
        hint = "Set search.seed, from which the seeds of trials and repeats follow."
        raise RequestError(Problem("seed", what, hint))


def load_recipe(file: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Compose and check a file that describes one training run.

    Raises:
        RequestError: With every mistake found; or the file leaves something to be searched.
    """
    study = _loaded(file, overrides)
    if study.space:
        hint = "Give each a constant (key=value), or search with `iterate hpo`."
        raise RequestError(
            [
                Problem(f"{shown(file)}: space.{parameter.key}", "is still to be searched.", hint)
                for parameter in study.space.parameters
            ]
        )
    study.check_roots()
    return study.recipe

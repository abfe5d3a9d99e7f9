"""Tries the schema on every branch of a space, and on the values of every dimension in it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iterate.config.checks.keys import UNKNOWN, with_places
from iterate.config.checks.misnamed import misnamed
from iterate.config.overrides import PLACE
from iterate.config.resolve import Resolver
from iterate.config.schema import collect_config, fields_at
from iterate.hpo.space import Categorical, Condition, Int, Parameter, Point, Space, Value
from iterate.hpo.space.dimension import same
from iterate.hpo.space.text import at, condition_text, value_text
from iterate_core.errors import Problem, RequestError, nearest

_MOST_VALUES = 64

_SHAPELESS = ("batch_size", "eval_batch_size", "workers")


def check(resolver: Resolver, space: Space) -> list[Problem]:
    """Every mistake of the recipe in any branch, and every value that its field refuses."""
    checker = _Checker(resolver, space)
    checker.branch(space, ())
    checker.never_taken()
    return checker.problems


def variants(space: Space, condition: Condition = ()) -> Iterator[Condition]:
    """Choices that lead to every branch of a tree, and to every other data, model or loss in one.

    The root's () comes first. Numbers but those of the tuning, and choices that change none of
    these, make no variant: `check` has tried their values already.
    """
    yield condition
    for parameter in space.parameters:
        for value in _decisive(parameter):
            yield from variants(parameter.branch(value), (*condition, (parameter.key, value)))


def _decisive(parameter: Parameter) -> Iterable[Value]:
    """The values that lead to a branch, or to other data, another model or another loss."""
    section, _, field = parameter.key.replace("/", ".").partition(".")
    shaping = section in ("data", "model", "tuning", "loss") and field not in _SHAPELESS
    if parameter.branches or (shaping and isinstance(parameter.dimension, Categorical)):
        return parameter.dimension.values()
    # A number that counts parts of a backbone: not every backbone has as many.
    counts = section == "tuning" and isinstance(parameter.dimension, Int)
    return parameter.dimension.probes() if counts else ()


@dataclass(frozen=True)
class _Branch:
    """A branch that is being checked.

    Attributes:
        point: Its base point.
        mapping: The recipe there, resolved.
        live: Whether something in it refers to something else.
        known: The problems it has whatever the values.
    """

    condition: Condition
    point: Point
    mapping: dict[str, Any]
    live: bool
    known: set[str]


class _Checker:
    def __init__(self, resolver: Resolver, space: Space) -> None:
        self.resolver = resolver
        self.space = space
        self.problems: list[Problem] = []
        self._seen: set[tuple[str, str]] = set()
        self._taken: set[str] = set()
        self._legal: dict[str, set[str]] = {}

    def branch(
        self, space: Space, condition: Condition, carried: tuple[Parameter, ...] = ()
    ) -> None:
        """Check one branch, the values of its dimensions, and the branches below.

        Args:
            space: What varies in the branch.
            condition: The choices that lead to it.
            carried: Parameters from further up that set what these choices decide.
        """
        point = self.resolver.base(self.space, dict(condition))
        try:
            mapping, unresolved = self.resolver.collect(point)
        except RequestError as error:
            self._add(error.problems)
            return
        self._note(mapping)
        self._add(unresolved)
        reported = {problem.where for problem in unresolved}
        contradictions = list(misnamed(self.resolver, mapping, point))
        self._add(contradictions)
        found = self._problems(mapping, point, condition)
        if contradictions:  # which tell of keys that belong to something else
            found = [problem for problem in found if not problem.what.startswith(UNKNOWN)]
        # What an option of a searched group decides is told where the option is checked.
        later = self._sections(space)
        self._add(
            problem
            for problem in found
            if problem.where not in reported and not _concerns(problem, later)
        )
        live = self.resolver.interpolates(point)
        here = _Branch(condition, point, mapping, live, {problem.what for problem in found})
        plain = [p for p in space.parameters if not p.branches and not self._is_group(p)]
        both = (*carried, *plain)
        down = tuple(p for p in both if any(_under(p.key, section) for section in later))
        for parameter in both:
            if parameter not in down:
                self._values(parameter, here)
        for parameter in space.parameters:
            if parameter not in plain:
                for value in parameter.dimension.values():
                    inner = (*condition, (parameter.key, value))
                    self.branch(parameter.branch(value), inner, down)

    def never_taken(self) -> None:
        """Constants that no branch takes."""
        for key in sorted(self.resolver.expansion.conditional - self._taken):
            hint = nearest(key.rpartition(".")[2], self._legal.get(key, ()))
            self._add([Problem(f"{PLACE}: {key}", "unknown key under every option.", hint)])

    def _note(self, mapping: dict[str, Any]) -> None:
        for key in self.resolver.expansion.conditional:
            fields = fields_at(mapping, key.rpartition(".")[0])
            self._legal.setdefault(key, set()).update(fields)
            if key.rpartition(".")[2] in fields:
                self._taken.add(key)

    def _values(self, parameter: Parameter, here: _Branch) -> None:
        """Try a dimension's values, each in the branch's base recipe."""
        typical, *others = parameter.dimension.probes()
        for value in [*others[:_MOST_VALUES], typical]:
            if same(value, here.point[parameter.key]):
                continue
            point = {**here.point, parameter.key: value}
            problems = self._problems(self._with(here, point, parameter.key), point, here.condition)
            if isinstance(parameter.dimension, Categorical):
                self._add([problem for problem in problems if problem.what not in here.known])
                continue
            # A rule that one value of a range breaks need not be told for the others.
            told = {_rule(what) for what in here.known}
            new = [problem for problem in problems if _rule(problem.what) not in told]
            self._add(new)
            if new:
                return

    def _with(self, here: _Branch, point: Point, key: str) -> dict[str, Any]:
        """The branch's mapping with another value; composed anew only if others refer to it."""
        changed = copy.deepcopy(here.mapping)
        inner: Any = changed
        *sections, last = key.split(".")
        for section in sections:
            inner = inner.get(section) if isinstance(inner, dict) else None
        if here.live or not isinstance(inner, dict):
            return self.resolver.collect(point)[0]
        inner[last] = point[key]
        return changed

    def _problems(
        self, mapping: dict[str, Any], point: Mapping[str, Value], condition: Condition
    ) -> list[Problem]:
        _, found = collect_config(mapping)
        told = [with_places(problem, mapping) for problem in found]
        return [self._placed(problem, point, condition) for problem in told]

    def _placed(
        self, problem: Problem, point: Mapping[str, Value], condition: Condition
    ) -> Problem:
        """The problem, with the line of the file or of the command line that it comes from."""
        for key, value in point.items():
            if self.resolver.composer.is_group(key) or not _under(problem.where, key):
                continue
            names = [at(key, condition[:depth]) for depth in range(len(condition), -1, -1)]
            places = self.resolver.expansion.places
            where = next((places[name] for name in names if name in places), f"space.{key}")
            what = problem.what
            if "but got" not in what:
                what = f"{what} (searched over, {value_text(value)} here)"
            hint = problem.hint
            if isinstance(value, float) and "valid integer" in what:
                hint = "Whole numbers are written int(interval(…)) or range(…)."
            return Problem(where, what + _branch(condition), hint)
        where = self.resolver.locate(problem.where, point)
        suffix = _branch(condition) if where.startswith(PLACE) else ""
        return Problem(where, problem.what + suffix, problem.hint)

    def _sections(self, space: Space) -> list[str]:
        """The sections that searched config groups of a level fill."""
        return [p.key.replace("/", ".") for p in space.parameters if self._is_group(p)]

    def _is_group(self, parameter: Parameter) -> bool:
        return self.resolver.composer.is_group(parameter.key)

    def _add(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            # The same mistake in several branches is one mistake.
            key = (problem.where, problem.what.split(" [with ")[0].split(" (searched ")[0])
            if key not in self._seen:
                self._seen.add(key)
                self.problems.append(problem)


def _concerns(problem: Problem, sections: list[str]) -> bool:
    path = problem.where.rpartition(": ")[2].removeprefix("space.")
    return any(_under(path, section) for section in sections)


def _rule(what: str) -> str:
    return what.split(", but got")[0]


def _under(path: str, key: str) -> bool:
    return f"{path}.".startswith(f"{key}.")


def _branch(condition: Condition) -> str:
    return f" [with {condition_text(condition)}]" if condition else ""

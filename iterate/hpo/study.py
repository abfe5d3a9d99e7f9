"""A study: one recipe, one space, one objective, one budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from iterate.hpo.settings import ResourceSettings, SearchSettings
from iterate.hpo.space import Point, Space
from iterate.hpo.space.grammar import read_space
from iterate_core import __version__
from iterate_core.engine.resolved import decisive, prepare
from iterate_core.errors import Problem, RequestError
from iterate_core.objective import Objective
from iterate_core.recipe import Recipe
from iterate_core.registry.marks import PerTraining
from iterate_core.registry.parsing import parse

_VERSION = "version"


@dataclass(frozen=True)
class Study:
    """How well can this backbone do on this dataset?

    Attributes:
        name: Names the study in its run, in MLflow and in every seed.
        recipe: The complete recipe that the space varies.
        space: What varies.
        recipe_at: The recipe at a point of the space, under a seed.
        data: Fingerprint of the dataset's content.
        dataset: The dataset's name, for tables.
        task: Its task, which declares the metrics.
        settings: Sampler, scheduler, budget and repeats.
        resources: What each trial holds while it trains.
        operations: Of floating point, of one training to its last epoch at the base point; None
            where nobody counted them. Longer studies begin earlier.
        notes: What does not go without saying of how it will train; told when it begins.
    """

    name: str
    recipe: Recipe
    space: Space
    recipe_at: Callable[[Point, int], Recipe]
    data: str
    dataset: str
    task: str
    settings: SearchSettings
    resources: ResourceSettings = field(default_factory=ResourceSettings)
    operations: float | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, recipe: Recipe, space: Mapping[str, Any], **search: Any) -> Study:
        """A study from Python values.

        Args:
            name: Names it in its folder, in MLflow and in every seed.
            recipe: What the space varies.
            space: As a ``space:`` section says it: ``{"optimiser.lr": "interval(0, 1)"}``; its
                keys are fields of the recipe (config groups need files).
            **search: Fields of `SearchSettings`: ``trials=32, repeats=5``.

        Raises:
            RequestError: The space or a setting is wrong, or the recipe does not fit its data.
        """
        prepared = prepare(recipe)
        return cls(
            name=name,
            recipe=prepared.recipe,
            space=read_space(space),
            recipe_at=partial(_with_values, prepared.recipe),
            data=prepared.data,
            dataset=prepared.info.name,
            task=prepared.info.task,
            settings=parse(SearchSettings, search, "search"),
        )

    @property
    def objective(self) -> Objective:
        """What the study optimises."""
        return self.recipe.objective

    @property
    def backbone(self) -> str:
        """Name of the backbone of the base recipe."""
        return self.recipe.model.backbone.name

    def trial_recipe(self, point: Point, seed: int, threads: int | None = None) -> Recipe:
        """What a trial or repeat trains, all of it said: `fit` of it gives the same result.

        Args:
            point: Where in the space.
            seed: Fixes weights, order and augmentation.
            threads: With how many it began, if it did; else as many as it holds CPUs.

        Raises:
            RequestError: There is no legal recipe at this point.
        """
        return self.recipe_at(point, seed).with_threads(threads or max(1, int(self.resources.cpu)))

    def question(self) -> dict[str, Any]:
        """What makes this study itself: two runs continue each other only if it is the same.

        The budget is no part of it, and neither is what is marked to decide no result. Which
        version of iterate asks is noted, and makes no other question (see `differences`).
        """
        recipe = decisive(self.recipe, PerTraining)
        space = self.space.to_mapping()
        return {"recipe": recipe, "space": space, "data": self.data, _VERSION: __version__}


def _with_values(base: Recipe, point: Point, seed: int) -> Recipe:
    """The base recipe with a point's values in place of its own."""
    mapping = base.to_mapping() | {"seed": seed}
    for key, value in point.items():
        *parents, leaf = key.split(".")
        section: Any = mapping
        for parent in parents:
            section = section[parent]
        section[leaf] = value
    return Recipe.parse(mapping)


def same_question(name: str, asked: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Refuse a changed question under a name that holds another one's trials.

    Raises:
        RequestError: One problem for each difference, what they come to and what to do; where
            another version of iterate asked it, that alone.
    """
    changed = differences(asked, before)
    if not changed:
        return
    advice = "Run it with --fresh as a new study, or give it another name; nothing is deleted."
    if asked.get(_VERSION) != (version := before.get(_VERSION)):
        made = f"iterate {version}" if version else "an earlier version"
        what = f"was made by {made}, and this is iterate {asked[_VERSION]}."
        raise RequestError(Problem(f"study {name!r}", what, advice))
    now, then = flat(asked), flat(before)
    problems = [Problem(key, f"was {_said(then, key)}, now {_said(now, key)}.") for key in changed]
    headline = f"study {name!r} asks another question than its finished trials answer."
    raise RequestError(problems, headline, advice)


def differences(asked: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Where two questions differ, by dotted keys; the version of iterate that asks does not count.

    After an upgrade a study goes on, and what was left half trained begins anew.
    """
    now, then = flat(asked), flat(before)
    keys = sorted({*now, *then} - {_VERSION})
    return [key for key in keys if now.get(key) != then.get(key)]


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """A nest of mappings as one, by dotted keys below `path`."""
    if not isinstance(value, Mapping):
        return {path: value}
    return {
        where: leaf
        for key, child in value.items()
        for where, leaf in flat(child, f"{path}.{key}" if path else str(key)).items()
    }


def _said(values: Mapping[str, Any], key: str) -> str:
    return repr(values[key]) if key in values else "absent"

"""From a loaded search file to the study it asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from iterate.config.load import LoadedStudy
from iterate.hpo.space import Condition, Point
from iterate.hpo.space.text import condition_text
from iterate.hpo.study import Study
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.errors import Problem, RequestError
from iterate_core.recipe import Recipe

A = TypeVar("A")
B = TypeVar("B")
Branches = list[tuple[Condition, A]]
"""A recipe, or what was made of it, in each branch of a space, with the choices that lead there."""


def study_from(loaded: LoadedStudy, name: str) -> Study:
    """The study of a search file: each branch of its space checked, its dataset fingerprinted.

    Args:
        loaded: The composed and checked file.
        name: The study's name; a fresh study beside an earlier one has another than the file says.

    Raises:
        RequestError: Everything that does not fit in any branch, together.
        DataError: The dataset is absent or damaged.
    """
    branches = prepared_branches(loaded)
    study = untried_study(loaded, name, branches)
    try_branches(branches)
    return study


def prepared_branches(loaded: LoadedStudy) -> Branches[Prepared]:
    """The recipe of every branch of the space with its data, the base itself first.

    Raises:
        RequestError: What is not complete or not there in any branch, together.
        DataError: The dataset is absent or damaged.
    """
    loaded.check_roots()
    return _for_each(loaded.branches(), prepare)


def try_branches(branches: Branches[Prepared]) -> None:
    """Send a batch's shape through the model of every branch, without training any.

    Raises:
        RequestError: Everything that does not fit in any branch, together.
    """
    from iterate.hpo.pool.forked.server import elsewhere

    elsewhere(_try_all, _recipes(branches))


def tried_and_counted(branches: Branches[Prepared]) -> float:
    """As `try_branches`; gives the operations of a training at the base point.

    Raises:
        RequestError: See `try_branches`.
    """
    from iterate.hpo.pool.forked.server import elsewhere

    return elsewhere(_try_and_count, _recipes(branches))


def _recipes(branches: Branches[Prepared]) -> Branches[Recipe]:
    """As they travel to another process."""
    return [(condition, tried.recipe) for condition, tried in branches]


def _try_and_count(branches: Branches[Recipe]) -> float:
    from iterate_core.engine.cost import epoch_flops

    _try_all(branches)
    _, base = branches[0]
    return base.trainer.epochs * epoch_flops(prepare(base))


def _try_all(branches: Branches[Recipe]) -> None:
    from iterate_core.engine.preflight import (
        preflight,  # imports torch, which the driver does without
    )

    _for_each(branches, lambda recipe: preflight(prepare(recipe)))


def untried_study(loaded: LoadedStudy, name: str, branches: Branches[Prepared]) -> Study:
    """As `study_from`, without a try: enough for a study that has run."""
    _, base = branches[0]

    def recipe_at(point: Point, seed: int) -> Recipe:
        # The objective is completed once: no point may change what the study optimises.
        return loaded.recipe_at(point, seed).model_copy(update={"objective": base.recipe.objective})

    return Study(
        name=name,
        recipe=base.recipe,
        space=loaded.space,
        recipe_at=recipe_at,
        data=base.data,
        dataset=base.info.name,
        task=base.info.task,
        settings=loaded.config.search,
        resources=loaded.config.resources,
    )


def _for_each(branches: Branches[A], check: Callable[[A], B]) -> Branches[B]:
    """What a check gives of every branch.

    Raises:
        RequestError: The problems of all branches, each once and with its branch.
    """
    results: Branches[B] = []
    problems: dict[tuple[str, str], Problem] = {}
    for condition, recipe in branches:
        try:
            results.append((condition, check(recipe)))
        except RequestError as error:
            branch = f" [with {condition_text(condition)}]" if condition else ""
            for found in error.problems:
                told = Problem(found.where, found.what + branch, found.hint)
                problems.setdefault((found.where, found.what), told)
    if problems:
        raise RequestError(list(problems.values()))
    return results

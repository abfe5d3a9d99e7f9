"""From a loaded search file to the study it asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from iterate.config.load import LoadedStudy
from iterate.hpo.space import Point
from iterate.hpo.space.text import condition_text
from iterate.hpo.study import Study
from iterate_core.data.open import content_of, open_dataset
from iterate_core.engine.complete import complete
from iterate_core.errors import Problem, RequestError
from iterate_core.recipe import Recipe

T = TypeVar("T")


def study_from(loaded: LoadedStudy, name: str) -> Study:
    """The study of a search file: each branch of its space checked, its dataset fingerprinted.

    Args:
        loaded: The composed and checked file.
        name: The study's name; a fresh study beside an earlier one has another than the file says.

    Raises:
        RequestError: Everything that does not fit in any branch, together.
        DataError: The dataset is absent or damaged.
    """
    study = untried_study(loaded, name)
    try_study(loaded)
    return study


def try_study(loaded: LoadedStudy) -> None:
    """Send a batch's shape through the model of every branch, without training any.

    Raises:
        RequestError: Everything that does not fit in any branch, together.
    """
    from iterate_core.engine.preflight import (
        preflight,  # imports torch, which `iterate plan` does without
    )

    for_each_branch(loaded, preflight)


def untried_study(loaded: LoadedStudy, name: str) -> Study:
    """As `study_from`, without a try: enough for a study that has run.

    Raises:
        RequestError: A recipe is not complete, or names what is not there.
        DataError: The dataset is absent or damaged.
    """
    base = for_each_branch(loaded, complete)[0]

    def recipe_at(point: Point, seed: int) -> Recipe:
        # The objective is completed once: no point may change what the study optimises.
        return loaded.recipe_at(point, seed).model_copy(update={"objective": base.objective})

    reader = open_dataset(base.data)
    return Study(
        name=name,
        recipe=base,
        space=loaded.space,
        recipe_at=recipe_at,
        data=content_of(base.data, reader),
        dataset=reader.info.name,
        task=reader.info.task,
        settings=loaded.config.search,
        resources=loaded.config.resources,
    )


def for_each_branch(loaded: LoadedStudy, check: Callable[[Recipe], T]) -> list[T]:
    """Check the recipe of every branch of the space, the base itself first.

    Raises:
        RequestError: The problems of all branches, each once and with its branch.
    """
    loaded.check_roots()
    results: list[T] = []
    problems: dict[tuple[str, str], Problem] = {}
    for condition, recipe in loaded.branches():
        try:
            results.append(check(recipe))
        except RequestError as error:
            branch = f" [with {condition_text(condition)}]" if condition else ""
            for found in error.problems:
                told = Problem(found.where, found.what + branch, found.hint)
                problems.setdefault((found.where, found.what), told)
    if problems:
        raise RequestError(list(problems.values()))
    return results

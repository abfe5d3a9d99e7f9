"""From a loaded search file to the study it asks for."""

from __future__ import annotations

from dataclasses import replace

from iterate.config.load import LoadedStudy
from iterate.config.trying import Branches, for_each, try_branches
from iterate.hpo.space import Point
from iterate.hpo.study import Study
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.recipe import Recipe


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
    return replace(study, notes=try_branches(branches))


def prepared_branches(loaded: LoadedStudy) -> Branches[Prepared]:
    """The recipe of every branch of the space with its data, the base itself first.

    Raises:
        RequestError: What is not complete or not there in any branch, together.
        DataError: The dataset is absent or damaged.
    """
    loaded.check_roots()
    return for_each(loaded.branches(), prepare)


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

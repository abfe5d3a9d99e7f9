"""Studies without an engine: curves that are a closed form of the point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iterate.hpo.settings import ResourceSettings, SearchSettings
from iterate.hpo.space import Point, Space
from iterate.hpo.space.grammar import read_space
from iterate.hpo.study import Study
from iterate_core.data.options import DataSection
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.options import Component
from iterate_core.registry.registry import Entry


class StandInData(DataSection):
    """A dataset that is never read."""

    name: str = "stand-in"


class StandInPart(Component):
    """A component that is never built."""

    name: str = "stand-in"
    lr: float = 1.0


for registry, options in (
    (registries.datasets, StandInData),
    (registries.backbones, StandInPart),
    (registries.decoders, StandInPart),
    (registries.optimisers, StandInPart),
    (registries.schedulers, StandInPart),
):
    registry.register(Entry("stand-in", options, options))


def make_recipe(mode: str = "max", epochs: int = 9) -> Recipe:
    part = {"name": "stand-in"}
    return Recipe.parse(
        {
            "data": part,
            "model": {"backbone": part, "decoder": part},
            "optimiser": part,
            "scheduler": part,
            "trainer": {"epochs": epochs},
            "objective": {"metric": "score", "mode": mode},
        }
    )


def make_study(
    name: str = "study",
    space: Mapping[str, Any] | None = None,
    mode: str = "max",
    epochs: int = 9,
    concurrent: int | None = None,
    data: str = "data",
    **search: Any,
) -> Study:
    recipe = make_recipe(mode, epochs)

    def recipe_at(point: Point, seed: int) -> Recipe:
        mapping = recipe.to_mapping()
        mapping["optimiser"]["lr"] = point["optimiser.lr"]
        return Recipe.parse(mapping | {"seed": seed})

    return Study(
        name=name,
        recipe=recipe,
        space=make_space(space or {"optimiser.lr": "interval(0, 1)"}),
        recipe_at=recipe_at,
        data=data,
        dataset="stand-in",
        task="classification",
        settings=SearchSettings.model_validate({"repeats": 0, **search}),
        resources=ResourceSettings(concurrent=concurrent),
    )


def make_space(space: Mapping[str, Any]) -> Space:
    return read_space(space)

"""Every option that a user can set, found by reading the schema, and what a case says of one.

A section's field is named by its path, ``trainer.epochs``; a component's option by where it is
chosen, the component and the option: ``optimiser=sgd.momentum``. Its case is looked up under the
name itself, or else under the class that declares it (``SgdOptions.momentum``, or
``OptimiserOptions.lr`` for what all optimisers share); it is then run on each component anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from engine_support import recipe

from iterate.config.schema import SearchConfig
from iterate_core.data.options import DataSection
from iterate_core.engine import fit
from iterate_core.engine.resolved import prepare
from iterate_core.errors import IterateError
from iterate_core.models.backbones.options import BackboneOptions
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.options import Members, Section
from iterate_core.registry.parsing import Chosen


@dataclass(frozen=True)
class Knob:
    """One option.

    Attributes:
        name: See above.
        owner: The class of the section that has it.
        field: Its name there.
        component: Whose option it is; empty for a section's own field.
    """

    name: str
    owner: type[Section]
    field: str
    component: str = ""

    @property
    def keys(self) -> list[str]:
        """Under which its case may stand."""
        kinds = [kind for kind in self.owner.__mro__ if self.field in getattr(kind, _FIELDS, {})]
        return [self.name, *(f"{kind.__name__}.{self.field}" for kind in kinds)]


_FIELDS = "model_fields"


@dataclass(frozen=True)
class Scene:
    """An option at a value.

    Attributes:
        knob: The option.
        value: One of the case's two.
        folder: An empty one.
    """

    knob: Knob
    value: Any
    folder: Path


@dataclass(frozen=True)
class Case:
    """What shows that an option does what it says, and nothing else.

    Attributes:
        values: Two legal values.
        see: What the option promises to change: another thing for each value.
        gives: What is seen with each, where that is plain.
        same: What it must leave as it is.
    """

    values: tuple[Any, Any]
    see: Callable[[Scene], Any]
    gives: tuple[Any, Any] | None = None
    same: Callable[[Scene], Any] | None = None


def knobs() -> Iterator[Knob]:
    """Every option of a search file, and of every component that it may choose."""
    yield from within("", SearchConfig)


def within(path: str, section: type[Section]) -> Iterator[Knob]:
    """The options of a section and of those below it."""
    for name, field in section.model_fields.items():
        where = f"{path}.{name}".strip(".")
        chosen = next((mark for mark in field.metadata if isinstance(mark, Chosen)), None)
        if chosen is not None:
            yield Knob(where, section, name)
            for component, options in _components(chosen):
                yield from _options(where, component, options)
        elif isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from within(where, field.annotation)
        else:
            yield Knob(where, section, name)
    if issubclass(section, Members):
        for entry in section.registry:
            if _ships(entry.load_options()):
                yield from within(f"{path}.{entry.name}", entry.load_options())


def _options(where: str, component: str, options: type[Section]) -> Iterator[Knob]:
    for field in options.model_fields.keys() - {"name"}:
        # What all readers share is the engine's own: no reader can leave it undone.
        if issubclass(options, DataSection) and field in DataSection.model_fields:
            yield Knob(f"{where}.{field}", DataSection, field)
        else:
            yield Knob(f"{where}={component}.{field}", options, field, component)


def _components(chosen: Chosen) -> Iterator[tuple[str, type[Section]]]:
    """Each class of options that ships, with the first component that takes it."""
    found: dict[type[Section], str] = {}
    for entry in chosen.registry:
        found.setdefault(entry.load_options(), entry.name)
    if chosen.registry is registries.backbones:
        found |= {kind: name for kind, name in _named_by_rule() if kind not in found}
    for kind, name in found.items():
        if _ships(kind):
            yield name, kind


def _ships(options: type[Section]) -> bool:
    """Whether it is our own: other tests register theirs."""
    return options.__module__.startswith(("iterate.", "iterate_core."))


def _named_by_rule() -> Iterator[tuple[type[Section], str]]:
    """Options of backbones that are not in the registry, but found by their names."""
    rules = {"TimmOptions": "test_resnet", "TerratorchOptions": "terratorch/any"}
    for kind in BackboneOptions.__subclasses__():
        if kind.__name__ in rules:
            yield kind, rules[kind.__name__]


# What is seen


def refused(see: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
    """What is seen, or that it is refused."""

    def look(scene: Scene) -> Any:
        try:
            return see(scene)
        except IterateError as error:
            return f"refused: {error}"

    return look


def setting(path: str, value: Any) -> dict[str, Any]:
    """``trainer.epochs``, 3 → ``{"trainer": {"epochs": 3}}``."""
    for part in reversed(path.split(".")):
        value = {part: value}
    result: dict[str, Any] = value
    return result


def merged(*mappings: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings laid over each other, section by section."""
    result: dict[str, Any] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            old = result.get(key)
            both = isinstance(old, Mapping) and isinstance(value, Mapping)
            result[key] = merged(old, value) if both else value
    return result


SMALL: dict[str, Any] = {
    "data": {"samples": [8, 4, 4], "size": 16, "batch_size": 4, "bands": ["red", "nir"]},
    "model": {"decoder": {"name": "mlp", "hidden": 8, "dropout": 0.0}},
    "scheduler": {"name": "constant", "warmup_epochs": 0},
    "augmentation": {"flip": False, "rotate": False},
    "trainer": {"epochs": 2},
}


def small(kind: str = "classification", **changes: Any) -> Recipe:
    """Two epochs of a tiny network on eight generated samples."""
    return recipe(kind, **merged(SMALL, changes))


@dataclass(frozen=True)
class Trained:
    """What came of a recipe: each epoch's metrics, and the test split's."""

    epochs: tuple[dict[str, float], ...]
    test: dict[str, float]


def trained(scene: Scene, **changes: Any) -> Trained:
    """The small recipe, trained with the option at its value."""
    mapping = merged(changes, setting(scene.knob.name, scene.value))
    return _trained(json.dumps(mapping, sort_keys=True, default=str), scene.folder)


_done: dict[str, Trained] = {}


def _trained(key: str, folder: Path) -> Trained:
    if key not in _done:
        mapping = json.loads(key)
        chosen = small(mapping.pop("kind", "classification"), **mapping)
        reports = fit.fit(prepare(chosen), folder).reports
        _done[key] = Trained(tuple(r.metrics for r in reports), fit.test(prepare(chosen), folder))
    return _done[key]


@cache
def rounded(value: float) -> float:
    """A number without its last bits."""
    return float(f"{value:.5g}")

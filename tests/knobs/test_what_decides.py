"""Every field of a search file decides a result, but for those whose mark says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from engine_support import recipe
from knobs_support import Knob, knobs
from test_knobs import found

from iterate.config.schema import SearchConfig, how_only
from iterate_core.engine.resolved import decisive
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.marks import AfterBackbone, HowOnly, Mark, PerTraining, without
from iterate_core.registry.options import Component, Members, Section
from iterate_core.registry.parsing import Chosen, fields_of
from iterate_core.registry.registry import Entry, Registry

FIELDS = {knob.name: knob for knob in sorted(knobs(), key=lambda knob: knob.name)}
HOW_ONLY = {
    *("note", "trainer.threads", "data.workers"),
    *(
        f"data={reader}.root"
        for reader in (
            *("generated", "geobench_v1", "geobench_v2"),
            *(
                "image_folder",
                "geotiff_folder",
                "npz",
                "torchgeo_geo",
                "torchgeo_nongeo",
                "huggingface",
            ),
        )
    ),
}
HOW_ONLY_SECTIONS = {"search", "resources", "ray", "tracking"}


def config() -> SearchConfig:
    return SearchConfig.parse({**recipe().to_mapping(), "name": "study"})


def changed(section: Any, path: str, value: Any) -> Any:
    """A section with another value at a dotted path; nothing is checked."""
    name, _, rest = path.partition(".")
    if rest:
        value = changed(within(section, name), rest, value)
    return section.model_copy(update={name: value})


def within(section: Any, name: str) -> Any:
    """What a section has under a name; a member that it lacks, with all its defaults."""
    found = getattr(section, name, None)
    options: Any = fields_of(type(section))[name].annotation
    return options() if found is None and isinstance(section, Members) else found


def at(knob: Knob, value: Any, folder: Path) -> SearchConfig:
    """A search file with the option at a value; what else a component needs is left out."""
    where, _, _ = knob.name.partition("=")
    if value == "a file":
        (folder / "weights.pth").touch()
        value = str(folder / "weights.pth")
    if knob.component:
        # A backbone of a package that may not be there goes by the name of one that is.
        name = "test_resnet" if knob.component.startswith("terratorch/") else knob.component
        if (registry := chosen_from(knob)) is not None:
            value = component(registry.get(value).load_options(), value, {})
        value = component(knob.owner, name, {knob.field: value})
    elif (registry := chosen_from(knob)) is not None:
        value = component(registry.get(value).load_options(), value, {})
    return changed(config(), where, value)


def component(options: type[Section], name: str, given: dict[str, Any]) -> Section:
    """Nothing is checked; what else must be given is None, or the first component there is."""
    lacking: dict[str, Any] = {}
    for key, field in options.model_fields.items():
        chosen = next((mark for mark in field.metadata if isinstance(mark, Chosen)), None)
        if field.is_required() and chosen is not None:
            first = chosen.registry.names()[0]
            lacking[key] = component(chosen.registry.get(first).load_options(), first, {})
        elif field.is_required():
            lacking[key] = None
    return options.model_construct(None, **{**lacking, "name": name, **given})


def chosen_from(knob: Knob) -> Registry | None:
    metadata = knob.owner.model_fields[knob.field].metadata
    return next((mark.registry for mark in metadata if isinstance(mark, Chosen)), None)


def values(knob: Knob) -> tuple[Any, Any]:
    """Two of the option: those of its case, or two components."""
    case, registry = found(knob), chosen_from(knob)
    assert case is not None
    if registry is None:
        return case.values
    first, second, *_ = registry.names()
    return first, second


def marks_of(knob: Knob) -> list[Any]:
    """What stands beside the type of its field, and of the fields around that."""
    marks = list(knob.owner.model_fields[knob.field].metadata)
    around: Any = config()
    for name in knob.name.partition("=")[0].split("."):
        marks += fields_of(type(around))[name].metadata
        around = within(around, name)
    return marks


def recipe_of(config: SearchConfig) -> Recipe:
    return Recipe.model_construct(**{name: getattr(config, name) for name in Recipe.model_fields})


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("name", FIELDS)
def test_a_field_without_a_mark_decides(name: str, tmp_path: Path) -> None:
    knob = FIELDS[name]
    one, two = (at(knob, value, tmp_path) for value in values(knob))
    marks = marks_of(knob)
    assert (without(one, HowOnly) == without(two, HowOnly)) == (HowOnly in marks)
    if name.partition(".")[0].partition("=")[0] not in Recipe.model_fields:
        return
    further: tuple[tuple[Mark, ...], ...] = ((), (PerTraining,), (PerTraining, AfterBackbone))
    for less in further:
        same = decisive(recipe_of(one), *less) == decisive(recipe_of(two), *less)
        assert same == any(mark in marks for mark in (HowOnly, *less))


def test_what_says_how_alone_is_known_by_name() -> None:
    marked = {name for name, knob in FIELDS.items() if HowOnly in marks_of(knob)}
    assert {name for name in marked if name.partition(".")[0] not in HOW_ONLY_SECTIONS} == HOW_ONLY


def test_a_word_says_how_by_the_marks_on_its_way() -> None:
    mapping = config().model_dump()
    assert all(how_only(mapping, key) for key in ("search", "ray.address", "data.root"))
    assert not any(how_only(mapping, key) for key in ("data", "data.size", "trainer.new"))


def test_a_component_from_elsewhere_marks_its_own_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    class Options(Component):
        name: str = "marked"
        rank: int = 4
        cache: Annotated[str, HowOnly] = "here"

    def identity(**values: Any) -> dict[str, Any]:
        return decisive(recipe().model_copy(update={"optimiser": Options(**values)}))

    registries.optimisers.names()  # what is found once stays when the test has ended
    monkeypatch.setattr(registries.optimisers, "_entries", dict(registries.optimisers._entries))
    registries.optimisers.register(Entry("marked", Options, Options))
    assert identity(cache="there") == identity()
    assert identity(rank=8) != identity()

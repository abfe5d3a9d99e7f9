"""The typed schema of a search file: a recipe, and what a study asks besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from iterate.config.bench_section import ProtocolSection
from iterate.hpo.settings import RaySettings, ResourceSettings, SearchSettings
from iterate.tracking.settings import TrackingSettings
from iterate_core.errors import Problem, RequestError
from iterate_core.recipe import Recipe
from iterate_core.registry.marks import HowOnly
from iterate_core.registry.options import Section
from iterate_core.registry.parsing import chosen_of, collect, fields_of

SEARCHED = (
    *("data", "model", "tuning", "loss", "optimiser", "scheduler", "augmentation", "trainer"),
)
"""The sections of a recipe that a space may vary; the rest is the question itself."""


class SearchConfig(Recipe):
    """Everything a search file says, but its space.

    Attributes:
        name: Names the study, its folder and its runs.
        note: For people: what this study is to find out.
        bench: What else a protocol says, for `iterate bench`; a search of one dataset passes it
            by.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    note: Annotated[str, HowOnly] = ""
    search: Annotated[SearchSettings, HowOnly] = SearchSettings()
    resources: Annotated[ResourceSettings, HowOnly] = ResourceSettings()
    ray: Annotated[RaySettings, HowOnly] = RaySettings()
    tracking: Annotated[TrackingSettings, HowOnly] = TrackingSettings()
    bench: ProtocolSection = ProtocolSection()

    def recipe(self) -> Recipe:
        """The recipe alone."""
        return Recipe.parse({name: getattr(self, name) for name in Recipe.model_fields})


def collect_config(mapping: Mapping[str, Any]) -> tuple[SearchConfig | None, list[Problem]]:
    """Type a resolved mapping; what cannot be typed comes back as problems.

    ``search.sampler: tpe`` is read as ``search.sampler: {name: tpe}``, and ``scheduler`` alike.
    """
    values = dict(mapping)
    if isinstance(values.get("search"), Mapping):
        values["search"] = dict(values["search"])
        for choice in ("sampler", "scheduler"):
            if isinstance(values["search"].get(choice), str):
                values["search"][choice] = {"name": values["search"][choice]}
    config, problems = collect(SearchConfig, values)
    return config, [_plainer(problem) for problem in problems]


def _plainer(problem: Problem) -> Problem:
    if problem.where != "name" or "pattern" not in problem.what:
        return problem
    rule = "may hold letters, digits, '.', '_' and '-', and starts with a letter or digit"
    return Problem("name", f"{rule}, but got{problem.what.rpartition('but got')[2]}")


def takes(mapping: Mapping[str, Any], path: str) -> bool:
    """Whether the schema has a field at a dotted path, given the components a mapping names."""
    return path.rpartition(".")[2] in fields_at(mapping, path.rpartition(".")[0])


def fields_at(mapping: Mapping[str, Any], path: str) -> frozenset[str]:
    """The fields of the section at a dotted path; empty where there is no such section."""
    section = _section_at(mapping, path)
    return frozenset(fields_of(section)) if section else frozenset()


def default_at(mapping: Mapping[str, Any], path: str) -> Any:
    """The schema's own value of the field at a dotted path; None where it has none."""
    section = _section_at(mapping, path.rpartition(".")[0])
    field = fields_of(section).get(path.rpartition(".")[2]) if section else None
    return field.get_default(call_default_factory=False) if field else None


def required_at(mapping: Mapping[str, Any], path: str) -> bool:
    """Whether the schema has a field at a dotted path that must be given."""
    section = _section_at(mapping, path.rpartition(".")[0])
    field = fields_of(section).get(path.rpartition(".")[2]) if section else None
    return field is not None and field.is_required()


def how_only(mapping: Mapping[str, Any], path: str) -> bool:
    """Whether the field at a dotted path, or a section around it, decides no result."""
    above, _, name = path.rpartition(".")
    section = _section_at(mapping, above)
    field = fields_of(section).get(name) if section else None
    marked = field is not None and HowOnly in field.metadata
    return marked or (bool(above) and how_only(mapping, above))


def _section_at(mapping: Mapping[str, Any], path: str) -> type[Section] | None:
    section: type[Section] | None = SearchConfig
    content: Any = mapping
    for part in path.split(".") if path else ():
        field = fields_of(section).get(part) if section else None
        content = content.get(part) if isinstance(content, Mapping) else None
        section = _section_class(field, content) if field else None
    return section


def component_exists(path: str, name: str) -> bool:
    """Whether the section at a path may name this component: (``model.backbone``, ``resnet50``)."""
    field: Any = None
    section: type[Section] | None = SearchConfig
    for part in path.split("."):
        field = fields_of(section).get(part) if section else None
        section = _section_class(field, {}) if field else None
    named = field is not None and chosen_of(field) is not None
    return named and _section_class(field, {"name": name}) is not None


def _section_class(field: Any, mapping: Any) -> type[Section] | None:
    """The class that types a field's mapping: its own, or that of the component it names."""
    chosen = chosen_of(field)
    if chosen is not None:
        name = mapping.get("name") if isinstance(mapping, Mapping) else None
        try:
            options: type[Section] = chosen.registry.get(str(name)).load_options()
        except RequestError:
            return None
        return options
    annotation = field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None

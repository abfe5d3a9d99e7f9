"""From a plain mapping to typed sections, with every mistake found at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, TypeVar, Union, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.registry.options import FieldError, Members, Section
from iterate_core.registry.registry import Registry

S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Chosen:
    """Annotation of a field whose `name` is looked up in a registry, which then types the rest.

    A name alone is short for a mapping with nothing but that.
    """

    registry: Registry


def parse(cls: type[S], mapping: Mapping[str, Any], path: str = "") -> S:
    """Type and check a mapping.

    Raises:
        RequestError: With every problem found, each under its dotted path.
    """
    section, problems = collect(cls, mapping, path)
    if section is None:
        raise RequestError(problems)
    return section


def collect(
    cls: type[S], mapping: Mapping[str, Any], path: str = ""
) -> tuple[S | None, list[Problem]]:
    """As `parse`, but returns the problems: (section, []) or (None, problems)."""
    values = _with_members(cls, mapping)
    failed: dict[str, list[Problem]] = {}
    fields = fields_of(cls)
    for name in values.keys() - fields.keys() if issubclass(cls, Members) else ():
        failed[name] = [_unknown(_join(path, name), fields)]
    for name, field in fields.items():
        if name not in values:
            continue
        if isinstance(values[name], str) and chosen_of(field) is not None:
            values[name] = {"name": values[name]}
        nested = _nested_class(field, values[name], _join(path, name))
        if name not in cls.model_fields and not isinstance(values[name], Mapping | Section):
            what = f"must be true, false or a mapping of options, but got {values[name]!r}."
            nested = Problem(_join(path, name), what)
        if isinstance(nested, Problem):
            failed[name] = [nested]
        elif nested is not None and isinstance(values[name], Mapping):
            values[name], problems = collect(nested, values[name], _join(path, name))
            if problems:
                failed[name] = problems
    problems = [problem for found in failed.values() for problem in found]
    try:
        section = cls.model_validate(values)
    except ValidationError as error:
        problems += [
            _problem(cls, detail, path)
            for detail in _joined(cls, _own(error.errors(include_url=False)))
            if not detail["loc"] or detail["loc"][0] not in failed
        ]
    else:
        if not problems:
            return section, []
    return None, problems


def fields_of(cls: type[Section]) -> Mapping[str, FieldInfo]:
    """The fields of a section; of `Members` those of its registry too."""
    if not issubclass(cls, Members):
        return cls.model_fields
    members = {
        entry.name: FieldInfo(annotation=entry.load_options(), default=None)
        for entry in cls.registry
    }
    return {**cls.model_fields, **members}


def _with_members(cls: type[Section], mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping in which components say their options: true is for all defaults, false for none."""
    if not issubclass(cls, Members):
        return dict(mapping)
    own = cls.model_fields
    stated = {name: value for name, value in mapping.items() if name in own}
    members = {
        name: {} if value is True else value
        for name, value in mapping.items()
        if name not in own and value is not None and value is not False
    }
    return stated | members


def _nested_class(field: Any, value: Any, path: str) -> type[Section] | Problem | None:
    """The class that types this field's mapping, what is wrong with the choice, or None."""
    chosen = chosen_of(field)
    if chosen is None:
        annotation = field.annotation
        is_section = isinstance(annotation, type) and issubclass(annotation, Section)
        return annotation if is_section else None
    if isinstance(value, Section):
        return None
    kind = chosen.registry.kind
    if not isinstance(value, Mapping):
        return Problem(path, f"must name a {kind}, but got {value!r}.")
    name = value.get("name")
    if not isinstance(name, str):
        return Problem(_join(path, "name"), f"must name a {kind}, but got {name!r}.")
    try:
        options: type[Section] = chosen.registry.get(name, _join(path, "name")).load_options()
    except RequestError as error:
        return error.problems[0]
    return options


def chosen_of(field: Any) -> Chosen | None:
    """The annotation of a field of a section; None of a field that names no component."""
    return next((mark for mark in field.metadata if isinstance(mark, Chosen)), None)


def _own(details: Sequence[Any]) -> list[Any]:
    """Mistakes without those that only follow: wrong items are missing when a row is counted."""
    rows = {detail["loc"][:-1] for detail in details}
    return [one for one in details if one["type"] != "too_short" or one["loc"] not in rows]


def _joined(cls: type[Section], details: Sequence[Any]) -> list[Any]:
    """One mistake of a value that none of the types of its field takes, where each tells its own.

    Pydantic puts the type's name behind the field's.
    """
    found: list[Any] = []
    first: dict[Any, Any] = {}
    for detail in details:
        name, *rest = detail["loc"] or [None]
        if len(rest) != 1 or not isinstance(rest[0], str) or not _is_union(cls, name):
            found.append(detail)
        elif name not in first:
            first[name] = {**detail, "loc": (name,)}
            found.append(first[name])
        else:
            first[name]["msg"] += f", or {detail['msg'].removeprefix('Input should be ')}"
    return found


def _is_union(cls: type[Section], name: Any) -> bool:
    field = cls.model_fields.get(name)
    return field is not None and get_origin(field.annotation) in (Union, UnionType)


def _problem(cls: type[Section], detail: Any, path: str) -> Problem:
    where = _join(path, *detail["loc"])
    if detail["type"] == "extra_forbidden":
        return _unknown(where, fields_of(cls))
    if detail["type"] == "missing":
        return Problem(where, "is required.")
    message = detail["msg"].removeprefix("Value error, ").rstrip(".")
    message = message[0].lower() + message[1:]
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, FieldError):
        return Problem(_join(where, error.field), f"{message}.")
    if not detail["loc"]:  # of the whole section, which is no value to show
        return Problem(where, f"{message}.")
    return Problem(where, f"{message}, but got {detail['input']!r}.")


def _unknown(where: str, fields: Mapping[str, FieldInfo]) -> Problem:
    return Problem(where, "unknown key.", nearest(where.rpartition(".")[2], fields))


def _join(*parts: Any) -> str:
    return ".".join(str(part) for part in parts if part != "")

"""Marks on the fields of sections: of what a field decides nothing.

A field without a mark decides everything: what identifies a result, a reader or a feature reads the
marks, so a new field counts until it says otherwise. A mark stands beside the field's type:
``workers: Annotated[int, Field(ge=0), HowOnly]``.
"""

from __future__ import annotations

from typing import Any

from iterate_core.registry.options import Section


class HowOnly:
    """How work is done, or where its files lie: nothing of what comes out, but for last digits."""


class PerTraining:
    """A study gives each of its trainings a value of their own."""


class AfterReading:
    """What is made of samples once they are read: nothing of what a reader delivers."""


class AfterBackbone:
    """What is made of features, or of how often: nothing of what a frozen backbone computes."""


class AddedLater:
    """Earlier versions did what its default does: as long as it has that, it decides nothing.

    So what they made keeps its identity.
    """


class PerHead:
    """What heads on the same features may differ in where they train as one computation.

    See `iterate_core.engine.together`.
    """


Mark = type[HowOnly] | type[PerTraining] | type[AfterReading] | type[AfterBackbone] | type[PerHead]


def without(section: Section, *marks: Mark, exclude_defaults: bool = False) -> dict[str, Any]:
    """A section as plain JSON types, less all fields, at any depth, that bear one of the marks.

    Those that were `AddedLater` are left out too as long as they have their default.
    """
    return section.model_dump(
        mode="json", exclude=_marked(section, marks), exclude_defaults=exclude_defaults
    )


def _marked(section: Section, marks: tuple[Mark, ...]) -> dict[str, Any]:
    """The fields to leave out, as pydantic takes them."""
    found: dict[str, Any] = {}
    fields = type(section).model_fields
    for name, value in section:  # members, which bear no mark themselves, among them
        metadata = fields[name].metadata if name in fields else []
        unsaid = AddedLater in metadata and value == fields[name].default
        if unsaid or any(mark in metadata for mark in marks):
            found[name] = True
        elif isinstance(value, Section) and (inner := _marked(value, marks)):
            found[name] = inner
    return found

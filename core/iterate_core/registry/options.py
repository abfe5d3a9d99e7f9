"""The base classes of everything that is typed YAML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A typed, frozen part of a YAML file; unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )


class FieldError(ValueError):
    """Raised by a validator of a whole section: one of its fields does not fit the others.

    Args:
        field: The field whose path the message is told under.
        what: The broken rule.
    """

    def __init__(self, field: str, what: str) -> None:
        self.field = field
        super().__init__(what)


class Component(Section):
    """A section whose `name` chooses a component from a registry; subclasses type its options."""

    name: str

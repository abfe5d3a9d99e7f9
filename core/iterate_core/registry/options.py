"""The base classes of everything that is typed YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

if TYPE_CHECKING:
    from iterate_core.registry.registry import Registry


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


class Members(Section):
    """A section with a further field for each component of a registry, under its name.

    A component that is left out is not among its `members`. `iterate_core.registry.parsing` types
    the fields; nothing else makes such a section with members from plain mappings.

    Attributes:
        registry: Whose components.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, SerializeAsAny[Section]] = Field(init=False)

    registry: ClassVar[Registry]

    @property
    def members(self) -> Mapping[str, Section]:
        """The options of the components it has, by their names."""
        return self.__pydantic_extra__


class Component(Section):
    """A section whose `name` chooses a component from a registry; subclasses type its options."""

    name: str

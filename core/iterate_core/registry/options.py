"""The base classes of everything that is typed YAML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A typed, frozen part of a YAML file; unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )


class Component(Section):
    """A section whose `name` chooses a component from a registry; subclasses type its options."""

    name: str

"""Which keys may take their value from the environment, through ``${oc.env:NAME}``.

The environment holds secrets, and what a file says is recorded: in recipes, summaries and MLflow.
So it is read only for places on this machine and addresses of services.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from omegaconf import OmegaConf
from omegaconf._impl import select_value
from omegaconf.errors import MissingMandatoryValue
from omegaconf.resolvers import oc

FROM_ENVIRONMENT = (
    "data.root",
    "hydra.searchpath",
    "model.backbone.weights",
    "ray.address",
    "search.storage",
    "tracking.uri",
)
"""The keys for which the environment is read."""


class RefusedError(ValueError):
    """The environment was asked for a key that does not take its value from there."""


@dataclass
class Reading:
    """What one value takes from the environment.

    Attributes:
        allowed: Whether it may.
        variables: The names it asked for.
        early: Whether it looked for a value that is not known yet.
    """

    allowed: bool
    variables: list[str] = field(default_factory=list)
    early: bool = False


_reading: ContextVar[Reading | None] = ContextVar("reading", default=None)


def may_read(key: str) -> bool:
    """Whether a dotted key, such as ``data.root`` or ``hydra.searchpath[0]``, may."""
    return key.partition("[")[0] in FROM_ENVIRONMENT


@contextmanager
def reading(*, allowed: bool) -> Iterator[Reading]:
    """Watch, and rule, what is read from the environment meanwhile; elsewhere nothing changes."""
    # Each time, because whoever clears OmegaConf's resolvers would take the rule away.
    OmegaConf.register_new_resolver("oc.env", _env, replace=True)
    OmegaConf.register_new_resolver("oc.select", _select, replace=True)
    noted = Reading(allowed)
    token = _reading.set(noted)
    try:
        yield noted
    finally:
        _reading.reset(token)


def _env(*words: Any) -> Any:
    """OmegaConf's own resolver, unless a value is being read that must not ask."""
    noted = _reading.get()
    if noted is not None:
        noted.variables.append(str(words[0]) if words else "")
        if not noted.allowed:
            raise RefusedError("the environment is not read here")
    return oc.env(*words)


def _select(key: str, *default: Any, _parent_: Any) -> Any:
    """OmegaConf's own resolver, which takes its default for a value that is not known yet."""
    noted = _reading.get()
    if noted is not None:
        try:
            select_value(cfg=_parent_, key=key, absolute_key=True, throw_on_missing=True)
        except MissingMandatoryValue:
            noted.early = True
            raise
    return oc.select(key, *default, _parent_=_parent_)

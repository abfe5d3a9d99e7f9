"""Optuna's side of a space: asking a trial for a point, and parameters ↔ points without loss.

An unconditional parameter's Optuna name is its key. A conditional one's is qualified by its
condition (``model.decoder.channels@model/decoder=unet``), so that one key may have another range
under each option, and Optuna sees each as the separate parameter it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial

from iterate.hpo.space.dimension import Categorical, Dimension, Float, Value, freeze
from iterate.hpo.space.text import at, to_overrides
from iterate.hpo.space.tree import Parameter, Point, Space

Scalar: TypeAlias = bool | int | float | str | None

_JSON = "json:"


def suggest(space: Space, trial: BaseTrial) -> Point:
    """Ask a trial for a point: exactly the active parameters are suggested, define-by-run."""

    def ask(name: str, parameter: Parameter) -> Value:
        dimension = parameter.dimension
        if isinstance(dimension, Categorical):
            scalars = _scalars(dimension)
            return dimension.choices[scalars.index(trial.suggest_categorical(name, scalars))]
        if isinstance(dimension, Float):
            return trial.suggest_float(
                name, dimension.low, dimension.high, step=dimension.step, log=dimension.log
            )
        return trial.suggest_int(
            name, dimension.low, dimension.high, step=dimension.step, log=dimension.log
        )

    return space.walk(ask)


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Optuna name → distribution of every parameter of the tree, active or not."""
    return {
        at(parameter.key, condition): distribution(parameter.dimension)
        for condition, parameter in space.all()
    }


def distribution(dimension: Dimension) -> BaseDistribution:
    """A dimension as Optuna says it."""
    if isinstance(dimension, Categorical):
        return CategoricalDistribution(_scalars(dimension))
    if isinstance(dimension, Float):
        return FloatDistribution(
            dimension.low, dimension.high, log=dimension.log, step=dimension.step
        )
    return IntDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)


def point_from(space: Space, params: Mapping[str, Any]) -> Point:
    """The point of a trial's recorded parameters.

    Raises:
        ValueError: A parameter that should be active is absent, or its value is outside.
    """

    def look_up(name: str, parameter: Parameter) -> Value:
        if name not in params:
            raise ValueError(f"the trial has no parameter {name!r}")
        dimension = parameter.dimension
        if isinstance(dimension, Categorical):
            return _decoded(name, dimension, params[name])
        value = freeze(params[name])
        if not dimension.contains(value):
            raise ValueError(f"{name}: {value!r} is outside {dimension}")
        return value

    return space.walk(look_up)


def known_point(space: Space, params: Mapping[str, Any]) -> Point:
    """As `point_from`; of a trial that was left half drawn, the parameters that are there."""
    try:
        return point_from(space, params)
    except ValueError:
        known = {at(p.key, condition): (p.key, p.dimension) for condition, p in space.all()}
        return {
            key: _decoded(name, dimension, params[name])
            if isinstance(dimension, Categorical)
            else freeze(params[name])
            for name, (key, dimension) in known.items()
            if name in params
        }


def to_params(space: Space, point: Mapping[str, Value]) -> dict[str, Scalar]:
    """The Optuna parameters of a point, such as `study.enqueue_trial` takes.

    Raises:
        ValueError: It is no point of this space.
    """
    params: dict[str, Scalar] = {}
    for name, parameter in space.active(point).items():
        value = point[parameter.key]
        dimension = parameter.dimension
        if isinstance(dimension, Categorical):
            params[name] = _scalars(dimension)[dimension.index(value)]
        elif not isinstance(value, tuple):
            params[name] = value
    return params


def _decoded(name: str, dimension: Categorical, scalar: Scalar) -> Value:
    scalars = _scalars(dimension)
    if scalar not in scalars:
        raise ValueError(f"{name}: {scalar!r} is none of {scalars}")
    return dimension.choices[scalars.index(scalar)]


def _scalars(dimension: Categorical) -> list[Scalar]:
    """The choices as Optuna takes them: scalars, no two of them equal.

    Lists, and values that Python holds equal to an earlier choice (1, 1.0, true), become JSON
    behind a mark; so does a string that starts with the mark itself.
    """
    scalars: list[Scalar] = []
    for choice in dimension.choices:
        marked = isinstance(choice, str) and choice.startswith(_JSON)
        if isinstance(choice, tuple) or marked or choice in scalars:
            scalars.append(_JSON + json.dumps(choice))
        else:
            scalars.append(choice)
    return scalars


__all__ = [
    "Point",
    "distribution",
    "distributions",
    "known_point",
    "point_from",
    "suggest",
    "to_overrides",
    "to_params",
]

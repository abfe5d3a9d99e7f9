"""Values and points as text that Hydra's override parser reads back without loss."""

from __future__ import annotations

import re
from collections.abc import Mapping

from iterate.hpo.space.dimension import Categorical, Dimension, Float, Int, Value, exact

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_RESERVED = frozenset({"null", "true", "false", "inf", "nan"})


def value_text(value: Value) -> str:
    """A value as an element of Hydra's grammar: ``8``, ``1e-05``, ``null``, ``'a, b'``, ``[1]``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(value_text, value))}]"
    return repr(value)


def _string(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    # Within quotes a backslash is itself, except before a quote, where it must be doubled.
    text = re.sub(r"(\\*)'", lambda match: match[1] * 2 + r"\'", value)
    text = re.sub(r"\\+$", lambda match: match[0] * 2, text)
    return f"'{text}'"


def dimension_text(dimension: Dimension) -> str:
    """A dimension as Hydra's grammar says it; `grammar.read_dimension` gives it back."""
    if isinstance(dimension, Categorical):
        return f"choice({', '.join(map(value_text, dimension.choices))})"
    low, high = dimension.low, dimension.high
    if dimension.log:
        text = f"tag(log, interval({low}, {high}))"
        return f"int({text})" if isinstance(dimension, Int) else text
    if isinstance(dimension, Int):
        step = "" if dimension.step == 1 else f", step={dimension.step}"
        return f"range({low}, {dimension.high + dimension.step}{step})"
    if dimension.step is None:
        return f"interval({low}, {high})"
    return f"range({low}, {_stop(dimension)}, step={dimension.step})"


def _stop(dimension: Float) -> float:
    """An end for `range`, which excludes it: one step on, or half of one where digits run out."""
    assert dimension.step is not None  # noqa: S101 - for the type checker
    low, high, step = map(exact, (dimension.low, dimension.high, dimension.step))
    stop = float(high + step)
    if high < exact(stop) <= high + step and low < exact(stop):
        return stop
    return float(high + step / 2)


def to_overrides(point: Mapping[str, Value]) -> list[str]:
    """A point as command-line words: ``["optimiser.lr=0.001", "model/decoder=unet"]``."""
    return [f"{key}={value_text(value)}" for key, value in point.items()]


def condition_text(condition: tuple[tuple[str, Value], ...]) -> str:
    """A condition as one word: ``model/decoder=unet,tuning=frozen``."""
    return ",".join(f"{key}={value_text(value)}" for key, value in condition)


def at(key: str, condition: tuple[tuple[str, Value], ...]) -> str:
    """The name of a key under a condition; the plain key where there is none."""
    return f"{key}@{condition_text(condition)}" if condition else key


__all__ = ["at", "condition_text", "dimension_text", "to_overrides", "value_text"]

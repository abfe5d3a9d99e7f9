"""Numbers as a page shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

NOT_KNOWN = "not known"
NOT_MEASURED = "not measured"


def number(value: float | None) -> str:
    """A score or parameter in four significant digits, such as 0.8125."""
    if value is None or not math.isfinite(value):
        return NOT_KNOWN
    return f"{value:.4g}"


def value_text(value: Any) -> str:
    """A parameter's value as a recipe has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    return str(value)


def settings_text(point: Mapping[str, Any]) -> str:
    """A point: ``optimiser.lr = 0.001, model/decoder = mlp``."""
    return ", ".join(f"{key} = {value_text(value)}" for key, value in point.items())


def estimate_text(told: Mapping[str, Any] | None) -> str:
    """A mean with its interval: ``0.8125 (0.80 to 0.83, 3 repeats)``."""
    if told is None or told["mean"] is None:
        return NOT_KNOWN
    repeats = f"{told['n']} repeat{'' if told['n'] == 1 else 's'}"
    return f"{number(told['mean'])} ({ends_text(told['low'], told['high'])}{repeats})"


def ends_text(low: float | None, high: float | None) -> str:
    """The ends of an interval and what separates them from what follows; empty where unknown."""
    return "" if low is None or high is None else f"{number(low)} to {number(high)}, "


def seconds_text(seconds: float | None) -> str:
    """A time: ``4.2 s``, ``12 min``, ``3 h 20 min``."""
    if seconds is None:
        return NOT_KNOWN
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    minutes = round(seconds / 60)
    rest = f" {minutes % 60} min" if minutes % 60 else ""
    return f"{minutes // 60} h{rest}"


def count_text(count: float | None) -> str:
    """A large count: ``5.4 million``."""
    if count is None:
        return NOT_KNOWN
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if abs(count) >= size:
            return f"{count / size:.3g} {word}"
    return f"{count:,.0f}"


def percent(share: float, digits: int = 0) -> str:
    """A share of a whole."""
    return f"{100 * share:.{digits}f} %"


def bytes_text(count: float | None) -> str:
    """A size: ``12.4 GiB``."""
    return NOT_KNOWN if count is None else f"{count / 2**30:.3g} GiB"

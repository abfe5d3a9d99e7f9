"""YAML as strangers write it: whatever the parser stumbles over is a mistake of the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from iterate.config.limits import check_size
from iterate.config.messages import unreadable
from iterate_core.errors import RequestError

FAILURES = (
    yaml.YAMLError, OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError,
)  # fmt: skip
"""What PyYAML raises for a broken file; from the fourth on, for a value that is not of its tag."""

_MOST_BITS = 1024  # of an integer: what a float reaches too


def read_yaml(path: Path) -> Any:
    """The plain content of a YAML file.

    Raises:
        RequestError: It is absent, no text, no valid YAML, too large, or holds a number without
            end.
    """
    check_size(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        check_numbers(content)
    except FAILURES as error:
        raise RequestError(unreadable(path, error)) from None
    return content


def check_numbers(content: Any) -> None:
    """Refuse integers that no field takes and that Python cannot even print.

    Raises:
        ValueError: There is one.
    """
    seen: set[int] = set()  # what an alias names again is looked at once
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise ValueError(f"holds an integer of some {value.bit_length() * 3 // 10} digits")
        if isinstance(value, Mapping | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            waiting += [*value, *value.values()] if isinstance(value, Mapping) else value


def rejoined(content: Mapping[Any, Any]) -> dict[Any, Any]:
    """A mapping whose sweeps are whole again.

    Within braces YAML splits at commas: ``{lr: interval(0, 1)}`` is read as ``lr: "interval(0"``
    and a key ``1)`` without a value. An open bracket can only have come about in this way.
    """
    whole: dict[Any, Any] = {}
    last: Any = None
    for key, value in content.items():
        if value is None and last is not None and _open(whole[last]):
            whole[last] = f"{whole[last]}, {_as_yaml(key)}"
        else:
            whole[key] = value
            last = key
    return whole


def _open(value: Any) -> bool:
    return isinstance(value, str) and value.count("(") > value.count(")")


def _as_yaml(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)

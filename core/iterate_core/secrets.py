"""Keeps passwords out of what is shown and recorded."""

from __future__ import annotations

import re
from typing import Any, TypeVar

T = TypeVar("T")

_PASSWORD = re.compile(r"(://[^/@\s:]*):[^/@\s]*@")


def without_passwords(value: T) -> T:
    """A value of plain JSON types, ``***`` for the password of every URL in it."""
    hidden: Any = value
    if isinstance(value, str):
        hidden = _PASSWORD.sub(r"\1:***@", value)
    elif isinstance(value, dict):
        hidden = {key: without_passwords(inner) for key, inner in value.items()}
    elif isinstance(value, list | tuple):
        hidden = [without_passwords(inner) for inner in value]
    result: T = hidden
    return result

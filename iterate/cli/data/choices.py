"""Options of the command line that take one of a few words."""

from __future__ import annotations

from typing import Any

from iterate_core.errors import Problem, RequestError, nearest


def choice(option: str, value: str | None, legal: tuple[str, ...]) -> Any:
    """The value, which is None where the option is not given.

    Raises:
        RequestError: It is not one of the legal ones.
    """
    if value is not None and value not in legal:
        what = f"there is no {option} {value!r}."
        raise RequestError(Problem(f"--{option}", what, nearest(value, legal)))
    return value

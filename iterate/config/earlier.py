"""Reads what earlier versions wrote: ``model.freeze: true`` for ``tuning: frozen``.

Files and words are translated before anything else looks at them, and the user is told once how
they were read. What cannot be translated is refused as an unknown key, with `HINT`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from iterate.config.yaml_files import rejoined
from iterate_core.escaping import visible

GROUP = "tuning"
FREEZE = "model.freeze"
HINT = "It is the config group tuning now: tuning=frozen, tuning=full."

_NAMES = {True: "frozen", False: "full"}
_TRUTH = re.compile(r"\b(true|false)\b", re.IGNORECASE)
_WORD = re.compile(rf"(?P<deleted>~?)\+*(?P<space>space\.)?{re.escape(FREEZE)}(=(?P<value>.*))?")
_log = logging.getLogger(__name__)


def translated_words(words: Sequence[str]) -> list[str]:
    """The command line's words in today's spelling."""
    return [_translated_word(word) for word in words]


def _translated_word(word: str) -> str:
    found = _WORD.fullmatch(word)
    if found is None or (found["value"] is None and not found["deleted"]):
        return word
    if found["space"]:
        return f"~space.{GROUP}" if found["deleted"] else word
    return f"{GROUP}={_NAMES[False] if found['deleted'] else _names_in(found['value'])}"


def pop_choice(content: dict[Any, Any]) -> str | None:
    """Take ``model.freeze`` out of a file's content: the option that it chooses, if it does."""
    section, _, field = FREEZE.partition(".")
    model = content.get(section)
    if not isinstance(model, dict) or not isinstance(model.get(field), bool):
        return None
    name = _NAMES[model.pop(field)]
    if not model:
        del content[section]
    if GROUP not in _keys(content.get("space")):
        # A constant keeps what is searched in files below it from being searched.
        content["space"] = {**(content.get("space") or {}), f"/{GROUP}": None}
    return name


def with_translated_spaces(content: Any, section: str = "") -> Any:
    """A file's content with what its ``space:`` sections say of ``model.freeze`` translated."""
    if not isinstance(content, Mapping):
        return content
    return {
        key: _translated_space(value, section)
        if key == "space"
        else with_translated_spaces(value, f"{section}.{key}".strip("."))
        for key, value in content.items()
    }


def _translated_space(space: Any, section: str) -> Any:
    if not _names_freeze(space, section):
        return space
    translated = {}
    for key, value in rejoined(space).items():
        if _absolute(key, section) != FREEZE:
            translated[key] = _translated_space(value, section)
        elif isinstance(value, Mapping):
            options = {_NAMES.get(name, name): inner for name, inner in value.items()}
            translated[f"/{GROUP}"] = _translated_space(options, section)
        else:
            translated[f"/{GROUP}"] = _names_in(value) if isinstance(value, str) else value
    return translated


def _names_freeze(space: Any, section: str) -> bool:
    return isinstance(space, Mapping) and any(
        _absolute(key, section) == FREEZE or _names_freeze(value, section)
        for key, value in space.items()
    )


def _absolute(key: Any, section: str) -> str:
    return str(key)[1:] if str(key).startswith("/") else f"{section}.{key}".strip(".")


def _keys(space: Any) -> set[str]:
    return {str(key).removeprefix("/") for key in space} if isinstance(space, Mapping) else set()


def _names_in(text: str) -> str:
    return _TRUTH.sub(lambda found: _NAMES[found[0].lower() == "true"], text)


def tell(readings: Sequence[str]) -> None:
    """Say once how what was written for an earlier version is read."""
    if readings:
        _tell("; ".join(visible(reading) for reading in readings))


@cache
def _tell(readings: str) -> None:
    _log.warning("%s is called %s now. Read as: %s", FREEZE, GROUP, readings)

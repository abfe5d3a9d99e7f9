"""Turns what Hydra, OmegaConf and YAML say about a mistake into a `Problem` a person can use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import yaml
from hydra.errors import MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from iterate_core.errors import Problem, nearest


def shown(path: Path) -> str:
    """A file as its user would name it: relative to the working directory where it lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def unreadable(path: Path, error: Exception) -> Problem:
    """A YAML file that cannot be read."""
    where = shown(path)
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        return Problem(
            f"{where}{line}", f"this is no valid YAML: {error.problem or error.context}."
        )
    if isinstance(error, UnicodeDecodeError):
        return Problem(where, f"is no UTF-8 text: {error.reason} at byte {error.start}.")
    if isinstance(error, OSError):
        return Problem(where, f"cannot be read: {error.strerror or error}.")
    if isinstance(error, OmegaConfBaseException):
        key = f": {error.full_key}" if error.full_key else ""
        hint = None
        if "key type" in str(error):
            hint = "A key must be text, a number, true or false; write null in quotes."
        return Problem(f"{where}{key}", f"{first_line(error)}.", hint)
    if isinstance(error, LookupError | AttributeError | TypeError):
        return Problem(where, "holds a value that does not fit its tag, such as !!int without one.")
    if "integer string conversion" in str(error):
        return Problem(where, "holds an integer of thousands of digits.")
    return Problem(where, f"{first_line(error)}.")


def uncomposed(error: Exception, file: Path, groups: Iterable[str]) -> Problem:
    """A defaults list that cannot be followed.

    Args:
        error: What Hydra raised.
        file: The file in which the mistake stands, as far as known.
        groups: Every config group there is.
    """
    where = f"{shown(file)}: defaults"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        if error.options:
            what = f"the config group {group} has no option {option!r}."
            return Problem(where, what, nearest(option, error.options))
        if group:
            what = f"there is no config group {group!r}."
            return Problem(where, what, nearest(group, groups))
        return Problem(where, f"there is no file {option}.yaml to build on.")
    message = first_line(error)
    if unknown := re.search(r"Could not override '([^']*)'", message):
        what = f"{unknown[1]} is overridden, but no file chooses it."
        return Problem(where, what, nearest(unknown[1], groups))
    return Problem(where, f"{message}.")


def unresolved(where: str, text: str, error: Exception) -> Problem:
    """An interpolation that leads nowhere."""
    message = first_line(error)
    if missing := re.search(r"Interpolation key '([^']*)' not found", message):
        return Problem(where, f"{text!r} leads nowhere: there is no {missing[1]}.")
    return Problem(where, f"{text!r} cannot be resolved: {message}.")


def first_line(error: Exception) -> str:
    """The first line of an exception's message, without a full stop."""
    text = str(error).strip() or str(error.__cause__ or "").strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")

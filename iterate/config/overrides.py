"""The command line's trailing words: constants, choices of config groups, dimensions, removals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.types import Sweep

from iterate.hpo.space.grammar import plain, read_override
from iterate_core.errors import Problem, RequestError, nearest

PLACE = "command line"


@dataclass
class Words:
    """What the command line asks for.

    Attributes:
        constants: Key → value.
        groups: Config group → option.
        dimensions: Key or config group → the text of a sweep.
        removed: Keys of the space that are to stay constant; None stands for all of them.
        deleted: Keys that are to be taken out of the composed files.
        problems: Words that mean nothing.
    """

    constants: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    dimensions: dict[str, str] = field(default_factory=dict)
    removed: set[str | None] = field(default_factory=set)
    deleted: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_words(
    words: Sequence[str], is_group: Callable[[str], bool], groups: Callable[[], list[str]]
) -> Words:
    """Sort the words by what they mean; of two that set one key, the later wins.

    Args:
        words: As typed: ``optimiser.lr=1e-3``, ``model/decoder=unet``,
            ``data.batch_size=choice(8,16)``, ``~space.optimiser.lr``, ``~trainer.patience``.
        is_group: Whether a key names a config group.
        groups: Every config group there is.
    """
    found = Words()
    for word in words:
        try:
            _read(word, found, is_group, groups)
        except RequestError as error:
            found.problems.extend(error.problems)
    return found


def _read(
    word: str, found: Words, is_group: Callable[[str], bool], groups: Callable[[], list[str]]
) -> None:
    if word == "~space" or word.startswith("~space."):
        found.removed.add(word.removeprefix("~space").removeprefix(".") or None)
        return
    override = read_override(word)
    key = override.key_or_group
    place = f"{PLACE}: {word}"
    if override.package is not None:
        raise RequestError(Problem(place, "a group's package cannot be changed here."))
    if not key:
        raise RequestError(Problem(place, "has no key.", "Write key=value."))
    if key == "space" or key.startswith("space."):
        hint = f"Write {key.removeprefix('space.')}=<sweep>, or ~space.<key> to remove one."
        raise RequestError(Problem(place, "the space is not set by its own name.", hint))
    if "/" in key and not is_group(key):
        raise RequestError(
            Problem(place, f"there is no config group {key!r}.", nearest(key, groups()))
        )
    if override.is_delete():
        found.deleted.append(key)
        return
    for kind in (found.constants, found.groups, found.dimensions):
        kind.pop(key, None)
    if override.is_sweep_override():
        found.dimensions[key] = override.get_value_string()
        return
    value = plain(override.value())
    if _holds_sweep(value):
        hint = "Sweep over the whole list: choice([1,2],[3])."
        raise RequestError(Problem(place, "holds a sweep inside a value.", hint))
    if is_group(key) and not isinstance(value, dict):
        if not isinstance(value, str):
            raise RequestError(Problem(place, f"must name an option of {key}, but got {value!r}."))
        found.groups[key] = value
    else:
        found.constants[key] = value


def _holds_sweep(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_sweep, value.values()))
    return isinstance(value, Sweep) or (isinstance(value, list) and any(map(_holds_sweep, value)))

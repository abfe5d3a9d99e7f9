"""The backbones of a run: names, names with weights, or a YAML of names and options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iterate.bench.runs.protocol import Word, words_of
from iterate.config.schema import SEARCHED
from iterate.config.yaml_files import read_yaml
from iterate.hpo.space.text import value_text
from iterate_core.errors import Problem, RequestError
from iterate_core.storage.names import file_name

_OPTION = "--backbones"


@dataclass(frozen=True)
class Contestant:
    """A backbone as it takes part.

    Attributes:
        name: Its name in tables and results files.
        words: What chooses it and sets its options.
    """

    name: str
    words: tuple[Word, ...]

    @property
    def folder(self) -> str:
        """Its name, safe as a folder's."""
        return file_name(self.name)


def contestants(asked: Sequence[str], told: Mapping[str, Any], origin: str) -> list[Contestant]:
    """The backbones asked for, in order, each once.

    Args:
        asked: Values of ``--backbones``: ``resnet50,convnext_tiny``, ``resnet50=weights.pth``
            (or ``=hub``, ``=none``), ``backbones.yaml``.
        told: The protocol's own; taken where none is asked for, and giving their options where
            they are asked for by name.
        origin: Where `told` stands.

    Raises:
        RequestError: None is asked for, two share a name, or a file cannot be read.
    """
    found: list[Contestant] = []
    problems: list[Problem] = []
    for text in (part.strip() for value in asked for part in value.split(",")):
        if not text:
            continue
        try:
            found += _from_file(Path(text)) if _is_file(text) else [_named(text, told, origin)]
        except RequestError as error:
            problems += error.problems
    if not found and not problems:
        found = [_contestant(name, options, origin) for name, options in told.items()]
    if not found and not problems:
        hint = f"Name some: {_OPTION} resnet50,convnext_tiny. `iterate backbones` lists them."
        problems.append(Problem(_OPTION, "no backbone is asked for.", hint))
    problems += _doubled(found)
    if problems:
        raise RequestError(problems)
    return list({one.name: one for one in found}.values())


def _doubled(found: Sequence[Contestant]) -> Iterator[Problem]:
    seen: dict[str, Contestant] = {}
    for one in found:
        other = seen.setdefault(one.folder, one)
        if {word.text for word in other.words} != {word.text for word in one.words}:
            what = f"{one.name!r} is asked for twice, with other options."
            hint = "Give one another name in a YAML: `mine: {name: resnet50, weights: …}`."
            yield Problem(_OPTION, what, hint)


def _is_file(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) and "=" not in text


def _named(text: str, told: Mapping[str, Any], origin: str) -> Contestant:
    name, equals, weights = text.partition("=")
    if not equals and name in told:
        return _contestant(name, told[name], origin)
    return _contestant(name, {"weights": weights} if equals else {}, _OPTION)


def _from_file(path: Path) -> list[Contestant]:
    content = read_yaml(path)
    if not isinstance(content, dict) or not content:
        what = "must map backbones to options: `resnet50: {weights: hub}`."
        raise RequestError(Problem(str(path), what))
    return [_contestant(str(name).strip(), options, str(path)) for name, options in content.items()]


def _contestant(name: str, options: Any, origin: str) -> Contestant:
    """Options by their plain names; a section's name, a dot or a slash make it any other word."""
    place = f"{origin}: {name}" if origin != _OPTION else f"{origin} {name}"
    if options is not None and not isinstance(options, Mapping):
        hint = f"Write {name}: {{weights: …}}."
        raise RequestError(Problem(place, f"must be a mapping of options, not {options!r}.", hint))
    own = dict(options or {})
    backbone = own.pop("name", name)
    words = [Word(f"model.backbone.name={value_text(backbone)}", place)]
    for key, value in own.items():
        whole = key in SEARCHED or "." in key or "/" in key
        words += words_of({key: value}, place, "" if whole else "model.backbone")
    return Contestant(name, tuple(words))

"""Merges a user's file with what it builds on. Hides Hydra from everything that follows."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hydra._internal.defaults_list import DefaultsList, create_defaults_list
from hydra.core.default_element import DefaultsTreeNode, GroupDefault, InputDefault
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iterate.config.earlier import translated_words
from iterate.config.environment import reading
from iterate.config.interpolate import resolve, settle
from iterate.config.messages import first_line, shown, uncomposed
from iterate.config.overrides import PLACE, Words, read_words
from iterate.config.peers import refuse_peers
from iterate.config.repository import Repository
from iterate.config.schema import component_exists
from iterate.resources import shipped
from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.storage.limits import check_plain_file


@dataclass(frozen=True)
class Layer:
    """One file of a composition.

    Attributes:
        file: Where it lies.
        section: Dotted path of the section it fills; empty for the root.
        groups: The config groups, outermost first, as whose options it came in.
        rank: Its place in the order of merging, counted from the last (-1): a higher one wins.
        primary: Whether it is the file the user named.
        content: What it says, interpolations unresolved, relative to `section`.
    """

    file: Path
    section: str
    groups: tuple[str, ...]
    rank: int
    primary: bool
    content: dict[Any, Any]


@dataclass(frozen=True)
class Composition:
    """Files merged for one choice of config groups.

    Attributes:
        config: The merged content without ``space:`` sections, interpolations unresolved. Copy
            it before changing it.
        layers: The files, in the order of merging.
        choices: Every config group that was chosen, and its option.
    """

    config: DictConfig
    layers: tuple[Layer, ...]
    choices: dict[str, str]

    def locate(self, path: str) -> str:
        """Names the file that set a path last, and the path: ``search.yaml: optimiser.lr``."""
        primary = next((layer for layer in self.layers if layer.primary), self.layers[-1])
        return f"{shown(self.file_of(path) or primary.file)}: {path}"

    def file_of(self, path: str) -> Path | None:
        """The file that set a path last; None if none did."""
        for layer in sorted(self.layers, key=lambda layer: -layer.rank):
            inner = path
            if layer.section:
                if not f"{path}.".startswith(f"{layer.section}."):
                    continue
                inner = path[len(layer.section) + 1 :]
            if _holds(layer.content, inner):
                return layer.file
        return None


class Composer:
    """A user's file and the command line's words, ready to be composed for any group choices.

    Args:
        file: The primary file. Its own folder is searched for config groups first, then the
            folders of its ``hydra.searchpath``, then the shipped ``search_spaces``.
        overrides: Trailing words of the command line.

    Raises:
        RequestError: The file is absent or broken, or a word means nothing.
    """

    def __init__(self, file: Path, overrides: Sequence[str] = ()) -> None:
        self.file = file
        folders = [file.parent.resolve(), shipped("search_spaces")]
        _check_file(file)
        refuse_peers(file)
        self._name = file.name.removesuffix(".yaml")
        self.repository = Repository(folders)
        folders[1:1] = self._search_path()
        if len(folders) > 2:
            self.repository = Repository(folders)
        words = translated_words(overrides)
        self._read_as = [f"{PLACE}: {new}" for new in words if new not in overrides]
        self.words: Words = read_words(words, self.is_group, self.repository.groups)
        self._compositions: dict[tuple[tuple[str, str], ...], Composition] = {}
        self._followed: dict[tuple[str, ...], DefaultsList] = {}

    @property
    def readings(self) -> list[str]:
        """How what was written for an earlier version is read, as far as it was composed."""
        return [*self.repository.readings, *self._read_as]

    def is_group(self, key: str) -> bool:
        """Whether a key, as the command line writes it, names a config group with options."""
        return bool(self.options(key))

    def options(self, group: str) -> list[str]:
        """The options of a config group; empty where there is no such group."""
        return self.repository.options(group) if "." not in group else []

    def compose(self, choices: Mapping[str, str] | None = None) -> Composition:
        """Merge the files under these choices of config groups, before those of the files.

        Raises:
            RequestError: A file is broken, or a defaults list cannot be followed.
        """
        asked = dict(choices or {})
        key = tuple(asked.items())
        if key not in self._compositions:
            self._compositions[key] = self._compose(asked)
        return self._compositions[key]

    def composed(self) -> Iterable[Composition]:
        """Every composition made so far."""
        return self._compositions.values()

    def _compose(self, choices: dict[str, str]) -> Composition:
        defaults = self._defaults(choices)
        layers = tuple(self._layers(defaults))
        config = OmegaConf.create()
        for layer in layers:
            content = OmegaConf.create(_without_spaces(layer.content))
            where = partial("{}: {}".format, shown(layer.file))
            for path in _sections(layer.content, layer.section):
                settle(config, path, where)
            try:
                if layer.section:
                    placed = OmegaConf.create()
                    OmegaConf.update(placed, layer.section, content, merge=False)
                    config.merge_with(placed)
                else:
                    config.merge_with(content)
            except OmegaConfBaseException as error:
                place = where(error.full_key or layer.section)
                raise RequestError(Problem(place, f"{first_line(error)}.")) from None
        chosen = defaults.overrides.known_choices
        return Composition(
            config, layers, {group: option for group, option in chosen.items() if option}
        )

    def _defaults(self, asked: dict[str, str]) -> DefaultsList:
        """The files to merge. A group that no file chooses is added at the end."""
        choices = {**self.words.groups, **asked}
        choices = dict(sorted(choices.items(), key=lambda item: item[0].count("/")))
        words: list[str] = [f"~{key}" for key in self.words.deleted if self.is_group(key)]
        found = self._follow(words)
        for group, option in choices.items():
            self.check_option(group, option, f"{PLACE}: {group}={option}")
            known = found.overrides.known_choices
            if group not in known and group not in asked and _within(group, known):
                continue  # a second level, below another option than the one chosen here
            added = "" if group in known else "+"
            words.append(f"{added}{group}={option}")
            found = self._follow(words)
        return found

    def _follow(self, words: list[str]) -> DefaultsList:
        key = tuple(words)
        if key not in self._followed:
            self._followed[key] = self._follow_anew(words)
        return self._followed[key]

    def _follow_anew(self, words: list[str]) -> DefaultsList:
        try:
            with warnings.catch_warnings(), reading(allowed=False):
                # A defaults list without _self_ is legal: the file itself then comes last.
                warnings.filterwarnings("ignore", ".*missing `_self_`.*")
                return create_defaults_list(
                    repo=self.repository,
                    config_name=self._name,
                    overrides_list=OverridesParser.create().parse_overrides(words),
                    prepend_hydra=False,
                    skip_missing=False,
                )
        except RecursionError:
            what = f"{self._name} builds on itself, or on a file that builds on it."
            hint = "A file is looked for in your own folder first: give yours another name."
            raise RequestError(Problem(f"{shown(self.file)}: defaults", what, hint)) from None
        except (HydraException, OmegaConfBaseException, ValueError, AssertionError) as error:
            raise RequestError(
                uncomposed(error, self._writer(error), self.repository.groups())
            ) from None

    def _writer(self, error: Exception) -> Path:
        """The file whose defaults list holds the mistake, as far as Hydra's error tells."""
        missing = getattr(error, "missing_cfg_file", None) or ""
        for path in (self._name, *self.repository.read()):
            if missing and missing in self.repository.chosen_by(path):
                return self.repository.file(path)
        message = first_line(error)
        path = message.split("'")[1] if message.startswith("In '") else self._name
        return self.repository.file(path)

    def check_option(self, group: str, option: str, where: str) -> None:
        """Check that a config group has an option.

        Raises:
            RequestError: It has not; the nearest ones are named.
        """
        options = self.options(group)
        if option in options:
            return
        hint = nearest(option, options)
        section = group.replace("/", ".")
        if component_exists(section, option):
            hint = f"Write {section}.name={option}: it needs no file of its own."
        what = f"the config group {group} has no option {option!r}."
        raise RequestError(Problem(where, what, hint))

    def _layers(self, defaults: DefaultsList) -> Iterator[Layer]:
        chains = dict(_chains(defaults.defaults_tree, ()))
        last = len(defaults.defaults)
        for rank, default in enumerate(defaults.defaults):
            path, section = default.config_path or "", default.package or ""
            loaded = self.repository.load_config(path)
            assert loaded is not None  # noqa: S101 - the defaults list holds what was found
            content = OmegaConf.to_container(loaded.config, resolve=False)
            assert isinstance(content, dict)  # noqa: S101 - the repository refuses others
            if not section:
                content.pop("hydra", None)
            groups = chains.get((path, section), ())
            file = self.repository.file(path)
            yield Layer(file, section, groups, rank - last, default.primary, content)

    def _search_path(self) -> list[Path]:
        loaded = self.repository.load_config(self._name)
        if loaded is None or not isinstance(loaded.config, DictConfig):
            return []
        if OmegaConf.is_interpolation(loaded.config, "hydra"):
            return []
        if not isinstance(loaded.config.get("hydra"), DictConfig):
            return []
        own = resolve(loaded.config, partial("{}: {}".format, shown(self.file)))
        entries = own.mapping.get("hydra", {}).get("searchpath")
        found = []
        for entry in entries if isinstance(entries, list) else []:
            folder = (self.file.parent / str(entry).removeprefix("file://")).resolve()
            if not folder.is_dir():
                where = f"{shown(self.file)}: hydra.searchpath"
                raise RequestError(Problem(where, f"there is no folder {folder}."))
            found.append(folder)
        return found


def _check_file(file: Path) -> None:
    if not file.exists():
        siblings = (
            [path.name for path in file.parent.glob("*.yaml")] if file.parent.is_dir() else []
        )
        raise RequestError(
            Problem(str(file), "there is no such file.", nearest(file.name, siblings))
        )
    if file.is_dir():
        raise RequestError(Problem(str(file), "is a folder; name a YAML file."))
    if file.suffix != ".yaml":
        raise RequestError(Problem(str(file), "must end in .yaml."))
    check_plain_file(file)


def _chains(
    node: DefaultsTreeNode | InputDefault, chain: tuple[str, ...]
) -> Iterator[tuple[tuple[str, str], tuple[str, ...]]]:
    """(config path, section) → the groups as whose options it came in."""
    default = node.node if isinstance(node, DefaultsTreeNode) else node
    if default.is_self() or default.get_name() is None:
        return
    if isinstance(default, GroupDefault):
        chain = (*chain, default.get_override_key())
    yield (default.get_config_path(), default.get_final_package()), chain
    for child in (node.children or []) if isinstance(node, DefaultsTreeNode) else []:
        yield from _chains(child, chain)


def _within(group: str, others: Iterable[str]) -> bool:
    return any(group.startswith(f"{other}/") for other in others)


def _without_spaces(content: Any) -> Any:
    if not isinstance(content, dict):
        return content
    return {key: _without_spaces(value) for key, value in content.items() if key != "space"}


def _sections(content: Any, section: str) -> Iterator[tuple[Any, ...]]:
    """The path of every section that a file fills."""
    outer = tuple(section.split(".")) if section else ()
    yield outer
    for key, value in content.items():
        if isinstance(value, dict) and key != "space":
            yield from _sections(value, ".".join((*outer, str(key))))


def _holds(content: Any, path: str) -> bool:
    for part in path.split(".") if path else ():
        if not isinstance(content, Mapping) or part not in content:
            return False
        content = content[part]
    return True

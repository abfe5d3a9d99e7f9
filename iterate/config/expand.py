"""From ``space:`` sections to a `Space`: who wins, what is fixed, and what hangs on what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from iterate.config.compose import Composer, Composition
from iterate.config.overrides import PLACE
from iterate.config.schema import SEARCHED
from iterate.config.space_sections import SpaceEntry, entries_of, entry
from iterate.config.yaml_files import rejoined
from iterate.hpo.space import Categorical, Condition, Parameter, Space, Value
from iterate.hpo.space.grammar import option_value, read_dimension
from iterate.hpo.space.text import at
from iterate_core.errors import Problem, RequestError, nearest

_COMMAND_LINE = (2, 0)


def _rank(line: SpaceEntry) -> tuple[int, int]:
    return line.rank


@dataclass
class Expansion:
    """What a file and the command line search over.

    Attributes:
        space: The tree.
        places: Name of a parameter → where it is written, for messages.
        conditional: Constants of the command line that hold only where a recipe takes them:
            they stand below a searched config group, or replace a conditional dimension.
        problems: Every mistake found.
    """

    space: Space = field(default_factory=Space)
    places: dict[str, str] = field(default_factory=dict)
    conditional: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


def expand(composer: Composer) -> Expansion:
    """The space of a composer's files and words.

    Raises:
        RequestError: The files cannot be composed at all.
    """
    composer.compose()
    # A dimension of the command line replaces the one of that key wherever it stands in the tree;
    # whatever replaced nothing varies everywhere.
    first = _Expander(composer, set())
    result = first.run()
    unused = set(composer.words.dimensions) - first.used
    return _Expander(composer, unused).run() if unused else result


@dataclass(frozen=True)
class _Level:
    """Where in the tree we are.

    Attributes:
        condition: The choices taken so far.
        choices: Those of them that are config groups.
        taken: Key → line of the parameters further up.
        off: Key → rank of the highest line that says null: not searched.
    """

    condition: Condition = ()
    choices: Mapping[str, str] = field(default_factory=dict)
    taken: Mapping[str, SpaceEntry] = field(default_factory=dict)
    off: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def under(self, line: SpaceEntry, value: Value, siblings: Mapping[str, SpaceEntry]) -> _Level:
        choices = {**self.choices, line.key: str(value)} if line.group else self.choices
        condition = (*self.condition, (line.key, value))
        return _Level(condition, choices, {**self.taken, **siblings}, self.off)


class _Expander:
    def __init__(self, composer: Composer, at_root: set[str]) -> None:
        self.composer = composer
        self.words = composer.words
        self.at_root = at_root
        self.used: set[str] = set()
        self.result = Expansion()
        self._removed: set[str] = set()
        self._lines: dict[int, list[SpaceEntry]] = {}

    def run(self) -> Expansion:
        lines = [self._from_command_line(key) for key in sorted(self.at_root)]
        self.result.space = self._level(_Level(), [*self._file_lines(_Level()), *lines])
        self._check_unused()
        return self.result

    # --- which lines stand at a level ---

    def _file_lines(self, level: _Level, group: str | None = None) -> list[SpaceEntry]:
        """The lines of all files, or of those that came in as an option of `group`."""
        composition = self._composition(level)
        if composition is None:
            return []
        if id(composition) not in self._lines:
            lines: list[SpaceEntry] = []
            for layer in composition.layers:
                try:
                    lines.extend(entries_of(layer, self.composer.is_group))
                except RequestError as error:
                    self._add(error.problems)
            self._lines[id(composition)] = lines
        lines = self._lines[id(composition)]
        return [line for line in lines if group is None or group in line.groups]

    def _composition(self, level: _Level) -> Composition | None:
        try:
            return self.composer.compose(level.choices)
        except RequestError as error:
            self._add(error.problems)
            return None

    def _level(self, level: _Level, lines: list[SpaceEntry]) -> Space:
        lines = self._inlined(level, lines)
        off = {line.key: line.rank for line in sorted(lines, key=_rank) if line.content is None}
        level = replace(level, off={**level.off, **off})
        lines = [line for line in lines if line.rank > level.off.get(line.key, (-1, 0))]
        searched = {line.key for line in lines if line.group}
        mine = [line for line in lines if not searched & set(line.groups)]
        winners: dict[str, SpaceEntry] = {}
        for line in sorted(mine, key=_rank):
            before = winners.get(line.key)
            if before is not None and before.rank == line.rank:
                self._add([Problem(line.where, f"{line.key} is searched twice at one place.")])
            winners[line.key] = line
        chosen = {key: line for key, line in winners.items() if self._stays(level, line)}
        parameters = [self._parameter(level, line, chosen) for line in chosen.values()]
        try:
            return Space(tuple(parameter for parameter in parameters if parameter))
        except ValueError as error:
            where = next(iter(chosen.values())).where
            self._add([Problem(where, f"{error}.", "Search it under one condition only.")])
            return Space()

    def _inlined(self, level: _Level, lines: Iterable[SpaceEntry]) -> list[SpaceEntry]:
        """The lines without those that are fixed; a fixed choice leaves its option's space."""
        kept: list[SpaceEntry] = []
        for line in lines:
            if line.rank == _COMMAND_LINE:
                kept.append(line)
                continue
            if self.words.removed & {None, line.key}:
                self._removed.add(line.key)
                continue
            fixed, value = self._fixed(level, line)
            if not fixed:
                kept.append(self._replaced(line))
            elif isinstance(line.content, Mapping):
                option = self._option_of(line, value)
                kept.extend(self._inlined(level, self._option_lines(line, option)))
        return kept

    def _fixed(self, level: _Level, line: SpaceEntry) -> tuple[bool, Any]:
        """Whether a constant takes a dimension's place, and its value."""
        composition = self._composition(level)
        if composition is None:
            return False, None
        if line.group:
            option = self.words.groups.get(line.key)
            return option is not None and composition.choices.get(line.key) == option, option
        for key, value in leaves(self.words.constants):
            if touch(key, line.key):
                if level.condition:
                    self.result.conditional.add(key)
                return True, value
        for layer in () if line.primary else composition.layers:
            if layer.primary and layer.rank > line.rank[1]:
                for key, value in leaves(layer.content, layer.section):
                    if touch(key, line.key):
                        return True, value
        return False, None

    def _replaced(self, line: SpaceEntry) -> SpaceEntry:
        """The line with the command line's words for its key, where there are any."""
        text = self.words.dimensions.get(line.key)
        if text is None and line.group and line.key in self.words.groups:
            # A group of a second level that no file chooses: its word chooses it here.
            text = f"choice({self.words.groups[line.key]})"
        elif text is None or line.key in self.at_root:
            return line
        self.used.add(line.key)
        where = f"{PLACE}: {line.key}={text}"
        return replace(line, content=_Narrowed(text, line.content), where=where)

    def _stays(self, level: _Level, line: SpaceEntry) -> bool:
        above = level.taken.get(line.key)
        if above is None:
            return True
        other_files = above.rank[0] == line.rank[0] == 0 and above.rank != line.rank
        if above.rank[0] <= line.rank[0] and not other_files:
            what = f"{line.key} is searched already, under every option: {above.where}."
            self._add([Problem(line.where, what, "Keep one of the two.")])
        return False

    # --- from a line to a parameter ---

    def _parameter(
        self, level: _Level, line: SpaceEntry, siblings: Mapping[str, SpaceEntry]
    ) -> Parameter | None:
        name = at(line.key, level.condition)
        self.result.places[name] = line.where
        try:
            self._check_key(line)
            dimension, options = self._dimension(line)
            if line.group:
                self._check_options(line, dimension)
        except RequestError as error:
            self._add(error.problems)
            return None
        if not isinstance(dimension, Categorical):
            return Parameter(line.key, dimension)
        branches = []
        for value in dimension.choices:
            under = level.under(line, value, siblings)
            lines = self._file_lines(under, line.key) if line.group else []
            lines = [*lines, *(options.get(_typed(value)) or [])]
            branches.append(self._level(under, lines) if lines else Space())
        try:
            return Parameter(line.key, dimension, tuple(branches) if any(branches) else ())
        except ValueError as error:
            self._add([Problem(line.where, f"{error}.")])
            return None

    def _dimension(
        self, line: SpaceEntry
    ) -> tuple[Any, dict[tuple[type, Value], list[SpaceEntry]]]:
        content, names = line.content, self.composer.options(line.key) if line.group else []
        text = None
        if isinstance(content, _Narrowed):
            text, content = content.text, content.content
        options = {}
        if isinstance(content, Mapping):
            for option in content:
                value = option_value(option, f"{line.where}.{option}")
                options[_typed(value)] = self._option_lines(line, option, content)
        if text is not None:
            return read_dimension(text, f"{PLACE}: {line.key}={text}", names), options
        if isinstance(content, Mapping):
            if not content:
                raise RequestError(Problem(line.where, "has no options."))
            return Categorical(tuple(value for _, value in options)), options
        return read_dimension(content, line.where, names), options

    def _option_lines(self, line: SpaceEntry, option: Any, content: Any = None) -> list[SpaceEntry]:
        """The lines of one option of a choice in mapping form."""
        space = (line.content if content is None else content).get(option)
        if space is None:
            return []
        frame = replace(line, where=f"{line.where}.{option}", groups=())
        if not isinstance(space, Mapping):
            what = f"an option carries a mapping of keys to sweeps, but got {space!r}."
            self._add([Problem(frame.where, what, "Write {} for none.")])
            return []
        lines = []
        for key, inner in rejoined(space).items():
            try:
                lines.append(entry(frame, key, inner, self.composer.is_group))
            except RequestError as error:
                self._add(error.problems)
        return lines

    def _option_of(self, line: SpaceEntry, value: Any) -> Any:
        for option in line.content:
            found = option_value(option, line.where)
            if _typed(found) == _typed(value):
                return option
        return None

    def _from_command_line(self, key: str) -> SpaceEntry:
        text = self.words.dimensions[key]
        group = self.composer.is_group(key)
        return SpaceEntry(key, group, text, "", f"{PLACE}: {key}={text}", _COMMAND_LINE)

    # --- what may be searched ---

    def _check_key(self, line: SpaceEntry) -> None:
        section = line.key.replace("/", ".").split(".")[0]
        if section in SEARCHED:
            return
        hint = nearest(section, SEARCHED)
        raise RequestError(Problem(line.where, f"{section!r} is no searched section.", hint))

    def _check_options(self, line: SpaceEntry, dimension: Any) -> None:
        if not isinstance(dimension, Categorical):
            options = ", ".join(self.composer.options(line.key))
            raise RequestError(Problem(line.where, f"a config group needs a choice of {options}."))
        problems: list[Problem] = []
        for value in dimension.choices:
            try:
                self.composer.check_option(line.key, str(value), line.where)
            except RequestError as error:
                problems.extend(error.problems)
        if problems:
            raise RequestError(problems)

    def _check_unused(self) -> None:
        keys = {parameter.key for _, parameter in self.result.space.all()}
        for key in sorted(self.words.removed - {None} - self._removed, key=str):
            hint = nearest(str(key), keys)
            self._add([Problem(f"{PLACE}: ~space.{key}", "the space has no such key.", hint)])
        compositions = list(self.composer.composed())
        for group, option in self.words.groups.items():
            if not any(found.choices.get(group) == option for found in compositions):
                where = f"{PLACE}: {group}={option}"
                self._add([Problem(where, f"no file chooses an option of {group}.")])
        for parameter in (found for _, found in self.result.space.all()):
            section = parameter.key.replace("/", ".") + "."
            if self.composer.is_group(parameter.key):
                found = {key for key in self.words.constants if key.startswith(section)}
                self.result.conditional |= found

    def _add(self, problems: Iterable[Problem]) -> None:
        self.result.problems += [p for p in problems if p not in self.result.problems]


@dataclass(frozen=True)
class _Narrowed:
    """A sweep of the command line over a choice whose options may carry spaces."""

    text: str
    content: Any


def _typed(value: Value) -> tuple[type, Value]:
    """Tells 1, 1.0 and true apart as a key of a dictionary."""
    return type(value), value


def leaves(content: Mapping[Any, Any], path: str = "") -> Iterable[tuple[str, Any]]:
    """Dotted path → value of everything but spaces."""
    for key, value in content.items():
        if key == "space":
            continue
        inner = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield from leaves(value, inner)
        else:
            yield inner, value


def touch(one: str, other: str) -> bool:
    """Whether setting one key sets the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")

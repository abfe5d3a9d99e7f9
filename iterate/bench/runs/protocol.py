"""Protocols: search files that say how every backbone of a benchmark is trained."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iterate.bench.leaderboard.portion import Portion
from iterate.bench.suites.suite import Suite, load_suite, suites
from iterate.config.load import load_study
from iterate.config.messages import shown
from iterate.config.overrides import PLACE
from iterate.config.schema import SearchConfig, how_only
from iterate.hpo.space.grammar import read_override
from iterate.hpo.space.text import value_text
from iterate.resources import shipped
from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.registry import registries
from iterate_core.registry.marks import HowOnly, PerTraining, without

_OF_THE_RUN = ("search", "ray", "tracking")
_SHARED = ("ray", "tracking", "bench")


@dataclass(frozen=True)
class Word:
    """One ``key=value``, as on the command line.

    Attributes:
        text: The word.
        origin: Where it was written, for messages; None: on the command line itself.
    """

    text: str
    origin: str | None = None

    @property
    def key(self) -> str:
        """What it sets."""
        return re.split("=", self.text.lstrip("+~"), maxsplit=1)[0]


def words_of(mapping: Mapping[str, Any], origin: str, section: str = "") -> Iterator[Word]:
    """The words of a mapping; ``{data: {image_size: 64}}`` is ``data.image_size=64``.

    Args:
        mapping: As YAML gives it. A key that begins with ``~`` removes something.
        origin: Where it stands.
        section: What its keys are relative to.
    """
    for name, value in mapping.items():
        key = f"{section}.{name}" if section else str(name)
        if isinstance(value, Mapping):
            yield from words_of(value, f"{origin}.{name}", key)
        elif key.startswith("~"):
            yield Word(key, f"{origin}.{name}")
        else:
            yield Word(f"{key}={_text(key, value)}", f"{origin}.{name}")


def _text(key: str, value: Any) -> str:
    """A value of YAML in Hydra's grammar: a sweep stays one, other text is text."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_text(key, one) for one in value)}]"
    if not isinstance(value, str):
        return value_text(value)
    if "(" in value or "/" in key:
        return value
    try:
        parsed = read_override(f"{key}={value}")
    except RequestError:
        return value_text(value)
    return value_text(value) if parsed.is_sweep_override() else value


@dataclass(frozen=True)
class Protocol:
    """A protocol, read.

    Attributes:
        name: Of its file.
        file: Where it stands.
        config: What it says where no task, dataset or backbone differs, with the command line's
            words on the run as a whole.
        space: What it searches there, as text.
    """

    name: str
    file: Path
    config: SearchConfig
    space: dict[str, Any]

    def words(self, task: str, dataset: str) -> list[Word]:
        """What it says of a task and of a dataset."""
        section = self.config.bench
        origin = f"{shown(self.file)}: bench"
        return [
            *words_of(section.tasks.get(task, {}), f"{origin}.tasks.{task}"),
            *words_of(section.datasets.get(dataset, {}), f"{origin}.datasets.{dataset}"),
        ]

    def question(self) -> dict[str, Any]:
        """What makes results comparable: where it changes, they are another leaderboard's."""
        # What is as everywhere is not said: another field in a later version changes nothing.
        recipe = without(self.config.recipe(), HowOnly, PerTraining, exclude_defaults=True)
        tasks = {task: dict(words) for task, words in self.config.bench.tasks.items()}
        return {"recipe": recipe, "space": self.space, "tasks": tasks}

    def decides(self, word: str) -> bool:
        """Whether a word of the command line changes what is found, not just how."""
        path = Word(word).key.replace("/", ".")
        return not how_only(self.config.model_dump(), path)


def protocols() -> dict[str, Path]:
    """The protocols that ship: name → file."""
    folder = shipped("benchmarks") / "geobench" / "protocols"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_protocol(name: str, suite: Suite, overrides: Sequence[str] = ()) -> Protocol:
    """A protocol that ships, by its name, or one's own, by the path of its YAML.

    Args:
        name: Name or path.
        suite: The benchmark it is to serve.
        overrides: The command line's words; here, those count that concern the run as a whole.

    Raises:
        RequestError: There is no such protocol, or its file is wrong: all that is wrong with it.
    """
    known = protocols()
    file = known.get(name, Path(name))
    if not file.is_file():
        what = f"there is no protocol {name!r}."
        raise RequestError(Problem("--protocol", what, nearest(name, known)))
    loaded = load_study(file, [word for word in overrides if of_the_run(word)])
    protocol = Protocol(file.stem, file, loaded.config, loaded.space.to_mapping())
    problems = list(_strange(protocol, suite))
    if problems:
        raise RequestError(problems)
    return protocol


def run_name(suite: Suite, protocol: Protocol, portion: Portion) -> str:
    """How a run is called: by its protocol, and by what the protocol's name does not say."""
    own = max((name for name in suites() if f"{protocol.name}-".startswith(f"{name}-")), default="")
    name = protocol.name if own == suite.name else f"{suite.name}-{protocol.name}"
    if portion.shots is not None:
        name = f"{name}-{portion.shots}-shot"
    elif portion.share != 1:
        name = f"{name}-{100 * portion.share:g}pct"
    if portion.blocks is not None:
        name = f"{name}-blocks-{portion.blocks.side:g}m-{portion.blocks.apart:g}m"
    return name


def of_the_run(word: str) -> bool:
    """Whether a word of the command line concerns all studies alike: budget, Ray, tracking."""
    return section_of(word) in _OF_THE_RUN


def section_of(word: str) -> str:
    """The section that a word of the command line is about: ``search``, ``model``."""
    return re.split(r"[.=/]", word.lstrip("+~"), maxsplit=1)[0]


def _strange(protocol: Protocol, suite: Suite) -> Iterator[Problem]:
    """Sections on tasks, datasets and tracks that there are not."""
    section = protocol.config.bench
    origin = f"{shown(protocol.file)}: bench"
    known = [suite, *map(load_suite, suites())]
    tasks = {one.task for other in known for one in other.datasets.values()}
    tasks.update(registries.tasks.names())
    yield from _unknown(section.tasks, tasks, f"{origin}.tasks", "task")
    legal = {name for other in known for name in other.datasets}
    yield from _unknown(section.datasets, legal, f"{origin}.datasets", "dataset")
    told = (*section.tasks.values(), *section.datasets.values(), *section.backbones.values())
    yield from _of_the_whole(told, origin)
    if section.track is not None:
        yield from _unknown([section.track], suite.tracks, f"{origin}.track", "track")


def _of_the_whole(told: Iterable[Mapping[str, Any] | None], origin: str) -> Iterator[Problem]:
    """Words on what all studies of a run share, where they would change nothing."""
    for word in (word for one in told for word in words_of(one or {}, origin)):
        if word.key == "search.storage" or ("." in word.key and section_of(word.key) in _SHARED):
            what = f"{word.key} concerns the run as a whole: it cannot differ within one."
            yield Problem(str(word.origin), what, "Say it outside of bench.")


def _unknown(
    names: Iterable[str], legal: Iterable[str], where: str, kind: str
) -> Iterator[Problem]:
    legal = list(legal)
    for name in names:
        if name not in legal:
            yield Problem(where, f"there is no {kind} {name!r}.", nearest(name, legal))


def placed(problem: Problem, words: Sequence[Word]) -> Problem:
    """A problem with a word, told of where that word was written."""
    if not problem.where.startswith(f"{PLACE}: "):
        return problem
    key = re.split("=", problem.where.removeprefix(f"{PLACE}: ").lstrip("+~"), maxsplit=1)[0]
    for word in reversed(words):
        if word.origin is not None and f"{word.key}.".startswith(f"{key}."):
            return Problem(word.origin, problem.what, problem.hint)
    return problem

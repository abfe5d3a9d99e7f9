"""What makes the results of one run comparable, told by the options that say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from iterate.bench.runs.plan import Request
from iterate.bench.runs.protocol import Word
from iterate.hpo.study import differences, flat
from iterate_core.errors import Problem, RequestError

_LEFT_OUT = "left out"
_OPTIONS = {"suite": "--suite", "percent": "--partition", "shots": "--shots",
            "blocks": "--block-metres and --distance-metres"}  # fmt: skip
_SHOWN = 8  # of the differences of two protocols


def question_of(request: Request) -> dict[str, Any]:
    """The suite, what of the training data, the protocol, and the command line's words."""
    protocol, portion = request.protocol, request.labels.portion
    return {
        "suite": request.suite.name,
        "percent": request.percent,
        **({} if portion.shots is None else {"shots": portion.shots}),
        **({} if portion.blocks is None else {"blocks": portion.blocks.name}),
        "protocol": protocol.question(),
        "words": sorted(word for word in request.overrides if protocol.decides(word)),
    }


def check_same(asked: Mapping[str, Any], before: Mapping[str, Any], folder: Path) -> None:
    """Refuse to put results beside others with which they cannot be compared.

    Args:
        asked: From `question_of`.
        before: What the results in the folder are of.
        folder: The run's.

    Raises:
        RequestError: One problem for each option that changed.
    """
    changed = differences(asked, before)
    if not changed:
        return
    now, then = flat(asked), flat(before)
    problems: list[Problem] = []
    for key in (key for key in changed if key in _OPTIONS):
        what = f"was {_value(then, key)}, now {_value(now, key)}."
        problems.append(Problem(_OPTIONS[key], what))
    of_protocol = [key for key in changed if key.startswith("protocol.")]
    for key in of_protocol[:_SHOWN]:
        said = key.removeprefix("protocol.").removeprefix("recipe.")
        what = f"{said} was {_setting(then, key)}, now {_setting(now, key)}."
        problems.append(Problem("--protocol", what))
    if (more := len(of_protocol) - _SHOWN) > 0:
        problems.append(Problem("--protocol", f"{more} more of its settings are others."))
    problems += _words(asked["words"], before["words"])
    headline = f"the results in {folder} are of other options: new ones cannot stand beside them."
    advice = (
        "Take back what changed; or name another folder with --out, or begin a new run beside "
        "this one with --fresh. Nothing is deleted."
    )
    raise RequestError(problems, headline, advice)


def _value(said: Mapping[str, Any], key: str) -> str:
    if key == "percent":
        return f"{said[key]:g}%"
    return str(said.get(key, _LEFT_OUT))


def _setting(said: Mapping[str, Any], key: str) -> str:
    """A setting of a protocol, which says what is not as everywhere."""
    return repr(said[key]) if key in said else "the default"


def _words(asked: Sequence[str], before: Sequence[str]) -> Iterator[Problem]:
    now, then = ({Word(text).key: text for text in words} for words in (asked, before))
    for key in dict.fromkeys((*then, *now)):
        if now.get(key) != then.get(key):
            what = f"was {then.get(key, _LEFT_OUT)}, now {now.get(key, _LEFT_OUT)}."
            yield Problem(key, what)

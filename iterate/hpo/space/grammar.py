"""Text → dimensions, through Hydra's own override parser: the one grammar of search spaces.

choice(8, 16, 32)                 one of these; lists, null and quoted strings too
8, 16, 32                         the same, as Hydra's sweeps write it
interval(0, 0.4)                  a number between, both ends included
tag(log, interval(1e-6, 1e-3))    drawn evenly in the logarithm
int(interval(1, 8))               whole numbers, both ends included; int(tag(log, …)) too
range(1, 9)                       1 … 8: as in Hydra and Python, the stop is not included
range(0, 1, step=0.25)            0, 0.25, 0.5, 0.75
glob(*)                           every option of a config group
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from hydra._internal.grammar import grammar_functions
from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
    Sweep,
)
from hydra.errors import HydraException

from iterate.hpo.space.dimension import Categorical, Dimension, Float, Int, Value, exact, freeze
from iterate.hpo.space.tree import Parameter, Space
from iterate_core.errors import Problem, RequestError, nearest

_SHOWN = 200  # characters of a text in a message
_FORMS = "Write choice(…), interval(…), range(…), int(…) or tag(log, …)."
MOST_CHARACTERS = 10_000
"""Of a sweep, and of any text in a file: the parser takes a second for as many."""
_DEEPEST = 20  # brackets within brackets


def deepest(text: str, opening: str = "([{", closing: str = ")]}") -> int:
    """How many brackets are open at once, at most."""
    depth = most = 0
    for character in text:
        depth += (character in opening) - (character in closing)
        most = max(most, depth)
    return most


def _check_extent(text: str, where: str) -> None:
    """Refuse what the parser would take minutes for, or fall over."""
    if len(text) > MOST_CHARACTERS:
        what = f"is {len(text)} characters long; at most {MOST_CHARACTERS} are read."
        raise RequestError(Problem(where, what, "A range(…) or interval(…) holds any number."))
    if deepest(text) > _DEEPEST:
        what = f"has more than {_DEEPEST} brackets within one another."
        raise RequestError(Problem(where, what, _FORMS))


@cache
def parser() -> OverridesParser:
    """Hydra's override parser, whose `choice` takes null as well."""
    functions = create_functions()
    any_number = inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)
    functions.definitions["choice"] = inspect.Signature([any_number])
    functions.functions["choice"] = grammar_functions.choice
    return OverridesParser(functions)


def read_element(text: str, where: str = "") -> Any:
    """The parsed value of one piece of Hydra's grammar: a plain value, or a `Sweep` or `Glob`.

    Raises:
        RequestError: The text breaks the grammar.
    """
    _check_extent(text, where)
    try:
        return plain(parser().parse_rule(text, "value"))
    except (HydraException, AssertionError, ValueError, RecursionError) as error:
        raise RequestError(Problem(where, *explain(text, error))) from None


def read_override(word: str) -> Override:
    """A command-line word, parsed by Hydra.

    Raises:
        RequestError: The word breaks the grammar.
    """
    _check_extent(word, f"command line: {word[:40]}…")
    try:
        override = parser().parse_rule(word, "override")
    except (HydraException, AssertionError, ValueError, RecursionError) as error:
        raise RequestError(Problem("command line", *explain(word, error))) from None
    assert isinstance(override, Override)  # noqa: S101 - what the rule `override` gives
    return override


def plain(parsed: Any) -> Any:
    """A parsed value with its quoted strings as strings."""
    if isinstance(parsed, QuotedString):
        return parsed.text
    if isinstance(parsed, list):
        return [plain(item) for item in parsed]
    if isinstance(parsed, dict):
        return {plain(key): plain(value) for key, value in parsed.items()}
    return parsed


def explain(text: str, error: BaseException) -> tuple[str, str | None]:
    """What Hydra's parser did not like, and a hint."""
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    message = str(error).split("\nSee ")[0].strip()
    if unknown := re.search(r"Unknown function '([^']*)'\nAvailable: (.*)", message):
        hint = nearest(unknown[1], unknown[2].split(","))
        return f"there is no function {unknown[1]!r} in {text!r}.", hint or _FORMS
    message = message.split("while evaluating", 1)[-1].replace("\n", " ")
    message = re.sub(r"^ '.*': ", "", message) or "it cannot be evaluated"
    return f"{text!r} does not fit the grammar: {message.rstrip('.')}.", _FORMS


def read_dimension(text: Any, where: str = "", options: Sequence[str] = ()) -> Dimension:
    """A dimension from its text.

    Args:
        text: As a ``space:`` section holds it.
        where: Its place, for the error.
        options: The options of the config group it chooses from, for ``glob(…)``.

    Raises:
        RequestError: It is no sweep, breaks the grammar, or is empty.
    """
    if not isinstance(text, str):
        hint = f"Write choice({str(text)[1:-1]})." if isinstance(text, list) else _FORMS
        raise RequestError(Problem(where, f"a dimension is text, but got {text!r}.", hint))
    return dimension_from(read_element(text, where), text, where, options)


def dimension_from(
    parsed: Any, text: str, where: str = "", options: Sequence[str] = ()
) -> Dimension:
    """A dimension from what Hydra's parser gave for `text`.

    Raises:
        RequestError: It is no sweep, or one that cannot be searched.
    """
    try:
        if isinstance(parsed, Glob):
            return _glob(parsed, options)
        if not isinstance(parsed, Sweep):
            hint = f"{_FORMS} A constant stands outside `space`."
            raise RequestError(Problem(where, f"{text!r} is no search dimension.", hint))
        _check_tags(parsed)
        if getattr(parsed, "shuffle", False):
            raise ValueError("shuffle has no meaning here: the sampler decides the order")
        if isinstance(parsed, ChoiceSweep):
            return Categorical(tuple(freeze(plain(choice)) for choice in parsed.list))
        if isinstance(parsed, IntervalSweep):
            return _interval(parsed)
        assert isinstance(parsed, RangeSweep)  # noqa: S101 - the last of Hydra's sweeps
        return _range(parsed)
    except ValueError as error:
        raise RequestError(Problem(where, f"{text}: {error}.")) from None


def read_space(mapping: Mapping[Any, Any], where: str = "space") -> Space:
    """A space from a plain mapping of absolute keys, as `Space.to_mapping` gives it.

    Raises:
        RequestError: With every mistake found.
    """
    problems: list[Problem] = []
    space = _read_space(mapping, where, problems)
    if problems:
        raise RequestError(problems)
    return space


def option_value(text: Any, where: str = "") -> Value:
    """The value that an option's key in mapping form stands for: ``true``, ``8``, ``unet``.

    Raises:
        RequestError: The text breaks the grammar, or is a sweep.
    """
    value = read_element(text, where) if isinstance(text, str) else text
    try:
        return freeze(value)
    except ValueError as error:
        raise RequestError(Problem(where, f"{text!r} is no option: {error}.")) from None


def _read_space(mapping: Mapping[Any, Any], where: str, problems: list[Problem]) -> Space:
    parameters: list[Parameter] = []
    for key, content in mapping.items():
        place = f"{where}.{key}"
        try:
            parameters.append(_read_parameter(key, content, place, problems))
        except RequestError as error:
            problems.extend(error.problems)
        except ValueError as error:
            problems.append(Problem(place, f"{error}."))
    try:
        return Space(tuple(parameters))
    except ValueError as error:
        problems.append(Problem(where, f"{error}."))
        return Space()


def _read_parameter(key: str, content: Any, place: str, problems: list[Problem]) -> Parameter:
    if not isinstance(content, Mapping):
        return Parameter(key, read_dimension(content, place))
    values = tuple(option_value(option, place) for option in content)
    branches = tuple(
        _read_space(inner or {}, f"{place}.{option}", problems) for option, inner in content.items()
    )
    return Parameter(key, Categorical(values), branches)


def _check_tags(sweep: Sweep) -> None:
    if unknown := sorted(sweep.tags - {"log"}):
        raise ValueError(f"the one tag with a meaning is log, but got {', '.join(unknown)}")
    if sweep.tags and not isinstance(sweep, IntervalSweep):
        raise ValueError("tag(log, …) takes an interval")


def _glob(glob: Glob, options: Sequence[str]) -> Categorical:
    found = glob.filter(list(options))
    if not found:
        raise ValueError(f"none of the options ({', '.join(options) or 'no config group'}) matches")
    return Categorical(tuple(found))


def _interval(sweep: IntervalSweep) -> Dimension:
    low, high, log = sweep.start, sweep.end, "log" in sweep.tags
    if isinstance(low, int) and isinstance(high, int):
        return Int(low, high, log=log)
    assert low is not None and high is not None  # noqa: S101, PT018 - Hydra requires both
    return Float(low, high, log=log)


def _range(sweep: RangeSweep) -> Dimension:
    start, stop, step = sweep.start, sweep.stop, sweep.step
    assert start is not None and stop is not None  # noqa: S101, PT018 - Hydra requires both
    if step == 0:
        raise ValueError("`step` must not be 0")
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        values = range(start, stop, step)
        if not values:
            raise ValueError(_empty(start, stop, step))
        return Int(min(values[0], values[-1]), max(values[0], values[-1]), step=abs(step))
    return _float_range(float(start), float(stop), float(step))


def _float_range(start: float, stop: float, step: float) -> Float:
    for name, value in (("start", start), ("stop", stop), ("step", step)):
        if not math.isfinite(value):
            raise ValueError(f"`{name}` must be finite, but got {value}")
    first, span, by = exact(start), exact(stop) - exact(start), exact(step)
    if span == 0 or (span > 0) != (by > 0):
        raise ValueError(_empty(start, stop, step))
    last = first + (math.ceil(span / by) - 1) * by
    return Float(float(min(first, last)), float(max(first, last)), step=abs(step))


def _empty(start: float, stop: float, step: float) -> str:
    return f"no value lies from {start} towards {stop} (which is not included) in steps of {step}"

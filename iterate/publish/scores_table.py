"""The rows of an exported model's scores."""

from __future__ import annotations

from typing import Any, NamedTuple


class ScoreRow(NamedTuple):
    """A test metric.

    Attributes:
        name: The metric.
        own: This model's score.
        mean: That of the repeats, with its interval over training seeds.
        samples: The interval over test samples.
    """

    name: str
    own: str
    mean: str
    samples: str


class BitsRow(NamedTuple):
    """A test metric in full, and in fewer bits."""

    kind: str
    name: str
    full: str
    reduced: str
    change: str


def score_rows(metrics: dict[str, Any]) -> list[ScoreRow]:
    """A row for each test metric, as it is shown."""
    over_seeds = metrics.get("test_over_repeats", {})
    over_samples = metrics.get("test_over_samples", {})
    names = list(dict.fromkeys([*over_seeds, *metrics.get("test", {})]))
    return [
        ScoreRow(
            name,
            figure(metrics.get("test", {}).get(name)),
            _with_interval(over_seeds.get(name)),
            _interval(over_samples.get(name)),
        )
        for name in names
    ]


def bits_rows(metrics: dict[str, Any]) -> list[BitsRow]:
    """A row for each kind of reduction and each metric that was measured of it."""
    return [
        _bits_row(kind, name, before, told["reduced"].get(name))
        for kind, told in metrics.get("reduced", {}).items()
        for name, before in told.get("full", {}).items()
    ]


def _bits_row(kind: str, name: str, before: float | None, after: float | None) -> BitsRow:
    change = "–" if before is None or after is None else f"{after - before:+.2g}"
    return BitsRow(kind, name, figure(before), figure(after), change)


def figure(value: float | None) -> str:
    """A score with five digits; a dash of none."""
    return "–" if value is None else f"{value:.5g}"


def _interval(told: dict[str, Any] | None) -> str:
    if told is None or told["low"] is None:
        return "–"
    return f"{figure(told['low'])} to {figure(told['high'])}"


def _with_interval(told: dict[str, Any] | None) -> str:
    if told is None:
        return "–"
    between = "" if told["low"] is None else f" ({_interval(told)})"
    return f"{figure(told['mean'])}{between}, n = {told['n']}"

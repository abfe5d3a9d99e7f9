"""Several studies side by side: what they came to, what differs, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from iterate.reporting.charts.quality import Costed, cost_chart
from iterate.reporting.charts.trials import several_curves
from iterate.reporting.figures import NOT_KNOWN, count_text, ends_text, number, seconds_text
from iterate.reporting.sections.cost import training_seconds
from iterate.reporting.sections.scores import Cell
from iterate.reporting.studied import Studied
from iterate.run.sample_intervals import difference_over_samples
from iterate.statistics.comparisons import compare
from iterate.statistics.intervals import Estimate, mean_estimate

HEADS = (
    "Study",
    "Dataset",
    "Backbone",
    "Best on validation",
    "Test mean",
    "Trials",
    "Training",
    "Parameters trained",
)
DIFFERENCE_HEADS = ("Study", "Difference", "Over repeats", "Over test samples", "p")


class Question(NamedTuple):
    """Studies that can be compared: of one dataset, in one metric.

    Attributes:
        title: The dataset and the metric.
        reference: The study that others are compared with.
        rows: Difference of each other one from it.
        curves: Of their best trials.
        cost: Score against training time.
    """

    title: str
    reference: str
    rows: list[list[Cell]]
    curves: Markup | None
    cost: Markup | None


def overview(studies: Sequence[Studied]) -> list[list[Cell]]:
    """A row a study."""
    return [_row(study) for study in studies]


def questions(studies: Sequence[Studied]) -> list[Question]:
    """The studies by what they can be compared in, those that can be compared with any."""
    groups: dict[tuple[str, ...], list[Studied]] = {}
    for study in studies:
        groups.setdefault(_key(study), []).append(study)
    return [_question(group) for group in groups.values() if len(group) > 1]


def lonely(studies: Sequence[Studied]) -> list[str]:
    """The studies that cannot be compared with any other: their data or metric are others."""
    keys = [_key(study) for study in studies]
    return [study.label for study, key in zip(studies, keys, strict=True) if keys.count(key) == 1]


def _key(study: Studied) -> tuple[str, ...]:
    """What two studies must share: data by content where that is known, and the metric."""
    data = str(study.told["dataset"])
    if study.past is not None:
        data = str(study.past.question["data"])
    return data, study.objective, study.mode


def _row(study: Studied) -> list[Cell]:
    best, test = study.best, study.told["test"].get(study.objective)
    value = None if best is None else best["value"]
    mean = None if test is None else test["mean"]
    counts = study.told["trials"]
    tried = ", ".join(f"{counts[state]} {state}" for state in ("complete", "pruned", "failed"))
    seconds = training_seconds(study)
    parameters = None if best is None else best.get("parameters")
    trained = None if parameters is None else parameters["trained"]
    return [
        Cell(study.label, study.label),
        Cell(str(study.told["dataset"]), str(study.told["dataset"])),
        Cell(str(study.told["backbone"]), str(study.told["backbone"])),
        _or_gap(value, f"{study.objective} {number(value)}"),
        _or_gap(mean, _mean(test)),
        Cell(tried, sum(counts.values())),
        _or_gap(seconds, seconds_text(seconds)),
        _or_gap(trained, count_text(trained)),
    ]


def _mean(test: dict[str, Any] | None) -> str:
    if test is None:
        return NOT_KNOWN
    return f"{number(test['mean'])} ({ends_text(test['low'], test['high'])}n = {test['n']})"


def _or_gap(value: float | None, text: str) -> Cell:
    return Cell("–") if value is None else Cell(text, value)


def _question(group: Sequence[Studied]) -> Question:
    first, *others = group
    curves = {study.label: _best_curve(study) for study in group}
    return Question(
        title=f"{first.told['dataset']}: {first.objective}",
        reference=first.label,
        rows=[_difference(study, first) for study in others],
        curves=several_curves(curves, f"val/{first.objective}", first.mode),
        cost=cost_chart(
            [row for study in group if (row := _costed(study)) is not None],
            "training time of the whole study",
            f"test {first.objective}",
        ),
    )


def _best_curve(study: Studied) -> list[tuple[int, float]]:
    best = study.plotted.best
    return [] if best is None else best.points


def _costed(study: Studied) -> Costed | None:
    seconds, test = training_seconds(study), study.told["test"].get(study.objective)
    if seconds is None or test is None or test["mean"] is None:
        return None
    return Costed(study.label, seconds, test["mean"], test["low"], test["high"])


def _values(study: Studied) -> list[float]:
    key = f"test/{study.objective}"
    values = [one["metrics"].get(key) for one in study.tested]
    return [float(value) for value in values if value is not None]


def _difference(study: Studied, first: Studied) -> list[Cell]:
    """A study less the reference: over repeats (Welch) and over the samples both were tested on."""
    mine, theirs = _values(study), _values(first)
    if not mine or not theirs:
        return [Cell(study.label, study.label), *(Cell(text) for text in ("not tested",) * 4)]
    apart = float(np.mean(mine) - np.mean(theirs))
    over_repeats, p = _over_repeats(study, mine, theirs)
    samples = difference_over_samples(study.sums, first.sums, study.objective)
    return [
        Cell(study.label, study.label),
        Cell(f"{apart:+.4g}", apart),
        Cell(_interval(over_repeats)),
        Cell(_interval(samples)),
        Cell("–") if p is None else Cell(f"{p:.2g}", p),
    ]


def _over_repeats(
    study: Studied, mine: list[float], theirs: list[float]
) -> tuple[Estimate | None, float | None]:
    metric = study.metric(study.objective)
    limits = (-np.inf, np.inf) if metric is None else (metric.lowest, metric.highest)
    both = {name: mean_estimate(v, limits) for name, v in (("mine", mine), ("theirs", theirs))}
    found = compare(both, {"mine": limits, "theirs": limits})
    return (found[0].difference, found[0].p) if found else (None, None)


def _interval(found: Estimate | None) -> str:
    if found is None or found.low is None or found.high is None:
        return NOT_KNOWN
    return f"{found.low:+.3g} to {found.high:+.3g}"

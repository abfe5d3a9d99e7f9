"""A study's best repeat on its test split: how sure, how right, and pictures."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from iterate.reporting.charts.quality import reliability_chart, residual_chart, scatter_chart
from iterate.reporting.figures import number, percent
from iterate.reporting.studied import Studied
from iterate_core.data.inspect.predictions import class_colours
from iterate_core.data.inspect.targets import quantity
from iterate_core.engine.resolved import prepare
from iterate_core.errors import IterateError
from iterate_core.inference.judging.judged import Judgement, judge
from iterate_core.inference.judging.reliability import Reliability
from iterate_core.inference.judging.shown import ShownSample, show
from iterate_core.inference.judging.split import SplitPredictions
from iterate_core.inference.predictor import load_model
from iterate_core.plurals import counted
from iterate_core.recipe import Recipe
from iterate_core.tasks.sample_sums import SampleSums

SHOWN = 6
"""Samples of a kind that are drawn."""
_MOST_PLOTS = 6  # quantities with charts of their own

Watch = Callable[[int, int], None]
Floats = npt.NDArray[np.float64]


class Drawn(NamedTuple):
    """A sample as the page shows it.

    Attributes:
        name: Its identifier.
        pictures: Title, address and text of each.
        truth: In words; empty where pictures alone tell it.
        told: What the model says, likewise.
        score: How well it did, and how sure it was.
        right: Whether it is right as a whole; None where it is so in parts.
    """

    name: str
    pictures: list[tuple[str, Markup, str]]
    truth: str
    told: str
    score: str
    right: bool | None


class Kind(NamedTuple):
    """Samples of a kind: wrong ones, say."""

    title: str
    note: str
    samples: list[Drawn]


class Plots(NamedTuple):
    """Charts of one quantity."""

    title: str
    scatter: Markup
    residuals: Markup


@dataclass(frozen=True)
class Looked:
    """What the page shows of predictions.

    Attributes:
        model: Which repeat's.
        kinds: Pictures.
        legend: Class → colour, where pictures are coloured by it.
        key: What else is to be known of the colours; may be empty.
        reliability: Of probabilities; None of all else.
        diagram: The same drawn.
        over: What was counted for it.
        plots: Of quantities.
        share: Which share of all known quantities is drawn.
        more: How many further quantities have no charts.
    """

    model: str
    kinds: list[Kind]
    legend: list[tuple[str, str]]
    key: str
    reliability: Reliability | None = None
    diagram: Markup | None = None
    over: str = ""
    plots: tuple[Plots, ...] = ()
    share: str = ""
    more: int = 0


class Unseen(NamedTuple):
    """Why there are no predictions.

    Attributes:
        page: As the page says it, which others read elsewhere: no path of this machine.
        here: As it is said to who makes the page; empty where that is no more.
    """

    page: str
    here: str = ""


def look(study: Studied, watch: Watch | None = None) -> Looked | Unseen:
    """Predict the test split with a study's best repeat.

    Args:
        study: The study.
        watch: Told how many samples are done, and how many there are.
    """
    chosen = study.chosen
    if chosen is None:
        return Unseen("No repeat was tested, so there is no model to look at.")
    model, doing = str(chosen["folder"]), _MODEL
    try:
        predictor = load_model(study.place(chosen))
        doing = _READ
        recipe = Recipe.parse(predictor.description.recipe)
        doing = _DATA
        prepared = prepare(recipe)
        doing = _CHANGED
        split = SplitPredictions(predictor, prepared)
        doing = _READ
        said = None if watch is None else lambda done: watch(done, len(split))
        judgement = judge(split, said)
        if judgement is None:
            return Unseen("Predictions of this task have no pictures here.")
        return _looked(study, split, judgement, model)
    except IterateError as error:
        here = f"the test split could not be predicted: {error}"
        return Unseen(doing.format(model=model), here)


_MODEL = (
    "The model of the best repeat ({model}) was not at hand, or cannot be read, so the "
    "test split is not predicted. "
    "Make this page where the run's folder is whole."
)
_DATA = (
    "The training data were not at hand, so the test split is not predicted. "
    "Make this page where they are."
)
_CHANGED = (
    "The data, or the code, have changed since the model was trained on them, so the test split "
    "is not predicted."
)
_READ = "Predicting the test split failed; who made this page was told why."


def _looked(study: Studied, split: SplitPredictions, found: Judgement, model: str) -> Looked:
    scores = _scores(study, found, len(split))
    kinds = list(_kinds(split, found, scores))
    wanted = sorted({index for _, _, indices in kinds for index in indices})
    drawn = {one.index: one for one in show(split, wanted)}
    info, form = split.target.info, split.target.form
    coloured = form in ("mask", "objects")
    colours = class_colours(info, clear=form == "mask") if coloured else []
    return Looked(
        model=model,
        kinds=[
            Kind(title, note, [_drawn(drawn[i], found, scores, form) for i in indices])
            for title, note, indices in kinds
        ],
        legend=list(zip(info.classes, colours, strict=False)),
        key=_key(split, next(iter(drawn.values()), None)),
        reliability=found.reliability,
        diagram=None if found.reliability is None else reliability_chart(found.reliability),
        over=_over(split, found),
        plots=tuple(_plots(split, found)),
        share=percent(found.share, 1) if found.share < 1 else "",
        more=max(0, len(info.classes) - _MOST_PLOTS) if found.pairs is not None else 0,
    )


def _key(split: SplitPredictions, sample: ShownSample | None) -> str:
    """How pictures beside images are to be read."""
    if split.target.form == "mask":
        return "Where wrong: orange pixels are. What does not count is grey."
    if sample is None or sample.drawn_between is None:
        return ""
    low, high = sample.drawn_between
    name = quantity(split.target.info)
    return (
        f"{name}: from {number(low)} (dark) to {number(high)} (bright). Prediction − truth: blue "
        "where too low, red where too high. What is not known is grey."
    )


class _Scores(NamedTuple):
    """Of each sample: how good it is, larger is better, and how that is said.

    Attributes:
        name: Of the score.
        values: (samples,), NaN where a sample has none of its own.
        better: (samples,), likewise.
    """

    name: str
    values: Floats
    better: Floats


def _scores(study: Studied, found: Judgement, samples: int) -> _Scores:
    """By the objective's metric of each sample alone, where that is one; else by what is right."""
    if found.errors is not None:
        return _Scores("mean absolute error", found.errors, -found.errors)
    assert found.right is not None  # noqa: S101 - of all that have no errors
    metric = study.metric(study.objective)
    if metric is not None and metric.of_sums is not None and study.chosen is not None:
        files = dict(zip((one["folder"] for one in study.tested), study.sums, strict=True))
        try:
            sums = SampleSums.read(files[study.chosen["folder"]]).sums
        except IterateError:
            sums = np.empty((0, 0))
        if len(sums) == samples:
            values = np.asarray(metric.of_sums(sums.astype(np.float64)))
            if metric.mode == "max":
                # The least score although nothing is wrong: it is 0 / 0, there was nothing to find.
                nothing = (values <= metric.lowest) & ~(found.right < 1)
                values = np.where(nothing, np.nan, values)
            better = values if metric.mode == "max" else -values
            # Where all is right there is nothing worse than elsewhere, whatever a mean over
            # classes says that are not there.
            better = np.where((found.right == 1) & ~np.isnan(values), np.inf, better)
            return _Scores(metric.name, values, better)
    return _Scores("share right", found.right, found.right)


def _kinds(
    split: SplitPredictions, found: Judgement, scores: _Scores
) -> list[tuple[str, str, list[int]]]:
    """Which samples are drawn: title, note and indices of each kind."""
    if split.target.form == "index" and found.right is not None and found.certainty is not None:
        right = found.right == 1
        sure = found.certainty
        kinds = [
            (
                "Wrong",
                "The surest of those that are wrong.",
                _first(np.where(~right, -sure, np.nan)),
            ),
            ("Least certain", "Right or wrong.", _first(sure)),
            (
                "Right",
                "The surest of those that are right.",
                _first(np.where(right, -sure, np.nan)),
            ),
        ]
    else:
        note = f"By {scores.name} of each sample alone."
        if without := int(np.isnan(scores.values).sum()):
            has = "has" if without == 1 else "have"
            nothing = "nothing to find" if found.errors is None else "nothing known"
            note += f" {counted(without, 'sample')} with {nothing} {has} none."
        kinds = [
            ("Worst", note, _first(scores.better)),
            ("Best", note, _first(-scores.better)),
        ]
        if found.certainty is not None:
            kinds.insert(1, ("Least certain", "Whatever their score.", _first(found.certainty)))
    return [kind for kind in kinds if kind[2]]


def _first(values: Floats) -> list[int]:
    """The samples with the smallest values; those that are NaN do not count."""
    order = np.argsort(values, kind="stable")
    return [int(index) for index in order[:SHOWN] if not np.isnan(values[index])]


def _drawn(sample: ShownSample, found: Judgement, scores: _Scores, form: str) -> Drawn:
    value = scores.values[sample.index]
    told = f"{scores.name} –, nothing to find" if np.isnan(value) else None
    score = "" if form == "index" else told or f"{scores.name} {number(value)}"
    if found.certainty is not None and found.right is not None and form != "index":
        if scores.values is not found.right:
            score += f", right {percent(found.right[sample.index], 1)}"
        score += f", certainty {number(found.certainty[sample.index])}"
    whole = form == "index" and found.right is not None
    pictures = [
        (
            one.title,
            Markup("data:image/png;base64,") + base64.b64encode(one.png).decode("ascii"),
            f"{one.title} of test sample {sample.name}",
        )
        for one in sample.pictures
    ]
    return Drawn(
        sample.name,
        pictures,
        sample.truth or "",
        sample.told or "",
        score,
        bool(found.right[sample.index] == 1) if whole and found.right is not None else None,
    )


def _over(split: SplitPredictions, found: Judgement) -> str:
    """What reliability was counted over."""
    if found.reliability is None:
        return ""
    count = f"{int(found.reliability.counts.sum()):,}"
    if split.target.dense:
        return f"all {count} counted pixels of the test split"
    if not split.target.exclusive:
        return f"all {count} pairs of a test sample and a class"
    return f"all {count} test samples"


def _plots(split: SplitPredictions, found: Judgement) -> list[Plots]:
    if found.pairs is None:
        return []
    info, dense = split.target.info, split.target.dense
    rows = []
    for place, name in enumerate(info.classes[:_MOST_PLOTS]):
        pairs = found.pairs[found.pairs[:, 2] == place][:, :2]
        if len(pairs):
            said = quantity(info) if dense and place == 0 else name
            rows.append(Plots(said, scatter_chart(pairs, said), residual_chart(pairs, said)))
    return rows

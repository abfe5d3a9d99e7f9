"""Question and answer, and scores by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from iterate.reporting.figures import (
    NOT_KNOWN,
    count_text,
    estimate_text,
    number,
    percent,
    seconds_text,
    value_text,
)
from iterate.reporting.studied import Studied
from iterate.run.sample_intervals import over_samples
from iterate_core.plurals import counted
from iterate_core.tasks.per_class import score_names

Facts = list[tuple[str, str]]


class ScoreRow(NamedTuple):
    """A test metric.

    Attributes:
        name: As the engine calls it.
        meaning: Its definition; empty where it is not known.
        over_seeds: Mean over repeats with its interval.
        over_samples: The interval over test samples; a word where there is none.
    """

    name: str
    meaning: str
    over_seeds: str
    over_samples: str


class Cell(NamedTuple):
    """A figure in a table.

    Attributes:
        text: As it is shown.
        sort: What its column is sorted by; empty for a gap.
        title: What is told on hover.
        shade: How dark it is, 0 to 1; None for no shade.
    """

    text: str
    sort: Any = ""
    title: str = ""
    shade: float | None = None


class Confusion(NamedTuple):
    """A confusion matrix.

    Attributes:
        names: Of the classes.
        rows: Each true class's cells.
        repeats: Over how many repeats it is summed.
    """

    names: list[str]
    rows: list[list[Cell]]
    repeats: int


def question(study: Studied) -> Facts:
    """What was asked."""
    recipe, told = study.recipe or {}, study.told
    facts = [("Dataset", str(told["dataset"]))]
    if study.description is not None:
        info = study.description.info
        kind = "classes" if study.confusions or told["test_classes"] else "targets"
        facts.append(("Task", info.task.replace("_", " ")))
        facts.append((kind.capitalize(), f"{len(info.classes)}: {', '.join(info.classes)}"))
        sizes = ", ".join(f"{count:,} {_SPLITS[split]}" for split, count in info.sizes.items())
        dates = f", {info.frames} dates" if info.frames > 1 else ""
        bands = counted(len(study.description.bands), "band")
        facts.append(("Samples", f"{sizes}; {info.height} × {info.width} pixels, {bands}{dates}"))
    facts.append(("Backbone", str(told["backbone"])))
    better = "higher" if study.mode == "max" else "lower"
    metric = study.metric(study.objective)
    meaning = "" if metric is None else f" ({metric.meaning})"
    facts.append(("Objective", f"validation {study.objective}, {better} is better{meaning}"))
    epochs = (recipe.get("trainer") or {}).get("epochs")
    budget = f"{counted(told['trials_asked'], 'trial')} asked for"
    facts.append(("Budget", budget if epochs is None else f"{budget}, of {epochs} epochs at most"))
    if study.past is not None and study.past.space:
        facts.append(("Searched", ", ".join(_varied(study))))
    return facts


_SPLITS = {"train": "training", "val": "validation", "test": "test"}


def _varied(study: Studied) -> list[str]:
    assert study.past is not None  # noqa: S101 - asked by `question`
    return list(dict.fromkeys(parameter.key for _, parameter in study.past.space.all()))


def answer(study: Studied) -> Facts:
    """What was found."""
    told, best = study.told, study.best
    counts = told["trials"]
    trials = ", ".join(f"{counts[state]} {state}" for state in ("complete", "pruned", "failed"))
    facts = [("Trials", trials)]
    if told.get("stopped"):
        facts.append(("Search ended", str(told["stopped"])))
    if best is not None:
        facts.append(("Best trial", f"{best['number']}: {study.objective} {number(best['value'])}"))
        facts += [(key, value_text(value)) for key, value in best["params"].items()]
    repeats = told["repeats"]
    failed = sum("failure" in one for one in repeats)
    lost = f", {failed} failed" if failed else ""
    facts.append(("Repeats", f"{len(study.tested)} tested{lost}"))
    whole = "Run: wall time" if not study.alone else "Wall time"
    facts.append((whole, seconds_text(study.whole["wall_seconds"])))
    facts.append(("Worker time", seconds_text(study.whole["worker_seconds"])))
    return facts


def headline(study: Studied) -> tuple[str, str]:
    """The objective's metric on the test split, and how sure that is."""
    test = study.told["test"].get(study.objective)
    if test is None or test["mean"] is None:
        best = study.best
        value = None if best is None else best["value"]
        return number(value), f"validation {study.objective} of the best trial; not tested"
    over = "" if test["low"] is None else f"95 % interval {number(test['low'])} to "
    over += "" if test["low"] is None else f"{number(test['high'])} over "
    repeats = counted(test["n"], "repeat")
    return number(test["mean"]), f"test {study.objective}, {over}{repeats}"


def score_rows(study: Studied) -> list[ScoreRow]:
    """All test metrics, the objective's first."""
    rows = []
    for name, told in study.told["test"].items():
        metric = study.metric(name)
        meaning = "" if metric is None else metric.meaning
        rows.append(ScoreRow(name, meaning, estimate_text(told), _over_samples(study, name)))
    return rows


def _over_samples(study: Studied, name: str) -> str:
    files = study.sums
    found = over_samples(files, name) if files else None
    if found is None or found.low is None or found.high is None:
        return NOT_KNOWN
    return f"{number(found.low)} to {number(found.high)}"


def class_table(study: Studied) -> tuple[list[str], list[list[Cell]]]:
    """Heads, and a row a class: how often it is there and how well it is found."""
    classes = study.told["test_classes"]
    if not classes:
        return [], []
    names = score_names(classes[0])
    rows = [
        [
            Cell(str(one["name"]), str(one["name"])),
            Cell(count_text(one["support"]), one["support"]),
            *(_score(one[name]) for name in names),
        ]
        for one in classes
    ]
    return ["Class", "There", *(_HEADS.get(name, name) for name in names)], rows


_HEADS = {
    "iou": "IoU",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "ap": "AP",
    "ap_50": "AP at 0.5",
}


def _score(value: float | None) -> Cell:
    if value is None:
        return Cell("–", title="it neither occurs nor is predicted")
    return Cell(f"{value:.3f}", value, shade=min(max(value, 0.0), 1.0))


def confusion(study: Studied) -> Confusion | None:
    """How often each class is taken for which; None where classes do not exclude each other."""
    found: Sequence[Any] = study.confusions
    if not found or study.description is None:
        return None
    names = list(study.description.info.classes)
    try:
        counts = np.sum([np.asarray(one, dtype=np.int64) for one in found], axis=0)
    except ValueError:
        return None
    if counts.shape != (len(names), len(names)):
        return None
    totals = counts.sum(axis=1)
    rows = [
        [_confused(int(count), int(total), (names[i], names[j])) for j, count in enumerate(row)]
        for i, (row, total) in enumerate(zip(counts, totals, strict=True))
    ]
    return Confusion(names, rows, len(found))


def _confused(count: int, total: int, pair: tuple[str, str]) -> Cell:
    true, told = pair
    title = f"true {true}, predicted {told}: {count:,} of {total:,}"
    if not total:
        return Cell("–", title=title)
    share = count / total
    text = "·" if count == 0 else "<1" if share < 0.005 else f"{100 * share:.0f}"
    return Cell(text, share, f"{title} ({percent(share, 1)})", share)

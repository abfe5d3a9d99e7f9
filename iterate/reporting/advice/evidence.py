"""What the rules are asked of a study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from iterate.hpo.space import Space
from iterate.reporting.advice import rules
from iterate.reporting.advice.rules import Advice
from iterate.reporting.studied import Studied
from iterate_core.inference.judging.reliability import Reliability


def advice_of(study: Studied, reliability: Reliability | None) -> list[Advice]:
    """All that the rules say of a study, what promises most first.

    Args:
        study: What was found.
        reliability: Of its best repeat on the test split; None where not known.
    """
    found: dict[str, Advice] = {}
    for one in _asked(study, reliability):
        if one is None:
            continue
        before = found.get(one.what)
        why = one.why if before is None else f"{before.why} And {one.why}"
        found[one.what] = replace(one, why=why)
    return list(found.values())


def _asked(study: Studied, reliability: Reliability | None) -> Iterator[Advice | None]:
    told, best = study.told, study.best
    counts = told["trials"]
    ended = sum(counts.values())
    reasons = [one["failure"] for one in told["all_trials"] if one["failure"]]
    yield rules.fails_often(counts["failed"], ended, reasons[0] if reasons else None)
    ends = [one["epochs"] for one in told["all_trials"] if one["state"] == "pruned"]
    yield rules.pruned_early(ends, ended, "search.scheduler.min_epochs")
    if best is None:
        return
    yield from _of_point(study, best["params"])
    yield from _of_best(study, best["number"])
    tunings = _tunings(study)
    backbone = _at(study.recipe, "model", "backbone", "weights")
    yield rules.never_frozen(tunings, None if backbone is None else str(backbone))
    test = told["test"].get(study.objective)
    if test is not None:
        yield rules.wide_interval(test["mean"], test["low"], test["high"], test["n"], _span(study))
    loss = _at(study.recipe, "loss") or {}
    weighted = bool(loss.get("class_weights")) or loss.get("name") not in ("default", *_WEIGHING)
    yield rules.misses_rare(told["test_classes"], weighted)
    if reliability is not None:
        smoothing = loss.get("label_smoothing")
        found = reliability.error, reliability.surplus
        yield rules.badly_calibrated(*found, smoothing, few=reliability.few)


_WEIGHING = ("cross_entropy", "binary_cross_entropy")


def _of_point(study: Studied, point: dict[str, Any]) -> Iterator[Advice | None]:
    """The edges of the space, and what hardly counts in it."""
    if study.past is None:
        return
    complete = study.told["trials"]["complete"]
    for key, dimension in _active(study.past.space, point):
        yield rules.at_the_edge(key, dimension, point[key], complete)
    yield rules.hardly_matters(study.plotted.importances, complete, point)


def _active(space: Space, point: dict[str, Any]) -> list[tuple[str, Any]]:
    """The dimensions that hold at a point, by their keys."""
    plain = {key: tuple(v) if isinstance(v, list) else v for key, v in point.items()}
    try:
        return [(p.key, p.dimension) for p in space.active(plain).values() if p.key in point]
    except ValueError:  # a point that another program told of
        return []


def _of_best(study: Studied, number: int) -> Iterator[Advice | None]:
    """How the best trial learnt."""
    past = study.past
    view = None if past is None else next((t for t in past.trials if t.number == number), None)
    if view is None:
        return
    epochs = _at(study.recipe, "trainer", "epochs")
    yield rules.still_improving(dict(view.curve), study.mode, epochs)
    curve = view.curve
    if not curve:
        return
    best = (max if study.mode == "max" else min)(curve, key=lambda epoch: curve[epoch])
    metrics = view.epochs().get(best, {"metrics": {}})["metrics"]
    train, val = (metrics.get(f"{split}/{study.objective}") for split in ("train", "val"))
    tuning = _at(study.recipe, "tuning", "name")
    yield rules.overfits(train, val, study.mode, _span(study), tuning)


def _span(study: Studied) -> float:
    metric = study.metric(study.objective)
    return float("inf") if metric is None else metric.highest - metric.lowest


def _tunings(study: Studied) -> set[str]:
    fixed = _at(study.recipe, "tuning", "name")
    found = {one["params"].get("tuning", fixed) for one in study.told["all_trials"]}
    return {str(one) for one in found if one is not None}


def _at(recipe: Any, *path: str) -> Any:
    for key in path:
        recipe = recipe.get(key) if isinstance(recipe, dict) else None
    return recipe

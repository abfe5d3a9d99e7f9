"""What a study found, read from its ledger: for the summary, the table and the mirror."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from scipy import stats

from iterate.core.check import declaration_of
from iterate.core.identity import seed_for
from iterate.core.recipe import Recipe
from iterate.core.ties import tied
from iterate.search.budget import failing_for_one_reason
from iterate.search.ledger import Ledger


@dataclass(frozen=True)
class Interval:
    """A mean over repeats with its 95 % confidence interval (Student's t).

    Attributes:
        low: Lower end; None where the spread is not known: with fewer than two repeats, and where
            all of them tie, which would give an interval of width zero.
        high: Upper end; None as above.
        n: Number of repeats.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


def interval(values: Sequence[float], lowest: float, highest: float) -> Interval:
    """Mean and 95 % interval of a few independent repeats.

    Args:
        values: One a repeat.
        lowest: The interval is cut where no value can be; the truth is not there either.
        highest: See `lowest`.
    """
    mean = float(np.mean(values))
    unknown = Interval(mean, None, None, len(values))
    if len(values) < 2 or tied(values):
        return unknown
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    low, high = max(lowest, mean - half), min(highest, mean + half)
    return replace(unknown, low=low, high=high) if low < high else unknown


def best_recipe(ledger: Ledger) -> Recipe | None:
    """The recipe of the best trial, under that trial's seed; None while there is none."""
    best = ledger.best()
    if best is None:
        return None
    seed = seed_for(ledger.study.name, ledger.study.settings.seed, "trial", best.number)
    return ledger.study.recipe_at(ledger.point(best), seed)


def test_intervals(ledger: Ledger) -> dict[str, Interval]:
    """Each test metric over the repeats of the best point."""
    best = ledger.best()
    done = [] if best is None else [t for t in ledger.repeats_of(best) if _tested(t)]
    names = sorted({name for trial in done for name in trial.user_attrs["test"]})
    task = declaration_of(ledger.study.task)
    intervals: dict[str, Interval] = {}
    for name in names:
        metric = task.metric(name.removeprefix("test/"))
        bounds = (-math.inf, math.inf) if metric is None else (metric.lowest, metric.highest)
        values = [trial.user_attrs["test"][name] for trial in done]
        intervals[name.removeprefix("test/")] = interval(values, *bounds)
    return intervals


def failure_of(ledger: Ledger) -> str | None:
    """Why the study found nothing; None if it found something."""
    if ledger.best() is not None:
        return None
    trials = ledger.history("trial")
    if not any(trial.state.is_finished() for trial in trials):
        return None
    one = failing_for_one_reason(ledger.study.settings, trials)
    if one is not None:
        return f"every trial failed for one reason: {one}"
    reasons = sorted({str(trial.user_attrs.get("failure", "pruned")) for trial in trials})
    return "no trial finished: " + "; ".join(reasons)


def importances(ledger: Ledger) -> dict[str, float]:
    """How much of the objective's spread each parameter explains (PED-ANOVA, Watanabe 2023).

    Empty where there is too little to tell: fewer than four finished trials, no better ones among
    them, or no parameter that all of them share and that varies.
    """
    study = ledger.optuna_study
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < 4:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.filterwarnings("error", "Target and region quantiles", UserWarning)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        try:
            return optuna.importance.get_param_importances(study, evaluator=evaluator)
        except (RuntimeError, ValueError, UserWarning):
            return {}


def summarise(ledgers: Sequence[Ledger]) -> dict[str, Any]:
    """The content of ``summary.json``; its form is an interface."""
    return {
        "studies": [_summary(ledger) for ledger in ledgers],
        "wall_seconds": round(max((ledger.wall_seconds for ledger in ledgers), default=0.0), 3),
        "worker_seconds": round(sum(ledger.worker_seconds for ledger in ledgers), 3),
        "train_seconds": round(sum(train_seconds(ledger) for ledger in ledgers), 3),
    }


def train_seconds(ledger: Ledger) -> float:
    """Wall time of all epochs trained and validated, counted once."""
    trials = [*ledger.history("trial"), *ledger.history("repeat")]
    return float(sum(epoch["seconds"] for trial in trials for epoch in epochs_of(trial).values()))


def epochs_of(trial: FrozenTrial) -> dict[int, dict[str, Any]]:
    """What was noted of each epoch, by its number."""
    noted = {
        int(key.removeprefix("epoch:")): value
        for key, value in trial.user_attrs.items()
        if key.startswith("epoch:")
    }
    return dict(sorted(noted.items()))


def _summary(ledger: Ledger) -> dict[str, Any]:
    study, best = ledger.study, ledger.best()
    trials = ledger.history("trial")
    repeats = [] if best is None else ledger.repeats_of(best)
    return {
        "name": study.name,
        "dataset": study.dataset,
        "backbone": _backbone(ledger),
        "objective": {"metric": study.objective.metric, "mode": study.objective.mode},
        "trials": {
            "complete": _count(trials, TrialState.COMPLETE),
            "pruned": _count(trials, TrialState.PRUNED),
            "failed": _count(trials, TrialState.FAIL),
        },
        "best": None
        if best is None
        else {"number": best.number, "value": best.value, "params": dict(ledger.point(best))},
        "repeats": [_repeat(trial) for trial in repeats],
        "test": {name: vars(value) for name, value in test_intervals(ledger).items()},
        "stopped": ledger.stop_reason,
        "failure": failure_of(ledger),
    }


def _backbone(ledger: Ledger) -> str:
    """The best recipe's backbone: the space may vary it."""
    recipe = best_recipe(ledger)
    return ledger.study.backbone if recipe is None else recipe.model.backbone.name


def _repeat(trial: FrozenTrial) -> dict[str, Any]:
    metrics = {"val": trial.value} if trial.value is not None else {}
    metrics |= trial.user_attrs.get("test", {})
    failure = trial.user_attrs.get("failure")
    row = {"seed": trial.user_attrs.get("seed"), "metrics": metrics}
    return row if failure is None else row | {"failure": failure}


def _tested(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE and "test" in trial.user_attrs


def _count(trials: Sequence[FrozenTrial], state: TrialState) -> int:
    return sum(trial.state == state for trial in trials)

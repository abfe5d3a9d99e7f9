"""What a study found, read from its ledger: for the summary, the table and the mirror."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from iterate.hpo.classwise import mean_over_repeats, tested_classes
from iterate.hpo.ledger import Ledger
from iterate.statistics.intervals import mean_estimate
from iterate_core.engine.complete import declaration_of
from iterate_core.recipe import Recipe
from iterate_core.tasks.declarations import TaskDeclaration


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
    found = mean_estimate(values, (lowest, highest))
    return Interval(found.value, found.low, found.high, len(values))


def best_recipe(ledger: Ledger) -> Recipe | None:
    """What the best trial trained, with its own seed and threads; None while there is none."""
    best = ledger.best()
    if best is None:
        return None
    begun = best.user_attrs
    return ledger.study.trial_recipe(ledger.point(best), begun["seed"], begun.get("threads"))


def test_intervals(ledger: Ledger) -> dict[str, Interval]:
    """Each test metric over the repeats of the best point."""
    best = ledger.best()
    done = [] if best is None else [t for t in ledger.repeats_of(best) if _tested(t)]
    names = {name.removeprefix("test/") for trial in done for name in trial.user_attrs["test"]}
    task = declaration_of(ledger.study.task)
    intervals: dict[str, Interval] = {}
    for name in in_order(names, ledger.study.objective.metric, task):
        metric = task.metric(name)
        bounds = (-math.inf, math.inf) if metric is None else (metric.lowest, metric.highest)
        values = [trial.user_attrs["test"][f"test/{name}"] for trial in done]
        intervals[name] = interval(values, *bounds)
    return intervals


def in_order(names: Collection[str], objective: str | None, task: TaskDeclaration) -> list[str]:
    """Names of metrics as tables show them: the objective's, then as the task declares them."""
    declared = [objective, *(metric.name for metric in task.metrics)]
    first = [name for name in dict.fromkeys(declared) if name is not None and name in names]
    return [*first, *sorted(set(names) - set(first))]


def failure_of(ledger: Ledger) -> str | None:
    """Why the study found nothing, or why its search broke off; None if all is well."""
    if (failing := ledger.failing) is not None:
        return f"every trial failed for one reason: {failing}"
    if ledger.best() is not None:
        return None
    ended = [trial for trial in ledger.history("trial") if trial.state.is_finished()]
    reasons = {str(trial.user_attrs.get("failure", "pruned")) for trial in ended}
    if (stopped := ledger.stop_reason) is not None:
        return "; ".join([f"no trial finished, and {stopped}", *sorted(reasons)])
    return "no trial finished: " + "; ".join(sorted(reasons)) if reasons else None


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
        "wall_seconds": round(
            max((ledger.account.wall_seconds for ledger in ledgers), default=0.0), 3
        ),
        "worker_seconds": round(sum(ledger.account.worker_seconds for ledger in ledgers), 3),
        "train_seconds": round(sum(train_seconds(ledger) for ledger in ledgers), 3),
    }


def train_seconds(ledger: Ledger) -> float:
    """Wall time of all epochs trained and validated, counted once."""
    trials = [*ledger.history("trial"), *ledger.history("repeat")]
    return float(sum(epoch["seconds"] for trial in trials for epoch in epochs_of(trial).values()))


def threads_of(ledger: Ledger) -> list[int]:
    """With how many CPU threads the study's trials and repeats trained; one number, as a rule."""
    trials = [*ledger.history("trial"), *ledger.history("repeat")]
    return sorted({t.user_attrs["threads"] for t in trials if "threads" in t.user_attrs})


def epochs_of(trial: FrozenTrial, after: int = 0) -> dict[int, dict[str, Any]]:
    """What was noted of each epoch, by its number; only of those that follow `after`, if given."""
    if after:
        later = range(after + 1, (trial.last_step or 0) + 1)
        keys = {number: f"epoch:{number}" for number in later}
        return {n: trial.user_attrs[key] for n, key in keys.items() if key in trial.user_attrs}
    noted = {
        int(key.removeprefix("epoch:")): value
        for key, value in trial.user_attrs.items()
        if key.startswith("epoch:")
    }
    return dict(sorted(noted.items()))


def _summary(ledger: Ledger) -> dict[str, Any]:
    study, best = ledger.study, ledger.best()
    trials = ledger.history("trial")
    rows = [] if best is None else [_repeat(ledger, one) for one in ledger.repeats_of(best)]
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
        "trials_asked": ledger.trials_asked,
        "best": None if best is None else _best(ledger, best),
        "repeats": rows,
        "test": {name: vars(value) for name, value in test_intervals(ledger).items()},
        "test_classes": mean_over_repeats([row["classes"] for row in rows if "classes" in row]),
        "all_trials": [_trial(ledger, trial) for trial in trials],
        "stopped": ledger.stop_reason,
        "worked_seconds": round(ledger.account.worked_seconds, 3),
        "failure": failure_of(ledger),
    }


def _backbone(ledger: Ledger) -> str:
    """The best recipe's backbone: the space may vary it."""
    recipe = best_recipe(ledger)
    return ledger.study.backbone if recipe is None else recipe.model.backbone.name


def _best(ledger: Ledger, best: FrozenTrial) -> dict[str, Any]:
    begun = best.user_attrs
    return {
        "number": best.number,
        "value": best.value,
        "params": dict(ledger.point(best)),
        "seed": begun.get("seed"),
        "threads": begun.get("threads"),
    }


def _repeat(ledger: Ledger, trial: FrozenTrial) -> dict[str, Any]:
    metrics = {"val": trial.value} if trial.value is not None else {}
    metrics |= trial.user_attrs.get("test", {})
    failure = trial.user_attrs.get("failure")
    row = {
        "index": trial.user_attrs["index"],
        "seed": trial.user_attrs.get("seed"),
        "folder": ledger.job_folder("repeat", trial).relative_to(ledger.folder).as_posix(),
        "metrics": metrics,
    }
    if failure is not None:
        return row | {"failure": failure}
    return row | tested_classes(ledger, trial) if _tested(trial) else row


def _trial(ledger: Ledger, trial: FrozenTrial) -> dict[str, Any]:
    """One trial, finished or not."""
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": best_value(trial),
        "params": dict(ledger.point(trial)),
        "seed": trial.user_attrs.get("seed"),
        "threads": trial.user_attrs.get("threads"),
        "epochs": len(epochs_of(trial)),
        "failure": trial.user_attrs.get("failure"),
    }


def best_value(trial: FrozenTrial) -> float | None:
    """The objective at its best epoch so far; None of a failed trial, or before any epoch."""
    if trial.state == TrialState.COMPLETE:
        return trial.value
    epochs = epochs_of(trial)
    if trial.state == TrialState.FAIL or not epochs:
        return None
    return float(epochs[max(epochs)]["best"])


def _tested(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE and "test" in trial.user_attrs


def _count(trials: Sequence[FrozenTrial], state: TrialState) -> int:
    return sum(trial.state == state for trial in trials)

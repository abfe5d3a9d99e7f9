"""What a study found, read from its ledger: for the summary, the table and the mirror."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from iterate.hpo.classwise import mean_over_repeats, tested_classes
from iterate.hpo.ledger import Ledger
from iterate.hpo.trials.draws import seed_of
from iterate.hpo.trials.view import TrialView
from iterate.states import State
from iterate.statistics.intervals import mean_estimate
from iterate_core.engine.complete import declaration_of
from iterate_core.recipe import Recipe
from iterate_core.tasks.declarations import TaskDeclaration
from iterate_core.tasks.metrics import as_json


@dataclass(frozen=True)
class Interval:
    """A mean over repeats with its 95 % confidence interval (Student's t).

    Attributes:
        mean: None of a metric that the test split does not define.
        low: Lower end; None where the spread is not known: with fewer than two repeats, and where
            all of them tie, which would give an interval of width zero.
        high: Upper end; None as above.
        n: Number of repeats; those in which the metric is not defined do not count.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int


def interval(values: Sequence[float], lowest: float, highest: float) -> Interval:
    """Mean and 95 % interval of a few independent repeats.

    Args:
        values: One a repeat, not finite where it is not defined.
        lowest: The interval is cut where no value can be; the truth is not there either.
        highest: See `lowest`.
    """
    defined = [value for value in values if math.isfinite(value)]
    if not defined:
        return Interval(None, None, None, 0)
    found = mean_estimate(defined, (lowest, highest))
    return Interval(found.value, found.low, found.high, len(defined))


def best_recipe(ledger: Ledger) -> Recipe | None:
    """What the best trial trained, with its own seed and threads; None while there is none."""
    best = ledger.best()
    if best is None:
        return None
    # One that another program has told of has no seed; ours is what it would have had.
    seed = seed_of(ledger.study, "trial", best.number) if best.seed is None else best.seed
    return ledger.study.trial_recipe(ledger.point(best), seed, best.threads)


def test_intervals(ledger: Ledger) -> dict[str, Interval]:
    """Each test metric over the repeats of the best point."""
    best = ledger.best()
    done = [] if best is None else [t for t in ledger.repeats_of(best) if _tested(t)]
    names = {name.removeprefix("test/") for trial in done for name in trial.test}
    task = declaration_of(ledger.study.task)
    intervals: dict[str, Interval] = {}
    for name in in_order(names, ledger.study.objective.metric, task):
        metric = task.metric(name)
        bounds = (-math.inf, math.inf) if metric is None else (metric.lowest, metric.highest)
        values = [trial.test[f"test/{name}"] for trial in done]
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
        return f"every trial failed for one kind of reason, such as: {failing}"
    if ledger.best() is not None:
        return None
    ended = [trial for trial in ledger.history("trial") if trial.finished]
    reasons = {trial.failure or "pruned" for trial in ended}
    if (stopped := ledger.stop_reason) is not None:
        return "; ".join([f"no trial finished, and {stopped}", *sorted(reasons)])
    return "no trial finished: " + "; ".join(sorted(reasons)) if reasons else None


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
    return float(sum(trial.train_seconds for trial in trials))


def threads_of(ledger: Ledger) -> list[int]:
    """With how many CPU threads the study's trials and repeats trained; one number, as a rule."""
    trials = [*ledger.history("trial"), *ledger.history("repeat")]
    return sorted({trial.threads for trial in trials if trial.threads is not None})


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
            "complete": _count(trials, "COMPLETE"),
            "pruned": _count(trials, "PRUNED"),
            "failed": _count(trials, "FAIL"),
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


def _best(ledger: Ledger, best: TrialView) -> dict[str, Any]:
    return {
        "number": best.number,
        "value": best.value,
        "params": dict(ledger.point(best)),
        "seed": best.seed,
        "threads": best.threads,
        "parameters": _parameters(best),
    }


def _parameters(trial: TrialView) -> dict[str, int] | None:
    """Of its model; None where it has not said."""
    counts = trial.parameters
    return None if counts is None else {"trained": counts[0], "total": counts[1]}


def _repeat(ledger: Ledger, trial: TrialView) -> dict[str, Any]:
    validated = {} if trial.value is None else {"val": trial.value}
    row = {
        "index": trial.index,
        "seed": trial.seed,
        "folder": ledger.job_folder(trial).relative_to(ledger.folder).as_posix(),
        "metrics": as_json({**validated, **trial.test}),
    }
    if trial.failure is not None:
        return row | {"failure": trial.failure}
    return row | tested_classes(ledger, trial) if _tested(trial) else row


def _trial(ledger: Ledger, trial: TrialView) -> dict[str, Any]:
    """One trial, finished or not."""
    return {
        "number": trial.number,
        "state": trial.state.lower(),
        "value": trial.best_value,
        "params": dict(ledger.point(trial)),
        "seed": trial.seed,
        "threads": trial.threads,
        "parameters": _parameters(trial),
        "epochs": len(trial.epochs()),
        "failure": trial.failure,
    }


def _tested(trial: TrialView) -> bool:
    return trial.state == "COMPLETE" and bool(trial.test)


def _count(trials: Sequence[TrialView], state: State) -> int:
    return sum(trial.state == state for trial in trials)

"""When a study's search has had enough."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from iterate.core.objective import Objective
from iterate.search.settings import SearchSettings


def stop_reason(
    settings: SearchSettings,
    objective: Objective,
    trials: Sequence[FrozenTrial],
    hours: float,
    size: int | None,
) -> str | None:
    """Why no further point is drawn, or None while the search goes on.

    Args:
        settings: The budget.
        objective: Decides what an improvement is.
        trials: Every trial of the study so far.
        hours: Hours the study has been worked on, in all.
        size: Number of points of a grid; None where points do not run out.
    """
    drawn = [trial for trial in trials if trial.state != TrialState.WAITING]
    if (reason := failing_for_one_reason(settings, trials)) is not None:
        return f"every trial failed for one reason: {reason}"
    if len(drawn) >= settings.trials:
        return f"all {settings.trials} trials were drawn"
    if size is not None and len(drawn) >= size:
        return f"all {size} points of the grid were drawn"
    if settings.hours is not None and hours >= settings.hours:
        return f"{settings.hours:g} hours have passed"
    if settings.patience is not None and _stale(objective, trials) >= settings.patience:
        return f"{settings.patience} finished trials in a row did not improve"
    return None


def failing_for_one_reason(settings: SearchSettings, trials: Sequence[FrozenTrial]) -> str | None:
    """The reason that every finished trial failed for, once there are enough of them."""
    ended = [trial for trial in trials if trial.state.is_finished()]
    reasons = {str(trial.user_attrs.get("failure")) for trial in ended}
    all_failed = all(trial.state == TrialState.FAIL for trial in ended)
    if len(ended) < settings.max_failures or not all_failed or len(reasons) > 1:
        return None
    return reasons.pop()


def _stale(objective: Objective, trials: Sequence[FrozenTrial]) -> int:
    """How many trials in a row, in the order in which they finished, were no improvement."""
    judged = (TrialState.COMPLETE, TrialState.PRUNED)
    ended = [t for t in trials if t.state in judged and t.datetime_complete is not None]
    ended.sort(key=lambda trial: (trial.datetime_complete, trial.number))
    best: float | None = None
    stale = 0
    for trial in ended:
        complete = trial.state == TrialState.COMPLETE
        if complete and trial.value is not None and objective.better(trial.value, best):
            best, stale = trial.value, 0
        else:
            stale += 1
    return stale

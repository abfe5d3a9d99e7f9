"""When a study's search has had enough."""

from __future__ import annotations

from collections.abc import Sequence

from iterate.hpo.failures import kind_of_trial
from iterate.hpo.settings import SearchSettings
from iterate.hpo.trials.view import TrialView
from iterate_core.objective import Objective
from iterate_core.plurals import counted


def stop_reason(
    settings: SearchSettings,
    objective: Objective,
    trials: Sequence[TrialView],
    hours: float,
    size: int | None,
    recent: Sequence[TrialView],
) -> str | None:
    """Why no further point is drawn, or None while the search goes on.

    Args:
        settings: The budget.
        objective: Decides what an improvement is.
        trials: Every trial of the study so far.
        hours: Hours the study has been worked on, in all.
        size: As `iterate.hpo.points.points_to_draw`; None where points do not run out.
        recent: The trials that ended since this command began.
    """
    drawn = [trial for trial in trials if trial.state != "WAITING"]
    if (reason := failing_for_one_reason(settings, recent)) is not None:
        return f"every trial failed for one kind of reason, such as: {reason}"
    if size == 1 and drawn:
        return "nothing varies, so one trial was made"
    if len(drawn) >= settings.trials:
        return f"all {counted(settings.trials, 'trial')} were drawn"
    if size is not None and len(drawn) >= size:
        return f"all {size} points of the grid were drawn"
    if settings.hours is not None and hours >= settings.hours:
        return f"it was worked on for its {counted(settings.hours, 'hour')}"
    if settings.patience is not None and _stale(objective, trials) >= settings.patience:
        return f"{counted(settings.patience, 'finished trial')} in a row did not improve"
    return None


def failing_for_one_reason(settings: SearchSettings, recent: Sequence[TrialView]) -> str | None:
    """The reason that every trial of this command failed for, once there are enough of them.

    An earlier command's failures may have been mended since, so they do not count.
    """
    if len(recent) < settings.max_failures:
        return None
    if any(trial.state != "FAIL" for trial in recent):
        return None
    if len({kind_of_trial(trial) for trial in recent}) > 1:
        return None
    return str(recent[-1].failure)


def _stale(objective: Objective, trials: Sequence[TrialView]) -> int:
    """How many trials in a row, in the order in which they finished, were no improvement."""
    judged = [trial for trial in trials if trial.state in ("COMPLETE", "PRUNED")]
    ended = [(trial.ended, trial.number, trial) for trial in judged if trial.ended is not None]
    best: float | None = None
    stale = 0
    for _, _, trial in sorted(ended, key=lambda one: one[:2]):
        complete = trial.state == "COMPLETE"
        if complete and trial.value is not None and objective.better(trial.value, best):
            best, stale = trial.value, 0
        else:
            stale += 1
    return stale

"""Rules from results to what to try next. Each is a pure function of plain values.

They are rules of thumb: each says what it saw, so that a reader can disagree. None says anything
where what it looks at is not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iterate.hpo.space import Categorical, Dimension
from iterate.reporting.figures import number, percent, value_text

_EDGE = 0.05  # of an interval, from which its end is near
_FEWEST_EPOCHS = 3
_GAP = 0.1  # of a metric's range, by which training may be better than validation
_LARGER = 1.25  # likewise of an error without an upper end, as a factor
_PRUNED = 2 / 3  # of all trials, from which many are pruned
_TOGETHER = 0.9  # of the pruned, from which all but a few ended at one epoch
_FEW_PRUNED = 3
_WIDE = 0.1  # of a metric's range, or of an error's mean, from which an interval is wide
_HARDLY = 0.02  # share of the spread that hardly counts …
_ENOUGH = 10  # … where so many trials finished
_FEWEST_TRIALS = 4  # that finished, from which the best one's place tells anything
_RARE = 0.5  # of the share that a class would have if all were equally frequent
_MISSED = 0.5  # recall below which a class is missed more often than found
_POOR = 0.05  # expected calibration error
_SMOOTHING = "loss.label_smoothing"


@dataclass(frozen=True)
class Advice:
    """Something to try.

    Attributes:
        what: To do, in the imperative.
        why: What in the results says so.
        key: The field of the recipe or search that it is about; empty where there is none.
    """

    what: str
    why: str
    key: str = ""


def at_the_edge(key: str, dimension: Dimension, best: Any, finished: int) -> Advice | None:
    """The best point lies at an end of what was searched: what lies beyond may be better.

    Args:
        key: The parameter.
        dimension: What was searched of it.
        best: Its value at the best point.
        finished: How many trials finished.
    """
    if finished < _FEWEST_TRIALS or isinstance(best, bool) or not isinstance(best, int | float):
        return None
    if isinstance(dimension, Categorical):
        values = [v for v in dimension.choices if isinstance(v, int | float)]
        if len(values) < max(3, len(dimension.choices)):
            return None
        share = 0.0 if best <= min(values) else 1.0 if best >= max(values) else 0.5
        ends = f"the {'smallest' if share == 0 else 'largest'} of its choices"
        low, high = float(min(values)), float(max(values))
    else:
        low, high = float(dimension.low), float(dimension.high)
        if high <= low:
            return None
        share = _share(float(best), low, high, log=dimension.log)
        ends = f"within {percent(_EDGE)} of the {'lower' if share < 0.5 else 'upper'} end"
        ends += f" of {number(low)} to {number(high)}" + (" (logarithmic)" if dimension.log else "")
    if share > _EDGE and share < 1 - _EDGE:
        return None
    if share <= _EDGE and low == 0:
        return None  # below nothing there is nothing
    side = "smaller" if share <= _EDGE else "larger"
    what = f"Widen {key} towards {side} values"
    return Advice(what, f"the best point has {value_text(best)}, {ends}.", key)


def still_improving(curve: Mapping[int, float], mode: str, epochs: int | None) -> Advice | None:
    """The best trial was best at its last epoch: it may not have been done learning.

    Args:
        curve: Epoch → objective of the best trial.
        mode: Of the objective.
        epochs: That it might train at most.
    """
    known = {epoch: value for epoch, value in curve.items() if math.isfinite(value)}
    if epochs is None or len(known) < _FEWEST_EPOCHS or max(known) < epochs:
        return None
    best = (max if mode == "max" else min)(known.values())
    first = min(epoch for epoch, value in known.items() if value == best)
    if first < max(known):
        return None
    what = "Train for more epochs"
    why = f"the best trial was best at epoch {first}, its last: it was still improving."
    return Advice(what, why, "trainer.epochs")


def overfits(
    train: float | None, val: float | None, mode: str, span: float, tuning: str | None
) -> Advice | None:
    """Training scores much better than validation: what is learnt does not carry over.

    Args:
        train: The objective's metric on training batches, at the best epoch of the best trial.
        val: On validation samples.
        mode: Of the objective.
        span: From the metric's least to its greatest value; infinite where it has no end.
        tuning: How the backbone is tuned; None where not known.
    """
    if train is None or val is None or not (math.isfinite(train) and math.isfinite(val)):
        return None
    gap = train - val if mode == "max" else val - train
    far = gap > _GAP * span if math.isfinite(span) else val > _LARGER * train > 0
    if gap <= 0 or not far:
        return None
    less = "" if tuning in (None, "frozen") else ", or fewer weights trained (tuning: frozen, lora)"
    what = f"Regularise: more augmentation, more weight decay or dropout{less}"
    why = f"at its best epoch training scored {number(train)}, validation {number(val)}."
    return Advice(what, why, "augmentation")


def pruned_early(ends: Sequence[int], finished: int, minimum: str) -> Advice | None:
    """Nearly all trials were pruned at the first epoch at which any was.

    Args:
        ends: The last epoch of each pruned trial.
        finished: Trials that ended in whichever way.
        minimum: The field that says when trials are first judged.
    """
    if len(ends) < _FEW_PRUNED or len(ends) < _PRUNED * finished:
        return None
    first = min(ends)
    together = sum(end == first for end in ends)
    if together < _TOGETHER * len(ends):
        return None
    epoch = f"epoch {first}"
    why = f"{together} of {finished} trials were pruned at {epoch}, the first they were judged at."
    return Advice("Judge trials later", why + " Slow starters had no chance.", minimum)


def wide_interval(
    mean: float | None, low: float | None, high: float | None, n: int, span: float
) -> Advice | None:
    """The test score is known badly, or by one repeat alone.

    Args:
        mean: Of the objective's metric over repeats.
        low: Lower end of its interval.
        high: Upper end.
        n: Repeats.
        span: See `overfits`.
    """
    if mean is None:
        return None
    if n < 2:
        return Advice("Repeat the best point", f"{n} repeat tells no spread.", "search.repeats")
    if low is None or high is None:
        return None
    width = high - low
    if width <= (_WIDE * span if math.isfinite(span) else _WIDE * abs(mean)):
        return None
    why = f"{n} repeats leave {number(low)} to {number(high)}; four times as many would halve that."
    return Advice("Take more repeats", why, "search.repeats")


def hardly_matters(
    importances: Mapping[str, float], finished: int, best: Mapping[str, Any]
) -> Advice | None:
    """Some parameters explain next to nothing of the spread: others deserve the trials."""
    idle = [key for key, share in importances.items() if share < _HARDLY and key in best]
    if finished < _ENOUGH or len(importances) < 2 or not idle or len(idle) == len(importances):
        return None
    named = ", ".join(f"{key} = {value_text(best[key])}" for key in idle)
    why = f"together they explain less than {percent(_HARDLY * len(idle))} of the spread."
    if len(idle) == 1:
        why = f"it explains {percent(importances[idle[0]], 1)} of the spread between trials."
    return Advice(f"Fix {named}", why, idle[0])


def misses_rare(classes: Sequence[Mapping[str, Any]], weighted: bool) -> Advice | None:
    """A rare class is missed more often than found, and nothing weighs it more.

    Args:
        classes: Each with ``name``, ``support`` and ``recall``.
        weighted: Whether the loss weighs classes.
    """
    total = sum(one["support"] for one in classes)
    if weighted or len(classes) < 2 or not total:
        return None
    rare = [
        one
        for one in classes
        if one.get("recall") is not None
        and one["recall"] < _MISSED
        and 0 < one["support"] < _RARE * total / len(classes)
    ]
    if not rare:
        return None
    worst = min(rare, key=lambda one: float(one["recall"]))
    share, recall = percent(worst["support"] / total, 1), percent(worst["recall"])
    why = f"class {worst['name']} is {share} of what is tested, and {recall} of it are found."
    what = "Weigh classes in the loss, or try focal or dice"
    return Advice(what, why, "loss.class_weights")


def badly_calibrated(
    error: float | None, surplus: float | None, smoothing: float | None, *, few: bool
) -> Advice | None:
    """What the model says it is sure of does not come true as often.

    Args:
        error: The expected calibration error.
        surplus: Mean confidence less the share that is right.
        smoothing: Of labels in the loss; None where the loss has none.
        few: Whether predictions are so few that chance alone makes an error.
    """
    if few or error is None or surplus is None or error <= _POOR:
        return None
    why = f"the expected calibration error is {number(error)}: probabilities are "
    if surplus > 0:
        what = "Smooth labels (loss=cross_entropy loss.label_smoothing=0.1), or train less long"
        return Advice(what, f"{why}too high by {number(surplus)} on average.", _SMOOTHING)
    why += f"too low by {number(-surplus)} on average."
    if smoothing:
        return Advice("Smooth labels less", why, _SMOOTHING)
    return Advice("Train for more epochs", why, "trainer.epochs")


def never_frozen(tunings: set[str], weights: str | None) -> Advice | None:
    """The whole backbone was always trained, though its weights are pretrained.

    Args:
        tunings: All that trials used.
        weights: Of the backbone.
    """
    if tunings != {"full"} or weights in (None, "", "none"):
        return None
    why = "every trial trained the whole backbone; keeping it is faster, and often as good."
    return Advice("Try tuning=frozen, or tuning=lora", why, "tuning")


def fails_often(failed: int, ended: int, reason: str | None) -> Advice | None:
    """Some trials failed: what they would have shown is missing."""
    if not failed:
        return None
    because = f" {reason.rstrip('.')}." if reason else ""
    told = f"{failed} of {ended} trials failed:{because}" if because else f"{failed} failed."
    return Advice("See why trials failed, and leave such points out of the space", told, "space")


def _share(value: float, low: float, high: float, *, log: bool) -> float:
    if log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)

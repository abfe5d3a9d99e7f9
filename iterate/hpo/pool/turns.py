"""Which of several studies gives the next job."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from iterate.hpo.ledger import Ledger
from iterate.hpo.points import trials_to_make
from iterate.hpo.settings import NoScheduler, samplers
from iterate.states import KINDS


def in_turn(ledgers: Iterable[Ledger]) -> list[Ledger]:
    """Studies in the order in which they are asked for a job.

    As many are at work at once as workers are, each with one job where that is possible: its
    sampler then knows most of what went before, and studies end one after another, the first early.
    One that has begun and has no job goes first, nearest to its end before others; so does one
    whose jobs need not know of each other, however many it has. Then comes one that has not begun,
    the longest first, in the order given where that is not known; and where all are at work, that
    of the fewest jobs and the most left to do, so that none forms a tail.

    How long a study takes is reckoned from its own trials, and before one has ended from its
    operations, at the pace of the others.
    """
    several = list(ledgers)
    means = {ledger.study.name: _mean_seconds(ledger) for ledger in several}
    pace = _pace(several, means)

    def seconds_left(ledger: Ledger) -> float:
        study = ledger.study
        return _left(ledger, _seconds(means[study.name], study.operations, pace))

    return sorted(several, key=lambda ledger: _turn(ledger, seconds_left(ledger)))


def _turn(ledger: Ledger, seconds_left: float) -> tuple[int, int, float]:
    if not ledger.begun("trial"):
        return 1, 0, -seconds_left
    running = len(ledger.running)
    if not running or _independent(ledger):
        return 0, 0, seconds_left
    return 2, running, -seconds_left


def _independent(ledger: Ledger) -> bool:
    """Whether nothing is lost where the next job begins before those that run have ended."""
    if ledger.stop_reason is not None:  # what is left are repeats
        return True
    settings = ledger.study.settings
    blind = bool(samplers.get(settings.sampler.name).facts.get("independent"))
    return blind and isinstance(settings.scheduler, NoScheduler) and settings.patience is None


def _seconds(measured: float | None, operations: float | None, pace: float) -> float:
    """Of a training; unknown counts as most."""
    if measured is not None:
        return measured
    return math.inf if operations is None else operations * pace


def _pace(ledgers: Iterable[Ledger], means: Mapping[str, float | None]) -> float:
    """Seconds an operation, of the trainings so far; 1 before any, where only ratios count."""
    done = [
        (seconds, ledger.study.operations)
        for ledger in ledgers
        if (seconds := means[ledger.study.name]) is not None and ledger.study.operations
    ]
    return sum(s for s, _ in done) / sum(o for _, o in done) if done else 1.0


def _mean_seconds(ledger: Ledger) -> float | None:
    """Of its trials so far; None before one has ended."""
    seconds = [trial.seconds for trial in ledger.history("trial") if trial.finished]
    known = [one for one in seconds if one]
    return sum(known) / len(known) if known else None


def _left(ledger: Ledger, seconds: float) -> float:
    """Seconds of the trials and repeats that a study has yet to train, each of so many."""
    settings = ledger.study.settings
    ended = sum(one.finished for kind in KINDS for one in ledger.history(kind))
    trainings = trials_to_make(settings, ledger.study.space) + settings.repeats - ended
    return trainings * seconds if trainings > 0 else 0.0

"""Which of several studies gives the next job."""

from __future__ import annotations

from collections.abc import Iterable

from iterate.hpo.ledger import Ledger
from iterate.hpo.points import trials_to_make


def in_turn(ledgers: Iterable[Ledger]) -> list[Ledger]:
    """Studies in the order in which they are asked for a job.

    As many are at work at once as workers are, each with one job where that is possible: its
    sampler then knows most of what went before, and studies end one after another, the first early.
    One that has begun and has no job goes first, nearest to its end before others; then comes one
    that has not begun, in the order given; and where all are at work, that of the fewest jobs and
    the most left to do, so that none forms a tail.
    """
    return sorted(ledgers, key=_turn)


def _turn(ledger: Ledger) -> tuple[int, int, float]:
    running = len(ledger.running)
    if running:
        return 2, running, -_seconds_left(ledger)
    if ledger.history("trial"):
        return 0, 0, _seconds_left(ledger)
    return 1, 0, 0.0


def _seconds_left(ledger: Ledger) -> float:
    """Seconds of training a study still needs by its trials so far; unknown counts as most."""
    ended = [trial.seconds for trial in ledger.history("trial") if trial.finished and trial.seconds]
    if not ended:
        return float("inf")
    mean = sum(ended) / len(ended)
    settings = ledger.study.settings
    trials = trials_to_make(settings, ledger.study.space)
    return mean * (trials - len(ended) + settings.repeats)

"""For how long a study has been worked on."""

from __future__ import annotations

import time

Span = tuple[float, float]


class Clock:
    """Wall time in which a worker was at one of a study's jobs at least.

    A second counts once, however many workers had a job of the study in it. Neither waiting for
    a worker counts nor what one does before it trains: a cold process imports libraries, and the
    dataset that it packs serves every study.

    Args:
        before: Seconds counted in earlier sessions.
    """

    def __init__(self, before: float = 0.0) -> None:
        self._before = before
        self._spans: list[Span] = []  # apart from each other, in order
        self._since: dict[str, float] = {}  # job → up to when its work is in `_spans`
        self._told: dict[str, float] = {}  # job → seconds of work it has told

    def begin(self, job: str) -> None:
        """A worker took the job up; it counts from its first report on, and anew."""
        self.end(job)

    def report(self, job: str, seconds: float) -> None:
        """A worker has worked on the job for so many seconds, up to now."""
        now = time.monotonic()
        fresh = max(0.0, seconds - self._told.get(job, 0.0))  # below 0 by rounding
        self._spans = _with(self._spans, (now - fresh, now))
        self._told[job], self._since[job] = seconds, now

    def end(self, job: str) -> None:
        """No worker has the job any longer."""
        self._since.pop(job, None)
        self._told.pop(job, None)

    @property
    def seconds(self) -> float:
        """So far; jobs that have not reported for a while count as worked on until now."""
        spans = self._spans
        if self._since:
            spans = _with(spans, (min(self._since.values()), time.monotonic()))
        return self._before + sum(end - start for start, end in spans)


def _with(spans: list[Span], one: Span) -> list[Span]:
    """The union of spans with one that ends no earlier than any of them."""
    start, end = one
    kept = len(spans)
    while kept and spans[kept - 1][1] >= start:
        kept -= 1
        start = min(start, spans[kept][0])
    return [*spans[:kept], (start, end)]

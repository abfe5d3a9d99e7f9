"""The time that a study has taken, in all the commands that continued it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from iterate.hpo.clock import Clock

# A session's time is kept at least this often, should the process be killed.
_SECONDS_BETWEEN_NOTES = 30.0


class Account:
    """Wall time, time worked, and time for which workers were held.

    Args:
        sessions: What earlier sessions came to, each as `keep` was given it; those of early
            versions lack the time worked.
        keep: Keeps what this session has come to: wall, worker and worked seconds.
        began: When this session began, on the monotonic clock; None is now.

    Attributes:
        continued: Whether there were earlier sessions.
    """

    def __init__(
        self,
        sessions: Sequence[Sequence[float]],
        keep: Callable[[list[float]], None],
        began: float | None = None,
    ) -> None:
        self._keep = keep
        self._began = time.monotonic() if began is None else began
        self._wall_before = sum(wall for wall, *_ in sessions)
        self.continued = bool(sessions)
        self._workers_before = sum(worker for _, worker, *_ in sessions)
        self._worked_before = float(sum(rest[0] if rest else wall for wall, _, *rest in sessions))
        self._clock = Clock(self._worked_before)
        self._workers = 0.0
        self._noted = time.monotonic()

    def begin(self, job: str) -> None:
        """A worker took the job up; it counts from its first report on."""
        self._clock.begin(job)

    def report(self, job: str, seconds: float) -> None:
        """A worker has worked on the job for so many seconds, up to now."""
        self._clock.report(job, seconds)

    def end(self, job: str, held_seconds: float) -> None:
        """No worker has the job any longer; one held it for so long."""
        self._clock.end(job)
        self._workers += held_seconds

    @property
    def wall_seconds(self) -> float:
        """Wall time of this session and the earlier ones."""
        return self._wall_before + time.monotonic() - self._began

    @property
    def worked_seconds(self) -> float:
        """Wall time in which a worker was at one of the study's jobs at least."""
        return self._clock.seconds

    @property
    def worker_seconds(self) -> float:
        """Time for which workers were held by jobs that ended."""
        return self._workers_before + self._workers

    def note_now_and_then(self) -> None:
        """Keep the time if that was not done for a while."""
        if time.monotonic() - self._noted >= _SECONDS_BETWEEN_NOTES:
            self.note()

    def note(self) -> None:
        """Keep the time that was spent so far; what comes after is lost if the process dies."""
        self._noted = time.monotonic()
        worked = self._clock.seconds - self._worked_before
        spent = [self._noted - self._began, self._workers, worked]
        self._keep([round(seconds, 3) for seconds in spent])

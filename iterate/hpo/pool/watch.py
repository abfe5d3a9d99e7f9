"""What nobody reports: trials past their time, workers gone silent, a command told to stop.

The pool turns its loop some ten times a second, and the watch looks at each turn.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from iterate.hpo.execute import SIGN_OF_LIFE
from iterate.hpo.jobs import Job
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.coordinator import Coordinator

_log = logging.getLogger(__name__)

# Between two looks at a job's sign of life, which may lie on a slow file system.
_SECONDS_BETWEEN_LOOKS = 5.0


@dataclass
class _Watched:
    """A worker that holds jobs.

    Attributes:
        file: Where it gives signs of life.
        began: When its worker took it up, on the monotonic clock.
        heard: When it last gave a sign of life.
        looked: When its file was last looked at.
        sign: What was seen there.
    """

    file: Path
    began: float
    heard: float
    looked: float
    sign: float | None = None

    def look(self, now: float) -> None:
        """Take a change of its file for a sign of life; clocks of machines are not compared."""
        if now - self.looked < _SECONDS_BETWEEN_LOOKS:
            return
        self.looked = now
        with suppress(OSError):
            sign = self.file.stat().st_mtime
            if sign != self.sign:
                self.sign, self.heard = sign, now


class Watch:
    """Ends the jobs whose time is up and those that hang, and lets checks end the whole run.

    Args:
        coordinator: Whose jobs they are.
        checks: Called at each turn; what they raise ends the pool.
        end: Ends a worker, which would not listen; another takes the next jobs.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        checks: Sequence[Callable[[], None]],
        end: Callable[[str], None],
    ) -> None:
        self._coordinator = coordinator
        self._checks = checks
        self._end = end
        self._watched: dict[str, _Watched] = {}

    def began(self, trial_id: str, first: Job) -> None:
        """A worker took its jobs up, for the first time or after another died.

        Args:
            trial_id: Names what the worker holds.
            first: Of its jobs: where it gives signs of life.
        """
        self._coordinator.started(trial_id)
        if self._coordinator.held(trial_id) is not None:
            if trial_id in self._watched:
                _log.warning(
                    "the worker of %s has died, perhaps for want of memory; another goes on from "
                    "the last epoch", first.key,
                )  # fmt: skip
            now = time.monotonic()
            self._watched[trial_id] = _Watched(first.folder / SIGN_OF_LIFE, now, now, now)

    def heard(self, trial_id: str) -> None:
        """A report is a sign of life."""
        if trial_id in self._watched:
            self._watched[trial_id].heard = time.monotonic()

    def look(self) -> None:
        """Look at everything once; raises what a check raises."""
        for check in self._checks:
            check()
        for trial_id, watched in list(self._watched.items()):
            held = self._coordinator.held(trial_id)
            if held is None:  # it has ended
                del self._watched[trial_id]
            else:
                self._look_at(trial_id, watched, held[0])

    def _look_at(self, trial_id: str, watched: _Watched, ledger: Ledger) -> None:
        settings = ledger.study.settings
        now = time.monotonic()
        watched.look(now)
        held, silent = now - watched.began, now - watched.heard
        if settings.silence_minutes is not None and silent >= settings.silence_minutes * 60:
            self._coordinator.silent(trial_id, held)
        for job in self._open(trial_id):
            if _overdue(job, settings.trial_hours, ledger.running[job.key].trained_seconds):
                self._coordinator.out_of_time(trial_id, job, held)
        if not self._open(trial_id):
            self._end(trial_id)

    def _open(self, trial_id: str) -> Sequence[Job]:
        """A worker's jobs that have not ended."""
        found = self._coordinator.held(trial_id)
        return () if found is None else found[1]


def _overdue(job: Job, hours: float | None, seconds: float) -> bool:
    return job.kind == "trial" and hours is not None and seconds >= hours * 3600

"""What nobody reports: trials past their time, workers gone silent, a command told to stop.

Tune turns its loop some ten times a second, and the watch looks at each turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune

from iterate.hpo.execute import SIGN_OF_LIFE
from iterate.hpo.jobs import Job
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.coordinator import Coordinator

# Between two looks at a job's sign of life, which may lie on a slow file system.
_SECONDS_BETWEEN_LOOKS = 5.0


class Ended(BaseException):
    """A check ended the pool. Tune would meet an `Exception` by talking to Ray, dead or not.

    Attributes:
        reason: What the check raised.
    """

    def __init__(self, reason: Exception) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class _Watched:
    """A worker that holds jobs.

    Attributes:
        trial: As Tune knows it.
        file: Where it gives signs of life.
        began: When its worker took it up, on the monotonic clock.
        heard: When it last gave a sign of life.
        looked: When its file was last looked at.
        sign: What was seen there.
    """

    trial: Any
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


class Watch(tune.Callback):
    """Ends the jobs whose time is up and those that hang, and lets checks end the whole run.

    Args:
        coordinator: Whose jobs they are.
        checks: Called at each turn; what they raise ends the pool.
    """

    def __init__(self, coordinator: Coordinator, checks: Sequence[Callable[[], None]]) -> None:
        self._coordinator = coordinator
        self._checks = checks
        self._watched: dict[str, _Watched] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, as the coordinator."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:  # noqa: ARG002 - Ray's signature
        """A worker took the job up, for the first time or after another died."""
        self._coordinator.started(trial.trial_id)
        if self._coordinator.held(trial.trial_id) is not None:
            now = time.monotonic()
            first, *_ = trial.config["jobs"]
            file = first.folder / SIGN_OF_LIFE
            self._watched[trial.trial_id] = _Watched(trial, file, now, now, now)

    def on_trial_result(
        self,
        iteration: int,  # noqa: ARG002 - Ray's signature
        trials: list[Any],  # noqa: ARG002
        trial: Any,
        result: dict[str, Any],  # noqa: ARG002
        **_: Any,
    ) -> None:
        """A report is a sign of life."""
        if trial.trial_id in self._watched:
            self._watched[trial.trial_id].heard = time.monotonic()

    def on_step_begin(self, iteration: int, trials: list[Any], **_: Any) -> None:  # noqa: ARG002
        """Look at everything once."""
        try:
            for check in self._checks:
                check()
        except Exception as reason:
            raise Ended(reason) from reason
        for trial_id, watched in list(self._watched.items()):
            found = self._coordinator.held(trial_id)
            if found is None:  # it has ended
                del self._watched[trial_id]
            else:
                self._look_at(watched, found[0])

    def _look_at(self, watched: _Watched, ledger: Ledger) -> None:
        trial, settings = watched.trial, ledger.study.settings
        now = time.monotonic()
        watched.look(now)
        held, silent = now - watched.began, now - watched.heard
        if settings.silence_minutes is not None and silent >= settings.silence_minutes * 60:
            self._coordinator.silent(trial.trial_id, held)
        for job in self._open(trial):
            if _overdue(job, settings.trial_hours, ledger.running[job.key].trained_seconds):
                self._coordinator.out_of_time(trial.trial_id, job, held)
        if not self._open(trial):
            _end(trial)

    def _open(self, trial: Any) -> Sequence[Job]:
        """A worker's jobs that have not ended."""
        found = self._coordinator.held(trial.trial_id)
        return () if found is None else found[1]


def _overdue(job: Job, hours: float | None, seconds: float) -> bool:
    return job.kind == "trial" and hours is not None and seconds >= hours * 3600


def _end(trial: Any) -> None:
    """End a job's worker, which would not listen; another process takes the next job."""
    trial.max_failures = 0  # or Tune would begin the job again
    actor = trial.temporary_state.ray_actor
    if actor is not None:
        ray.kill(actor)

"""A job that a worker holds, and the writing down of what it tells."""

from __future__ import annotations

import time
from dataclasses import dataclass

import optuna

from iterate.hpo.jobs import Job, Progress
from iterate.hpo.trials.view import note, note_epoch
from iterate_core.engine.reports import EpochReport


@dataclass
class RunningJob:
    """A job being trained, and where its truth is kept.

    Attributes:
        since: From when its worker has trained it, on the monotonic clock; None before it does.
        trained_before: Seconds that other workers, and other commands, trained it.
        sharing: How many jobs its worker took up with it.
    """

    job: Job
    trial: optuna.Trial
    last_epoch: int
    held_seconds: float = 0.0
    device: str | None = None
    since: float | None = None
    trained_before: float = 0.0
    sharing: int = 1

    def take_up(self, trained_before: float) -> None:
        """A worker has the job, and prepares."""
        self.since, self.trained_before = None, trained_before

    @property
    def trained_seconds(self) -> float:
        """For how long it has trained up to now, in all sessions."""
        return self.trained_before + self.trained_here

    @property
    def trained_here(self) -> float:
        """Of that, by the worker that has it now."""
        return 0.0 if self.since is None else time.monotonic() - self.since

    def hear(self, progress: Progress) -> None:
        """Write down what a report tells besides epochs and ends."""
        self.held_seconds = max(self.held_seconds, progress.held_seconds)
        if progress.training or progress.reports or self.since is not None:
            self.since = time.monotonic() - progress.trained_seconds
        if progress.device is not None and progress.device != self.device:
            self.device = progress.device
            note(self.trial, device=self.device)
        if progress.parameters is not None:
            note(self.trial, parameters=progress.parameters)
        if progress.flops is not None:
            note(self.trial, flops=progress.flops)
        if progress.anew is not None:
            self.last_epoch = 0
            # Or `report` would keep the first value of an epoch.
            self.trial._cached_frozen_trial.intermediate_values.clear()
            note(self.trial, began_anew=progress.anew)

    def write(self, report: EpochReport) -> bool:
        """Write down one epoch; whether the scheduler stops the job there."""
        note_epoch(self.trial, report)
        self.last_epoch = report.epoch
        return self.job.kind == "trial" and not report.done and self.trial.should_prune()

"""What a study needs done next, and the writing down of what was done.

The storage alone decides what has happened (`iterate.hpo.trials.history`). A ledger opened on it
after any kind of stop goes on where the last one was: finished jobs stay finished, and jobs found
running were interrupted, so they are handed out again with the parameters they have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import optuna
from optuna.trial import TrialState

from iterate.hpo.failures import kind_of
from iterate.hpo.jobs import Job, Progress
from iterate.hpo.points import trials_to_make
from iterate.hpo.shares import Share
from iterate.hpo.storage.truth import Truth
from iterate.hpo.study import Study
from iterate.hpo.trials.draws import Draws
from iterate.hpo.trials.groups import Groups
from iterate.hpo.trials.running import RunningJob
from iterate.hpo.trials.search import Search
from iterate.hpo.trials.view import TrialView, note
from iterate.states import KINDS, Kind, State
from iterate_core.engine.reports import LAST
from iterate_core.errors import RequestError


class Ledger(Search):
    """One study at work. Used by the driver alone, from one thread.

    Args:
        study: What is asked.
        storage: Where the answers are; shared with the other studies of the run.
        folder: The study's folder; its jobs keep their checkpoints below it.
        began: When this session began, on the monotonic clock; None is now.

    Raises:
        RequestError: The storage holds another question under this name.
    """

    def __init__(
        self, study: Study, storage: Truth, folder: Path, began: float | None = None
    ) -> None:
        super().__init__(study, storage, folder, began)
        self.share: Share | None = None  # what its trials hold, once the pool's place is known
        self._draws = Draws(self)
        self._running: dict[str, RunningJob] = {}
        self._interrupted = [
            trial for kind in KINDS for trial in self.begun(kind) if trial.state == "RUNNING"
        ]
        self._complete_draws()
        self._set_aside: dict[str, RunningJob] = {}
        self._waits_for = ""
        self._groups = Groups(study, self.next_job)

    def _complete_draws(self) -> None:
        """Draw what trials lack that another program, or an older version, left half drawn."""
        for trial in self._interrupted:
            if trial.kind == "trial":
                with self._storage.together():
                    self._draws.point(self._draws.again(trial))

    @property
    def running(self) -> Mapping[str, RunningJob]:
        """Jobs that workers hold now, by job key."""
        return self._running

    # What to do next

    @property
    def finished(self) -> bool:
        """Whether nothing is being done and nothing is left to do."""
        return not self._set_aside and self._nothing_to_do

    @property
    def waits_for(self) -> str | None:
        """What the jobs set aside wait for, once all else is done; None if there is no such job."""
        return self._waits_for if self._set_aside and self._nothing_to_do else None

    @property
    def set_aside(self) -> Mapping[str, RunningJob]:
        """Jobs that the machine could not finish; the next command takes them up, by job key."""
        return self._set_aside

    @property
    def _nothing_to_do(self) -> bool:
        if self._running or self._interrupted or self.stop_reason is None:
            return False
        return self._searching or self._to_repeat() is None

    def next_job(self) -> Job | None:
        """The next job, now running; None while the study must wait, and once it is finished.

        A point without a legal recipe fails here, and the study goes on with the next one.
        """
        limit = self.study.resources.concurrent
        while limit is None or len(self._running) < limit:
            # A trial stands in the storage with all its parameters or not at all.
            with self._storage.together():
                started = self._next_trial()
                if started is None:
                    return None
                job = self._start(*started)
            if job is not None:
                return job
        return None

    def next_jobs(self, workers: int) -> tuple[Job, ...]:
        """The jobs that one of so many workers takes next; see `next_job`.

        They are several where their heads train together.
        """
        trials = trials_to_make(self.study.settings, self.study.space)
        left = trials - len(self.history("trial")) + len(self._interrupted) + self._groups.waiting
        return self._groups.next(most=math.ceil(left / workers))

    def _next_trial(self) -> tuple[Kind, optuna.Trial] | None:
        if self._interrupted:
            interrupted = self._interrupted.pop(0)
            return interrupted.kind, self._draws.again(interrupted)
        if self.stop_reason is None:
            return "trial", self._draws.trial()
        if not self._searching and (best := self._to_repeat()) is not None:
            return "repeat", self._draws.repeat(best)
        return None

    @property
    def _searching(self) -> bool:
        """Whether a trial may still become the best."""
        begun = [*self._running.values(), *self._set_aside.values()]
        return any(run.job.kind == "trial" for run in begun)

    def _to_repeat(self) -> TrialView | None:
        """The trial whose point is trained again, as the search ended; None once it was."""
        best = self.best()
        if best is None or self.failing is not None:
            return None
        left = self.study.settings.repeats - len(self.repeats_of(best))
        return best if left > 0 else None

    def _start(self, kind: Kind, trial: optuna.Trial) -> Job | None:
        """Make a job of an Optuna trial; None if its point has no legal recipe: it failed."""
        point, seed = self._draws.point_and_seed(kind, trial)
        try:
            job = self._draws.job(kind, trial, point, seed)
        except RequestError as error:
            failed = Progress(failure=str(error), failure_kind=kind_of(error))
            self._end(kind, trial, "FAIL", failed=failed)
            return None
        self._running[job.key] = RunningJob(job, trial, self.trial_of(job).last_epoch)
        return job

    # What has happened

    def started(self, key: str, sharing: int = 1) -> None:
        """A worker took a job up, and prepares: its time counts from when it trains.

        Args:
            key: The job's.
            sharing: How many jobs the worker took up at a time.
        """
        if key in self._running:
            run = self._running[key]
            run.sharing = sharing
            self._count(run)  # what the worker before it did not live to report
            run.take_up(self.trial_of(run.job).train_seconds)
            self.account.begin(key)

    def record(self, key: str, progress: Progress) -> bool:
        """Write down a job's progress.

        Returns:
            Whether the job must stop now, judged by the scheduler too poor to go on.
        """
        run = self._running[key]
        with self._storage.together():
            stop = self._record(run, progress)
        if stop:
            # It never goes on, and the optimiser's state is most of what its folder holds.
            (run.job.folder / LAST).unlink(missing_ok=True)
        return stop

    def _record(self, run: RunningJob, progress: Progress) -> bool:
        run.hear(progress)
        self._count(run)
        for report in progress.reports:
            if report.epoch > run.last_epoch and run.write(report):
                self._close(run, "PRUNED")
                return True
        if progress.test:
            note(run.trial, test=progress.test)
        if progress.fault is not None:
            self._put_aside(run, progress.fault)
        elif progress.failure is not None:
            self._close(run, "FAIL", progress)
        elif progress.done:
            self._close(run, "COMPLETE")
        else:
            self.account.note_now_and_then()
        return False

    def killed(self, key: str, times: int) -> None:
        """A job's process was killed as often as it is replaced.

        That is the machine's fault, and the next command tries again. A job that kills its
        processes in that one too, where other trials could finish, is itself at fault.
        """
        run = self._running[key]
        before = self.trial_of(run.job).killed
        died = f"the worker process died {before + times} times, perhaps for want of memory"
        judged = [t for t in self.history("trial") if t.state in ("COMPLETE", "PRUNED")]
        with self._storage.together():
            note(run.trial, killed=before + times)
            if before and judged:
                self._close(run, "FAIL", Progress(failure=died, failure_kind="killed"))
            else:
                self._put_aside(run, f"{key}: {died}")

    def _put_aside(self, run: RunningJob, fault: str) -> None:
        """Leave a job as an interrupted one, which is taken up by the next command."""
        self._leave(run)
        self._set_aside[run.job.key] = run
        self._waits_for = fault

    def again(self, key: str) -> None:
        """Give a job up without an end: it is the next to be handed out, and goes on."""
        run = self._running[key]
        self._leave(run)
        self._interrupted.append(self.trial_of(run.job))

    def out_of_time(self, key: str, held_seconds: float) -> None:
        """End a trial whose hours are over; what it has reported stays."""
        run = self._running[key]
        hours = f"{self.study.settings.trial_hours:g} hours"
        if not run.last_epoch:
            reason = f"no epoch was finished within its {hours} (search.trial_hours)"
            self._give_up(run, held_seconds, Progress(failure=reason, failure_kind="out of time"))
            return
        run.held_seconds = held_seconds
        with self._storage.together():
            note(run.trial, stopped=f"its {hours} (search.trial_hours) were over")
            self._close(run, "PRUNED")

    def silent(self, key: str, held_seconds: float) -> None:
        """End a job whose worker has given no sign of life for too long: it has failed."""
        minutes = f"{self.study.settings.silence_minutes:g} minutes (search.silence_minutes)"
        reason = f"its worker gave no sign of life for {minutes}"
        self._give_up(self._running[key], held_seconds, Progress(failure=reason))

    def _give_up(self, run: RunningJob, held_seconds: float, why: Progress) -> None:
        """A job has failed whose worker does not say so, nor for how long it trained."""
        run.held_seconds = held_seconds
        with self._storage.together():
            self._close(run, "FAIL", why)

    def _close(self, run: RunningJob, state: State, failed: Progress | None = None) -> None:
        self._leave(run)
        value = None
        if state == "COMPLETE":
            value = float(self.trial_of(run.job).epoch(run.last_epoch)["best"])
        self._end(run.job.kind, run.trial, state, value, failed)

    def _leave(self, run: RunningJob) -> None:
        """No worker holds the job any longer."""
        del self._running[run.job.key]
        self._count(run)
        self.account.end(run.job.key, run.held_seconds / run.sharing)

    def _count(self, run: RunningJob) -> None:
        """Add what a job has trained up to now to the study's hours."""
        if run.since is not None:
            self.account.report(run.job.key, run.trained_here)

    def _end(
        self,
        kind: Kind,
        trial: optuna.Trial,
        state: State,
        value: float | None = None,
        failed: Progress | None = None,
    ) -> None:
        if failed is not None:
            note(trial, failure_kind=failed.failure_kind, failure=failed.failure)
        study = self.optuna_studies[kind]
        study.tell(trial.number, values=value, state=TrialState[state])
        self.account.note()

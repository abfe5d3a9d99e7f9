"""What a study needs done next, and the writing down of what was done.

The storage alone decides what has happened (`iterate.hpo.history`). A ledger opened on it after
any kind of stop goes on where the last one was: finished jobs stay finished, and jobs found
running were interrupted, so they are handed out again with the parameters they have.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from iterate.hpo.account import Account
from iterate.hpo.budget import failing_for_one_reason, stop_reason
from iterate.hpo.failures import kind_of
from iterate.hpo.history import History
from iterate.hpo.jobs import Job, Kind, Progress
from iterate.hpo.points import points_to_draw, trials_to_make
from iterate.hpo.samplers import make_sampler
from iterate.hpo.shares import Share
from iterate.hpo.space import Point
from iterate.hpo.space.optuna import suggest, to_params
from iterate.hpo.storage.truth import Truth
from iterate.hpo.study import Study
from iterate_core.engine.reports import EpochReport
from iterate_core.errors import RequestError
from iterate_core.fingerprint import seed_for
from iterate_core.registry.user_code import decorated_modules

_JUDGED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass
class RunningJob:
    """A job being trained, and where its truth is kept.

    Attributes:
        since: From when its worker has trained it, on the monotonic clock; None before it does.
        trained_before: Seconds that other workers, and other commands, trained it.
    """

    job: Job
    trial: optuna.Trial
    last_epoch: int
    held_seconds: float = 0.0
    device: str | None = None
    since: float | None = None
    trained_before: float = 0.0


class Ledger(History):
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
        super().__init__(study, storage, folder)
        self.share: Share | None = None  # what its trials hold, once the pool's place is known
        self._running: dict[str, RunningJob] = {}
        self._interrupted: list[tuple[Kind, FrozenTrial]] = [
            (kind, trial)
            for kind in self._studies
            for trial in self.begun(kind)
            if trial.state == TrialState.RUNNING
        ]
        self._complete_draws()
        self._earlier = {t.number for t in self.history("trial") if t.state.is_finished()}
        self._set_aside: dict[str, RunningJob] = {}
        self._waits_for = ""
        self.account = self._open_account(time.monotonic() if began is None else began)

    def _open_account(self, began: float) -> Account:
        notes = self._notes()
        sessions = [value for key, value in notes.items() if key.startswith("session:")]
        keep = partial(self._studies["trial"].set_user_attr, f"session:{len(sessions)}")
        return Account(sessions, keep, began)

    def _complete_draws(self) -> None:
        """Draw what trials lack that another program, or an older version, left half drawn."""
        for kind, trial in self._interrupted:
            if kind == "trial":
                with self._storage.together():
                    self._draw(optuna.Trial(self._studies[kind], trial._trial_id))

    # What there is

    @property
    def running(self) -> Mapping[str, RunningJob]:
        """Jobs that workers hold now, by job key."""
        return self._running

    @property
    def recent(self) -> list[FrozenTrial]:
        """The trials that ended since this ledger was opened."""
        ended = [trial for trial in self.history("trial") if trial.state.is_finished()]
        return [trial for trial in ended if trial.number not in self._earlier]

    @property
    def failing(self) -> str | None:
        """The one reason that every trial of this command failed for, once there are enough."""
        return failing_for_one_reason(self.study.settings, self.recent)

    @property
    def stop_reason(self) -> str | None:
        """Why no further point is drawn; None while the search goes on."""
        return stop_reason(
            self.study.settings,
            self.study.objective,
            self.history("trial"),
            self.account.worked_seconds / 3600,
            points_to_draw(self.study.settings, self.study.space),
            self.recent,
        )

    @property
    def trials_asked(self) -> int:
        """How many trials the search has, unless something ends it before."""
        return trials_to_make(self.study.settings, self.study.space)

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
        return self._searching or self._repeats_left() == 0

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

    def _next_trial(self) -> tuple[Kind, optuna.Trial] | None:
        if self._interrupted:
            kind, frozen = self._interrupted.pop(0)
            return kind, optuna.Trial(self._studies[kind], frozen._trial_id)
        if self.stop_reason is None:
            return "trial", self._ask()
        if not self._searching and self._repeats_left() > 0:
            return "repeat", self._ask_repeat()
        return None

    @property
    def _searching(self) -> bool:
        """Whether a trial may still become the best."""
        begun = [*self._running.values(), *self._set_aside.values()]
        return any(run.job.kind == "trial" for run in begun)

    def _ask(self) -> optuna.Trial:
        trials = self.history("trial")
        self._use_sampler(len(trials))
        waiting = any(trial.state == TrialState.WAITING for trial in trials)
        if self.study.settings.sampler.name == "grid" and not waiting:
            point = list(self.study.space.points())[len(trials)]
            self._studies["trial"].enqueue_trial(to_params(self.study.space, point))
        return self._studies["trial"].ask()

    def _use_sampler(self, number: int) -> None:
        settings = self.study.settings
        self._studies["trial"].sampler = make_sampler(
            settings.sampler, self.study.name, settings.seed, number
        )

    def _repeats_left(self) -> int:
        best = self.best()
        if best is None or self.failing is not None:
            return 0
        return max(0, self.study.settings.repeats - len(self.repeats_of(best)))

    def _ask_repeat(self) -> optuna.Trial:
        """Begin a repeat, or one that an older version has queued."""
        best = self.best()
        if best is None:
            raise RuntimeError("a repeat was asked for before any trial finished")
        index = len(self.repeats_of(best))
        repeat = self._studies["repeat"].ask()
        if not {"of", "index"} <= repeat.user_attrs.keys():
            repeat.set_user_attr("of", best.number)
            repeat.set_user_attr("index", index)
        return repeat

    def _start(self, kind: Kind, trial: optuna.Trial) -> Job | None:
        """Make a job of an Optuna trial; None if its point has no legal recipe: it failed."""
        if kind == "trial":
            point, index = self._draw(trial), trial.number
        else:
            point = self.point(self.history("trial")[trial.user_attrs["of"]])
            index = trial.user_attrs["index"]
        begun = trial.user_attrs
        seed = begun.get("seed", self._seed(kind, index))
        trial.set_user_attr("seed", seed)
        try:
            recipe = self.study.trial_recipe(point, seed, begun.get("threads")).to_mapping()
            trial.set_user_attr("threads", recipe["trainer"]["threads"])
            trial.set_user_attr("backbone", recipe["model"]["backbone"]["name"])
        except RequestError as error:
            failed = Progress(failure=str(error), failure_kind=kind_of(error))
            self._end(kind, trial, TrialState.FAIL, failed=failed)
            return None
        frozen = self._storage.get_trial(trial._trial_id)
        folder = self.job_folder(kind, frozen)
        job = Job(
            self.study.name, kind, trial.number, recipe, folder, Path.cwd(), decorated_modules()
        )
        last_epoch = max(frozen.intermediate_values, default=0)
        self._running[job.key] = RunningJob(job, trial, last_epoch)
        return job

    def _draw(self, trial: optuna.Trial) -> Point:
        """A trial's point; what of it was drawn before stays."""
        self._use_sampler(trial.number)
        return suggest(self.study.space, trial)

    def _seed(self, kind: Kind, index: int) -> int:
        """Fixed by the study's name and the job's place, unless the settings say it."""
        settings = self.study.settings
        if kind == "repeat" and index < len(settings.seeds):
            return settings.seeds[index]
        return seed_for(self.study.name, settings.seed, kind, index)

    # What has happened

    def started(self, key: str) -> None:
        """A worker took a job up, and prepares: its time counts from when it trains."""
        if key in self._running:
            run = self._running[key]
            run.since, run.trained_before = None, self._reported_seconds(run)
            self.account.begin(key)

    def record(self, key: str, progress: Progress) -> bool:
        """Write down a job's progress.

        Returns:
            Whether the job must stop now, judged by the scheduler too poor to go on.
        """
        with self._storage.together():
            return self._record(self._running[key], progress)

    def _record(self, run: RunningJob, progress: Progress) -> bool:
        run.held_seconds = max(run.held_seconds, progress.held_seconds)
        if progress.training or progress.reports or run.since is not None:
            trained = progress.held_seconds - progress.preparing_seconds
            run.since = time.monotonic() - trained
            self.account.report(run.job.key, trained)
        if progress.device is not None and progress.device != run.device:
            run.device = progress.device
            run.trial.set_user_attr("device", run.device)
        if progress.anew is not None:
            run.last_epoch = 0
            # Or `report` would keep the first value of an epoch.
            run.trial._cached_frozen_trial.intermediate_values.clear()
            run.trial.set_user_attr("began_anew", progress.anew)
        for report in progress.reports:
            if report.epoch > run.last_epoch and self._record_epoch(run, report):
                self._close(run, TrialState.PRUNED)
                return True
        if progress.test:
            run.trial.set_user_attr("test", progress.test)
        if progress.fault is not None:
            self._put_aside(run, progress.fault)
        elif progress.failure is not None:
            self._close(run, TrialState.FAIL, progress)
        elif progress.done:
            self._close(run, TrialState.COMPLETE)
        else:
            self.account.note_now_and_then()
        return False

    def killed(self, key: str, times: int) -> None:
        """A job's process was killed as often as it is replaced.

        That is the machine's fault, and the next command tries again. A job that kills its
        processes in that one too, where other trials could finish, is itself at fault.
        """
        run = self._running[key]
        before = int(self.trial_of(run.job).user_attrs.get("killed", 0))
        died = f"the worker process died {before + times} times, perhaps for want of memory"
        at_fault = before and any(t.state in _JUDGED for t in self.history("trial"))
        with self._storage.together():
            run.trial.set_user_attr("killed", before + times)
            if at_fault:
                self._close(run, TrialState.FAIL, Progress(failure=died, failure_kind="killed"))
            else:
                self._put_aside(run, f"{key}: {died}")

    def _put_aside(self, run: RunningJob, fault: str) -> None:
        """Leave a job as an interrupted one, which is taken up by the next command."""
        self._leave(run)
        self._set_aside[run.job.key] = run
        self._waits_for = fault

    def trained_seconds(self, key: str) -> float:
        """For how long a running job has trained up to now, in all sessions."""
        run = self._running[key]
        now = time.monotonic()
        return run.trained_before + (0.0 if run.since is None else now - run.since)

    def _reported_seconds(self, run: RunningJob) -> float:
        """What the epochs that a job has reported took, in all sessions."""
        noted = self.trial_of(run.job).user_attrs.items()
        return float(sum(note["seconds"] for name, note in noted if name.startswith("epoch:")))

    def out_of_time(self, key: str, held_seconds: float) -> None:
        """End a trial whose hours are over; what it has reported stays."""
        run = self._running[key]
        run.held_seconds = held_seconds
        hours = f"{self.study.settings.trial_hours:g} hours"
        if run.last_epoch:
            with self._storage.together():
                run.trial.set_user_attr("stopped", f"its {hours} (search.trial_hours) were over")
                self._close(run, TrialState.PRUNED)
        else:
            reason = f"no epoch was finished within its {hours} (search.trial_hours)"
            self.record(key, Progress(failure=reason, failure_kind="out of time"))

    def _record_epoch(self, run: RunningJob, report: EpochReport) -> bool:
        """Write down one epoch; whether the scheduler stops the job there."""
        # The value goes last: an epoch counts as recorded only once all of it is.
        noted = {
            "metrics": report.metrics,
            "seconds": report.seconds,
            "best": report.best,
            "time_ms": int(time.time() * 1000),
        }
        run.trial.set_user_attr(f"epoch:{report.epoch}", noted)
        run.trial.report(report.value, report.epoch)
        run.last_epoch = report.epoch
        return run.job.kind == "trial" and not report.done and run.trial.should_prune()

    def _close(self, run: RunningJob, state: TrialState, failed: Progress | None = None) -> None:
        self._leave(run)
        value = None
        if state == TrialState.COMPLETE:
            noted = self.trial_of(run.job).user_attrs[f"epoch:{run.last_epoch}"]
            value = float(noted["best"])
        self._end(run.job.kind, run.trial, state, value, failed)

    def _leave(self, run: RunningJob) -> None:
        """No worker holds the job any longer."""
        del self._running[run.job.key]
        self.account.end(run.job.key, run.held_seconds)

    def _end(
        self,
        kind: Kind,
        trial: optuna.Trial,
        state: TrialState,
        value: float | None = None,
        failed: Progress | None = None,
    ) -> None:
        if failed is not None:
            trial.set_user_attr("failure_kind", failed.failure_kind)
            trial.set_user_attr("failure", failed.failure)
        study = self._studies[kind]
        study.tell(trial.number, values=value, state=state)
        self.account.note()

"""A study's truth in the Optuna storage, and the next thing it needs done.

The storage alone decides what has happened. A ledger opened on it after any kind of stop goes
on where the last one was: finished jobs stay finished, and jobs found running were interrupted,
so they are handed out again with the parameters they have.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from iterate.core.errors import RequestError
from iterate.core.identity import seed_for
from iterate.core.own import decorated_modules
from iterate.core.reports import EpochReport
from iterate.search.budget import stop_reason
from iterate.search.jobs import Job, Kind, Progress
from iterate.search.samplers import make_sampler
from iterate.search.schedulers import make_scheduler
from iterate.search.shares import Share
from iterate.search.space import Point
from iterate.search.space.optuna import point_from, suggest, to_params
from iterate.search.study import Study, same_question


@dataclass
class Run:
    """A job being trained, and where its truth is kept."""

    job: Job
    trial: optuna.Trial
    last_epoch: int
    held_seconds: float = 0.0
    device: str | None = None


class Ledger:
    """One study's truth. Used by the driver alone, from one thread.

    Args:
        study: What is asked.
        storage: Where the answers are; shared with the other studies of the run.
        folder: The study's folder; its jobs keep their checkpoints below it.
        began: When this session began, on the monotonic clock; None is now.

    Raises:
        RequestError: The storage holds another question under this name.
    """

    def __init__(
        self, study: Study, storage: BaseStorage, folder: Path, began: float | None = None
    ) -> None:
        self.study = study
        self.folder = folder
        self._studies: dict[Kind, optuna.Study] = {
            "trial": self._open(study.name, storage),
            "repeat": self._open(f"{study.name} repeats", storage),
        }
        self.share: Share | None = None  # what its trials hold, once the pool's place is known
        self._running: dict[str, Run] = {}
        self._interrupted: list[tuple[Kind, FrozenTrial]] = [
            (kind, trial)
            for kind in self._studies
            for trial in self.history(kind)
            if trial.state == TrialState.RUNNING
        ]
        self._began = time.monotonic() if began is None else began
        self._before = [0.0, 0.0]
        for wall, worker in self._sessions():
            self._before = [self._before[0] + wall, self._before[1] + worker]
        self._session = f"session:{len(self._sessions())}"
        self._worker_seconds = 0.0

    def _open(self, name: str, storage: BaseStorage) -> optuna.Study:
        study, settings = self.study, self.study.settings
        maximise = study.objective.mode == "max"
        opened = optuna.create_study(
            study_name=name,
            storage=storage,
            direction="maximize" if maximise else "minimize",
            pruner=make_scheduler(settings.scheduler, study.recipe.trainer.epochs),
            load_if_exists=True,
        )
        before = opened.user_attrs.get("question")
        if before is None:
            opened.set_user_attr("question", study.question())
        else:
            same_question(study.name, study.question(), before)
        return opened

    # What there is

    def history(self, kind: Kind) -> list[FrozenTrial]:
        """Every trial, or every repeat, in the order of their numbers; not to be changed."""
        return self._studies[kind].get_trials(deepcopy=False)

    @property
    def optuna_study(self) -> optuna.Study:
        """The trials as Optuna sees them, for its importances."""
        return self._studies["trial"]

    def best(self) -> FrozenTrial | None:
        """The best finished trial, the earlier of equals; None while there is none."""
        complete = [t for t in self.history("trial") if t.state == TrialState.COMPLETE]
        sign = -1.0 if self.study.objective.mode == "max" else 1.0
        return min(complete, key=lambda t: (sign * float(t.value or 0.0), t.number), default=None)

    def repeats_of(self, best: FrozenTrial) -> list[FrozenTrial]:
        """The repeats of one trial's point; a better best found later has repeats of its own."""
        begun = [t for t in self.history("repeat") if t.state != TrialState.WAITING]
        return [t for t in begun if t.user_attrs["of"] == best.number]

    def point(self, trial: FrozenTrial) -> Point:
        """The active parameters of a trial, by their override keys."""
        return point_from(self.study.space, trial.params)

    def job_folder(self, kind: Kind, trial: FrozenTrial) -> Path:
        """Where a trial or repeat keeps its recipe and checkpoints."""
        if kind == "trial":
            return self.folder / "trials" / f"{trial.number:04d}"
        of, index = trial.user_attrs["of"], trial.user_attrs["index"]
        return self.folder / "repeats" / f"{of:04d}-{index}"

    @property
    def running(self) -> Mapping[str, Run]:
        """Jobs that workers hold now, by job key."""
        return self._running

    @property
    def wall_seconds(self) -> float:
        """Wall time for which the study has been worked on, in this and earlier sessions."""
        return self._before[0] + time.monotonic() - self._began

    @property
    def worker_seconds(self) -> float:
        """Time for which workers were held by this study's ended jobs, in all sessions."""
        return self._before[1] + self._worker_seconds

    @property
    def stop_reason(self) -> str | None:
        """Why no further point is drawn; None while the search goes on."""
        grid = self.study.settings.sampler.name == "grid"
        size = self.study.space.size() if grid else None
        return stop_reason(
            self.study.settings,
            self.study.objective,
            self.history("trial"),
            self.wall_seconds / 3600,
            size,
        )

    # What to do next

    @property
    def finished(self) -> bool:
        """Whether nothing is being done and nothing is left to do."""
        if self._running or self._interrupted or self.stop_reason is None:
            return False
        return self._repeats_left() == 0

    def next_job(self) -> Job | None:
        """The next job, now running; None while the study must wait, and once it is finished.

        A point without a legal recipe fails here, and the study goes on with the next one.
        """
        limit = self.study.resources.concurrent
        while limit is None or len(self._running) < limit:
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
        searching = any(run.job.kind == "trial" for run in self._running.values())
        if not searching and self._repeats_left() > 0:
            return "repeat", self._ask_repeat()
        return None

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
        if best is None:
            return 0
        return max(0, self.study.settings.repeats - len(self.repeats_of(best)))

    def _ask_repeat(self) -> optuna.Trial:
        """Begin a repeat; queued first, so that it never stands without saying what it repeats."""
        repeats, best = self._studies["repeat"], self.best()
        if best is None:
            raise RuntimeError("a repeat was asked for before any trial finished")
        if not any(t.state == TrialState.WAITING for t in self.history("repeat")):
            of = {"of": best.number, "index": len(self.repeats_of(best))}
            repeats.enqueue_trial({}, user_attrs=of)
        return repeats.ask()

    def _start(self, kind: Kind, trial: optuna.Trial) -> Job | None:
        """Make a job of an Optuna trial; None if its point has no legal recipe: it failed."""
        if kind == "trial":
            self._use_sampler(trial.number)
            point = suggest(self.study.space, trial)
            index = trial.number
        else:
            point = self.point(self.history("trial")[trial.user_attrs["of"]])
            index = trial.user_attrs["index"]
        seed = self._seed(kind, index)
        trial.set_user_attr("seed", seed)
        try:
            recipe = self.study.recipe_at(point, seed).to_mapping()
        except RequestError as error:
            self._end(kind, trial, TrialState.FAIL, failure=str(error))
            return None
        frozen = self.history(kind)[trial.number]
        folder = self.job_folder(kind, frozen)
        job = Job(
            self.study.name, kind, trial.number, recipe, folder, Path.cwd(), decorated_modules()
        )
        last_epoch = max(frozen.intermediate_values, default=0)
        self._running[job.key] = Run(job, trial, last_epoch)
        return job

    def _seed(self, kind: Kind, index: int) -> int:
        """Fixed by the study's name and the job's place, unless the settings say it."""
        settings = self.study.settings
        if kind == "repeat" and index < len(settings.seeds):
            return settings.seeds[index]
        return seed_for(self.study.name, settings.seed, kind, index)

    # What has happened

    def record(self, key: str, progress: Progress) -> bool:
        """Write down a job's progress.

        Returns:
            Whether the job must stop now, judged by the scheduler too poor to go on.
        """
        run = self._running[key]
        run.held_seconds = max(run.held_seconds, progress.held_seconds)
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
        if progress.failure is not None:
            self._close(run, TrialState.FAIL, failure=progress.failure)
        elif progress.done:
            self._close(run, TrialState.COMPLETE)
        return False

    def trained_seconds(self, key: str) -> float:
        """What the epochs that a running job has reported took, in all sessions."""
        noted = self._running[key].trial.user_attrs.items()
        return float(sum(note["seconds"] for name, note in noted if name.startswith("epoch:")))

    def out_of_time(self, key: str, held_seconds: float) -> None:
        """End a trial whose hours are over; what it has reported stays."""
        run = self._running[key]
        run.held_seconds = held_seconds
        hours = f"{self.study.settings.trial_hours:g} hours"
        if run.last_epoch:
            run.trial.set_user_attr("stopped", f"its {hours} (search.trial_hours) were over")
            self._close(run, TrialState.PRUNED)
        else:
            reason = f"no epoch was finished within its {hours} (search.trial_hours)"
            self.record(key, Progress(failure=reason))

    def _record_epoch(self, run: Run, report: EpochReport) -> bool:
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

    def _close(self, run: Run, state: TrialState, failure: str | None = None) -> None:
        del self._running[run.job.key]
        self._worker_seconds += run.held_seconds
        value = None
        if state == TrialState.COMPLETE:
            value = float(run.trial.user_attrs[f"epoch:{run.last_epoch}"]["best"])
        self._end(run.job.kind, run.trial, state, value, failure)

    def _end(
        self,
        kind: Kind,
        trial: optuna.Trial,
        state: TrialState,
        value: float | None = None,
        failure: str | None = None,
    ) -> None:
        if failure is not None:
            trial.set_user_attr("failure", failure)
        study = self._studies[kind]
        study.tell(trial.number, values=value, state=state)
        spent = [round(time.monotonic() - self._began, 3), round(self._worker_seconds, 3)]
        self._studies["trial"].set_user_attr(self._session, spent)

    def _sessions(self) -> list[list[float]]:
        """Wall and worker seconds of each session so far."""
        attrs: dict[str, Any] = self._studies["trial"].user_attrs
        return [value for key, value in attrs.items() if key.startswith("session:")]

    # Notes the mirror keeps here

    def remember(self, key: str, value: str) -> None:
        """Keep a note with the study, such as the id of a run in MLflow. Safe from any thread."""
        self._studies["trial"].set_user_attr(f"note:{key}", value)

    def recall(self, key: str) -> str | None:
        """The note kept under a key."""
        note = self._studies["trial"].user_attrs.get(f"note:{key}")
        return None if note is None else str(note)

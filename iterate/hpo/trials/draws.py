"""Begins a study's trials and repeats: each with a point, a seed and a recipe."""

from __future__ import annotations

from pathlib import Path

import optuna

from iterate.hpo.jobs import Job
from iterate.hpo.samplers import make_sampler
from iterate.hpo.space import Point
from iterate.hpo.space.optuna import suggest, to_params
from iterate.hpo.study import Study
from iterate.hpo.trials.history import History
from iterate.hpo.trials.view import TrialView, note
from iterate.states import Kind
from iterate_core.fingerprint import seed_for
from iterate_core.registry.user_code import decorated_modules


class Draws:
    """Asks a study's sampler for points. Used by the driver alone, from one thread.

    Args:
        history: What samplers learn from.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._study = history.study
        self._settings = history.study.settings

    def trial(self) -> optuna.Trial:
        """Begin a trial, one that another program has queued first."""
        study, trials = self._history.optuna_studies["trial"], self._history.history("trial")
        self._use_sampler(len(trials))
        waiting = any(trial.state == "WAITING" for trial in trials)
        if self._settings.sampler.name == "grid" and not waiting:
            point = list(self._study.space.points())[len(trials)]
            study.enqueue_trial(to_params(self._study.space, point))
        return study.ask()

    def repeat(self, best: TrialView) -> optuna.Trial:
        """Begin a repeat of the best trial, or one that an older version has queued."""
        index = len(self._history.repeats_of(best))
        repeat = self._history.optuna_studies["repeat"].ask()
        if not self._history.at("repeat", repeat.number).placed:
            note(repeat, of=best.number, index=index)
        return repeat

    def again(self, interrupted: TrialView) -> optuna.Trial:
        """Go on with a trial or repeat, which keeps what of it was drawn."""
        study = self._history.optuna_studies[interrupted.kind]
        return optuna.Trial(study, interrupted.storage_id)

    def point(self, trial: optuna.Trial) -> Point:
        """A trial's point; what of it was drawn before stays."""
        self._use_sampler(trial.number)
        return suggest(self._study.space, trial)

    def point_and_seed(self, kind: Kind, trial: optuna.Trial) -> tuple[Point, int]:
        """What a trial or repeat trains; both are kept with it."""
        begun = self._history.at(kind, trial.number)
        if kind == "trial":
            point, index = self.point(trial), begun.number
        else:
            point, index = self._history.point(begun), begun.index
        seed = seed_of(self._study, kind, index) if begun.seed is None else begun.seed
        note(trial, seed=seed)
        return point, seed

    def job(self, kind: Kind, trial: optuna.Trial, point: Point, seed: int) -> Job:
        """The work on a trial or repeat that was begun.

        Raises:
            RequestError: There is no legal recipe at this point.
        """
        begun = self._history.at(kind, trial.number)
        recipe = self._study.trial_recipe(point, seed, begun.threads).to_mapping()
        note(
            trial,
            threads=recipe["trainer"]["threads"],
            backbone=recipe["model"]["backbone"]["name"],
        )
        folder = self._history.job_folder(begun)
        modules = decorated_modules()
        return Job(self._study.name, kind, trial.number, recipe, folder, Path.cwd(), modules)

    def _use_sampler(self, number: int) -> None:
        self._history.optuna_studies["trial"].sampler = make_sampler(
            self._settings.sampler, self._study.name, self._settings.seed, number
        )


def seed_of(study: Study, kind: Kind, index: int) -> int:
    """Fixed by the study's name and the job's place, unless the settings say it.

    Args:
        study: The job's.
        kind: A trial or a repeat.
        index: A trial's number; which of its trial's repeats it is.
    """
    settings = study.settings
    if kind == "repeat" and index < len(settings.seeds):
        return settings.seeds[index]
    return seed_for(study.name, settings.seed, kind, index)

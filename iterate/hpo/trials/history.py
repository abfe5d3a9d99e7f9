"""What has happened to a study's trials, as its Optuna storage tells it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import optuna

from iterate.hpo.jobs import Job
from iterate.hpo.schedulers import make_scheduler
from iterate.hpo.space import Point
from iterate.hpo.space.optuna import known_point, point_from
from iterate.hpo.storage.notes import StudyNotes
from iterate.hpo.storage.truth import Truth
from iterate.hpo.study import Study, same_question
from iterate.hpo.trials.view import TrialView
from iterate.states import Kind


class History:
    """One study's trials and repeats, and the notes kept with them.

    Args:
        study: What is asked.
        storage: Where the answers are; shared with the other studies of the run.
        folder: The study's folder; its jobs keep their checkpoints below it.

    Attributes:
        optuna_studies: The trials and the repeats as Optuna sees them.
        notes: What is kept with the study.

    Raises:
        RequestError: The storage holds another question under this name.
    """

    def __init__(self, study: Study, storage: Truth, folder: Path) -> None:
        self.study = study
        self.folder = folder
        self._storage = storage
        self.optuna_studies: dict[Kind, optuna.Study] = {
            "trial": self._open(study.name, storage),
            "repeat": self._open(f"{study.name} repeats", storage),
        }
        self.notes = StudyNotes(storage, self.optuna_studies["trial"])

    def _open(self, name: str, storage: Truth) -> optuna.Study:
        study, settings = self.study, self.study.settings
        maximise = study.objective.mode == "max"
        opened = optuna.create_study(
            study_name=name,
            storage=storage,
            direction="maximize" if maximise else "minimize",
            pruner=make_scheduler(settings.scheduler, study.recipe.trainer.epochs),
            load_if_exists=True,
        )
        notes = StudyNotes(storage, opened)
        if notes.question is None:
            notes.ask(study.question())
        else:
            same_question(study.name, study.question(), notes.question)
        return opened

    def history(self, kind: Kind) -> list[TrialView]:
        """Every trial, or every repeat, in the order of their numbers."""
        trials = self.optuna_studies[kind].get_trials(deepcopy=False)
        return [TrialView(kind, trial) for trial in trials]

    def begun(self, kind: Kind) -> list[TrialView]:
        """As `history`, without what is only queued, and repeats that do not say of what."""
        begun = [trial for trial in self.history(kind) if trial.state != "WAITING"]
        if kind == "trial":
            return begun
        trials = len(self.history("trial"))
        return [repeat for repeat in begun if repeat.placed and repeat.of < trials]

    def at(self, kind: Kind, number: int) -> TrialView:
        """A trial or repeat, as it stands."""
        study_id = self.optuna_studies[kind]._study_id
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        return TrialView(kind, self._storage.get_trial(trial_id))

    def trial_of(self, job: Job) -> TrialView:
        """The trial or repeat that a job trains, as it stands."""
        return self.at(job.kind, job.number)

    def best(self) -> TrialView | None:
        """The best finished trial, the earlier of equals; None while there is none."""
        complete = [
            trial
            for trial in self.history("trial")
            if trial.state == "COMPLETE" and trial.number not in self._halves
        ]
        sign = -1.0 if self.study.objective.mode == "max" else 1.0
        return min(complete, key=lambda t: (sign * float(t.value or 0.0), t.number), default=None)

    def repeats_of(self, best: TrialView) -> list[TrialView]:
        """The repeats of one trial's point; a better best found later has repeats of its own."""
        return [repeat for repeat in self.begun("repeat") if repeat.of == best.number]

    def point(self, trial: TrialView) -> Point:
        """The active parameters of a trial or repeat, by their override keys."""
        drawn = trial if trial.kind == "trial" else self.at("trial", trial.of)
        return known_point(self.study.space, drawn.params)

    def job_folder(self, trial: TrialView) -> Path:
        """Where a trial or repeat keeps its recipe and checkpoints."""
        if trial.kind == "trial":
            return self.folder / "trials" / f"{trial.number:04d}"
        return self.folder / "repeats" / f"{trial.of:04d}-{trial.index}"

    @cached_property
    def _halves(self) -> set[int]:
        """Trials that other programs ended without all parameters: shown, not trained again."""
        ended = [trial for trial in self.history("trial") if trial.finished]
        return {trial.number for trial in ended if not self._whole(trial)}

    def _whole(self, trial: TrialView) -> bool:
        try:
            point_from(self.study.space, trial.params)
        except ValueError:
            return False
        return True

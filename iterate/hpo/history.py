"""What has happened to a study's trials, as its Optuna storage tells it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from iterate.hpo.jobs import Job, Kind
from iterate.hpo.schedulers import make_scheduler
from iterate.hpo.space import Point
from iterate.hpo.space.optuna import known_point, point_from
from iterate.hpo.storage.truth import Truth
from iterate.hpo.study import Study, same_question


class History:
    """One study's trials and repeats, and the notes kept with them.

    Args:
        study: What is asked.
        storage: Where the answers are; shared with the other studies of the run.
        folder: The study's folder; its jobs keep their checkpoints below it.

    Raises:
        RequestError: The storage holds another question under this name.
    """

    def __init__(self, study: Study, storage: Truth, folder: Path) -> None:
        self.study = study
        self.folder = folder
        self._storage = storage
        self._studies: dict[Kind, optuna.Study] = {
            "trial": self._open(study.name, storage),
            "repeat": self._open(f"{study.name} repeats", storage),
        }

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
        before = opened.user_attrs.get("question")
        if before is None:
            opened.set_user_attr("question", study.question())
        else:
            same_question(study.name, study.question(), before)
        return opened

    def history(self, kind: Kind) -> list[FrozenTrial]:
        """Every trial, or every repeat, in the order of their numbers; not to be changed."""
        return self._studies[kind].get_trials(deepcopy=False)

    def begun(self, kind: Kind) -> list[FrozenTrial]:
        """As `history`, without what is only queued, and repeats that do not say of what."""
        begun = [trial for trial in self.history(kind) if trial.state != TrialState.WAITING]
        if kind == "trial":
            return begun
        trials = len(self.history("trial"))
        return [
            t for t in begun if "index" in t.user_attrs and t.user_attrs.get("of", trials) < trials
        ]

    def trial_of(self, job: Job) -> FrozenTrial:
        """The trial or repeat that a job trains, as it stands; not to be changed."""
        study = self._studies[job.kind]
        return self._storage.get_trial(
            self._storage.get_trial_id_from_study_id_trial_number(study._study_id, job.number)
        )

    @property
    def optuna_study(self) -> optuna.Study:
        """The trials as Optuna sees them, for its importances."""
        return self._studies["trial"]

    def best(self) -> FrozenTrial | None:
        """The best finished trial, the earlier of equals; None while there is none."""
        complete = [
            t
            for t in self.history("trial")
            if t.state == TrialState.COMPLETE and t.number not in self._halves
        ]
        sign = -1.0 if self.study.objective.mode == "max" else 1.0
        return min(complete, key=lambda t: (sign * float(t.value or 0.0), t.number), default=None)

    def repeats_of(self, best: FrozenTrial) -> list[FrozenTrial]:
        """The repeats of one trial's point; a better best found later has repeats of its own."""
        return [t for t in self.begun("repeat") if t.user_attrs["of"] == best.number]

    def point(self, trial: FrozenTrial) -> Point:
        """The active parameters of a trial, by their override keys."""
        return known_point(self.study.space, trial.params)

    def job_folder(self, kind: Kind, trial: FrozenTrial) -> Path:
        """Where a trial or repeat keeps its recipe and checkpoints."""
        if kind == "trial":
            return self.folder / "trials" / f"{trial.number:04d}"
        of, index = trial.user_attrs["of"], trial.user_attrs["index"]
        return self.folder / "repeats" / f"{of:04d}-{index}"

    @cached_property
    def _halves(self) -> set[int]:
        """Trials that other programs ended without all parameters: shown, not trained again."""
        ended = [trial for trial in self.history("trial") if trial.state.is_finished()]
        return {trial.number for trial in ended if not self._whole(trial)}

    def _whole(self, trial: FrozenTrial) -> bool:
        try:
            point_from(self.study.space, trial.params)
        except ValueError:
            return False
        return True

    # Notes the mirror keeps here

    def remember(self, key: str, value: str) -> None:
        """Keep a note with the study, such as the id of a run in MLflow. Safe from any thread."""
        self._studies["trial"].set_user_attr(f"note:{key}", value)

    def recall(self, key: str) -> str | None:
        """The note kept under a key."""
        note = self._notes().get(f"note:{key}")
        return None if note is None else str(note)

    def _notes(self) -> dict[str, Any]:
        """What is kept with the study; not to be changed."""
        return self._storage.get_study_user_attrs(self._studies["trial"]._study_id)

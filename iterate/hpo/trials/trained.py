"""How much a study has trained so far, read from a storage that need not hold it."""

from __future__ import annotations

from dataclasses import dataclass

from iterate.hpo.storage.notes import question_of
from iterate.hpo.storage.truth import Truth
from iterate.hpo.study import Study, differences
from iterate.hpo.trials.view import TrialView
from iterate.states import Kind


@dataclass(frozen=True)
class Trained:
    """What a study has done so far.

    Attributes:
        trials: That ended.
        repeats: That ended.
        epochs: Of all of them, unfinished ones included.
        seconds: That those epochs took.
    """

    trials: int = 0
    repeats: int = 0
    epochs: int = 0
    seconds: float = 0.0


def trained_before(storage: Truth, study: Study) -> Trained:
    """What a study has done, if its question is the same; nothing if it is not there."""
    before = question_of(storage, study.name)
    same = before is not None and not differences(study.question(), before)
    return trained(storage, study.name) if same else Trained()


def trained(storage: Truth, study: str) -> Trained:
    """What a study has done so far, whatever it asks; nothing where there is none of that name."""
    trials = _views(storage, "trial", study)
    repeats = _views(storage, "repeat", f"{study} repeats")
    begun = [*trials, *repeats]
    return Trained(
        trials=sum(trial.finished for trial in trials),
        repeats=sum(repeat.finished for repeat in repeats),
        epochs=sum(len(trial.epochs()) for trial in begun),
        seconds=float(sum(trial.train_seconds for trial in begun)),
    )


def _views(storage: Truth, kind: Kind, name: str) -> list[TrialView]:
    try:
        study_id = storage.get_study_id_from_name(name)
    except KeyError:
        return []
    return [TrialView(kind, trial) for trial in storage.get_all_trials(study_id, deepcopy=False)]

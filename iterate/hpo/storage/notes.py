"""What a run keeps in its storage besides trials: notes on its studies, and on itself."""

from __future__ import annotations

from dataclasses import dataclass

import optuna

from iterate.hpo.results import epochs_of
from iterate.hpo.storage.truth import Truth
from iterate.hpo.study import Study

_PREFIX = "note:"


class Notes:
    """Texts kept with the run as a whole, and with its studies. Safe from any thread.

    Args:
        storage: The run's.
        name: The run's.
    """

    def __init__(self, storage: Truth, name: str) -> None:
        self._storage = storage
        self._study = optuna.create_study(
            study_name=f"{name} notes", storage=storage, load_if_exists=True
        )

    def remember(self, key: str, value: str) -> None:
        """Keep a text."""
        self._study.set_user_attr(f"{_PREFIX}{key}", value)

    def recall(self, key: str) -> str | None:
        """The text kept under a key."""
        found = self._study.user_attrs.get(f"{_PREFIX}{key}")
        return None if found is None else str(found)

    def of_studies(self, key: str) -> dict[str, str]:
        """Study → what `Ledger.remember` kept with it under a key, for all of the storage."""
        found = {}
        for study in self._storage.get_all_studies():
            value = study.user_attrs.get(f"{_PREFIX}{key}")
            if value is not None:
                found[study.study_name] = str(value)
        return found

    def before(self, study: Study) -> Trained:
        """What a study has trained, if its question is the same; nothing if it is not there."""
        for one in self._storage.get_all_studies():
            if one.study_name == study.name and one.user_attrs.get("question") == study.question():
                return trained(self._storage, study.name)
        return Trained()


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


def trained(storage: Truth, study: str) -> Trained:
    """What a study has done so far, whatever it asks; nothing where there is none of that name."""
    names = {one.study_name: one._study_id for one in storage.get_all_studies()}
    found = [
        storage.get_all_trials(names[name], deepcopy=False) if name in names else []
        for name in (study, f"{study} repeats")
    ]
    noted = [epoch for kind in found for trial in kind for epoch in epochs_of(trial).values()]
    ended = [sum(trial.state.is_finished() for trial in kind) for kind in found]
    seconds = float(sum(epoch["seconds"] for epoch in noted))
    return Trained(ended[0], ended[1], len(noted), seconds)

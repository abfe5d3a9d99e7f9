"""What a run keeps in its storage besides trials: notes on its studies, and on itself.

Optuna keeps them under free names, a study's user attributes. They are named here alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from iterate.hpo.storage.truth import Truth

_NOTE = "note:"
_SESSION = "session:"
_QUESTION = "question"


class StudyNotes:
    """What is kept with one study. Safe from any thread.

    Args:
        storage: The run's.
        study: In that storage.
    """

    def __init__(self, storage: Truth, study: optuna.Study) -> None:
        self._storage = storage
        self._study = study

    @property
    def question(self) -> Mapping[str, Any] | None:
        """What the study asks; None until `ask` has said it."""
        return self._kept.get(_QUESTION)

    def ask(self, question: Mapping[str, Any]) -> None:
        """Keep what the study asks."""
        self._study.set_user_attr(_QUESTION, question)

    def remember(self, key: str, value: str) -> None:
        """Keep a text, such as the id of a run in MLflow."""
        self._study.set_user_attr(f"{_NOTE}{key}", value)

    def recall(self, key: str) -> str | None:
        """The text kept under a key."""
        return _text(self._kept, key)

    @property
    def sessions(self) -> list[Sequence[float]]:
        """What each command took that worked on the study, as `keep_session` was given it."""
        return [value for name, value in self._kept.items() if name.startswith(_SESSION)]

    def keep_session(self, number: int, seconds: Sequence[float]) -> None:
        """Keep what a command has taken so far.

        Args:
            number: Of the command, counted from 0.
            seconds: See `iterate.hpo.account.Account`.
        """
        self._study.set_user_attr(f"{_SESSION}{number}", seconds)

    @property
    def _kept(self) -> Mapping[str, Any]:
        """Everything by its name; not a copy, as Optuna's own study would give."""
        return self._storage.get_study_user_attrs(self._study._study_id)


class Notes(StudyNotes):
    """What is kept with a run as a whole: in a study that has no trials.

    Args:
        storage: The run's.
        name: The run's.
    """

    def __init__(self, storage: Truth, name: str) -> None:
        study = optuna.create_study(
            study_name=notes_name(name), storage=storage, load_if_exists=True
        )
        super().__init__(storage, study)

    def of_studies(self, key: str) -> dict[str, str]:
        """See `texts_of_studies`."""
        return texts_of_studies(self._storage, key)


def notes_name(run: str) -> str:
    """The study that keeps a run's notes."""
    return f"{run} notes"


def texts_of_studies(storage: Truth, key: str) -> dict[str, str]:
    """Study → the text kept with it under a key, for all of the storage."""
    texts = {one.study_name: _text(one.user_attrs, key) for one in storage.get_all_studies()}
    return {name: text for name, text in texts.items() if text is not None}


def _text(kept: Mapping[str, Any], key: str) -> str | None:
    text = kept.get(f"{_NOTE}{key}")
    return None if text is None else str(text)


def question_of(storage: Truth, name: str) -> Mapping[str, Any] | None:
    """What a study of this name asks; None where there is none."""
    try:
        study_id = storage.get_study_id_from_name(name)
    except KeyError:
        return None
    return storage.get_study_user_attrs(study_id).get(_QUESTION)


def question_kept(study: optuna.Study) -> Mapping[str, Any] | None:
    """What a study asks, of any storage; None where that was never said."""
    return study.user_attrs.get(_QUESTION)

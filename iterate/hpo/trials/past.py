"""What the storage in a run's folder tells of its studies, read while nobody is at work on them.

The storage is copied first, so that nothing is written: not beside a run that goes on, nor in a
folder that may only be read.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from iterate.hpo.importances import Searched
from iterate.hpo.space import Point, Space
from iterate.hpo.space.grammar import read_space
from iterate.hpo.space.optuna import known_point
from iterate.hpo.storage.notes import question_kept
from iterate.hpo.trials.view import TrialView

_FILE = "studies.db"


@dataclass(frozen=True)
class PastStudy:
    """A study as its storage tells it.

    Attributes:
        question: What it asks: ``recipe``, ``space``, ``data`` (a fingerprint), ``version``.
        space: What varied.
        trials: Those that began, in the order of their numbers.
        repeats: Likewise.
        searched: What importances are told from.
    """

    question: Mapping[str, Any]
    space: Space
    trials: tuple[TrialView, ...]
    repeats: tuple[TrialView, ...]
    searched: Searched

    def point(self, trial: TrialView) -> Point:
        """The active parameters of a trial, by their override keys."""
        return known_point(self.space, trial.params)


def past_studies(folder: Path, names: Sequence[str]) -> dict[str, PastStudy]:
    """The studies of these names in the storage of a run's folder.

    Returns:
        By name; without those that are not there. Empty where the folder has no storage (a run
        may keep it in a database elsewhere), or one that cannot be read.
    """
    if not (folder / _FILE).is_file():
        return {}
    with tempfile.TemporaryDirectory() as copies:
        copy = Path(copies) / _FILE
        try:
            _copy(folder / _FILE, copy)
        except sqlite3.Error:
            return {}
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        tables = RDBStorage(f"sqlite:///{copy}")
        try:
            there = {study.study_name for study in tables.get_all_studies()}
            found = {name: _study(tables, name, there) for name in names if name in there}
        finally:
            tables.remove_session()
            tables.engine.dispose()
    return {name: study for name, study in found.items() if study is not None}


def _copy(file: Path, to: Path) -> None:
    """Copy a database as it stands.

    Where nobody is at work on it there is no log beside it, and SQLite must not begin one; where
    there is one, it is read too, as far as the folder lets SQLite share it.
    """
    logged = file.with_name(f"{file.name}-wal").exists()
    modes = ("mode=ro", "immutable=1") if logged else ("immutable=1", "mode=ro")
    for last, mode in enumerate(modes):
        try:
            source = sqlite3.connect(f"{file.absolute().as_uri()}?{mode}", uri=True)
            with closing(source), closing(sqlite3.connect(to)) as target:
                source.backup(target)
        except sqlite3.Error:
            if last:
                raise
        else:
            return


def _study(tables: RDBStorage, name: str, there: set[str]) -> PastStudy | None:
    study = optuna.load_study(study_name=name, storage=tables)
    question = question_kept(study)
    if question is None:
        return None
    trials = study.get_trials(deepcopy=False)
    complete = tuple(trial for trial in trials if trial.state is TrialState.COMPLETE)
    repeats = f"{name} repeats"
    tested = (
        optuna.load_study(study_name=repeats, storage=tables).get_trials(deepcopy=False)
        if repeats in there
        else []
    )
    return PastStudy(
        question,
        read_space(question["space"]),
        tuple(TrialView("trial", t) for t in trials if t.state is not TrialState.WAITING),
        tuple(TrialView("repeat", t) for t in tested if t.state is not TrialState.WAITING),
        Searched(complete, study.direction),
    )

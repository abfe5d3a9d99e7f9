"""A run's truth: Optuna's storage, held in memory and written through to its database.

A study has one driver at a time (see `iterate.hpo.storage.lease`), so what it has read stays true:
every question is answered from memory, and every change goes to the database besides, in order,
several that belong together as one transaction.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from iterate.hpo.storage.journal import Journal, Write


class Truth(InMemoryStorage):
    """Optuna's view of a run. Reading is safe from any thread, and so is writing one note.

    Memory has ids of its own, because a trial that was drawn while the database was out of reach
    has none there yet.

    Args:
        journal: Writes to the database.
    """

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal
        self._tables = journal.tables
        self._study_rows: dict[int, int] = {}  # id in memory → in the database
        self._trial_rows: dict[int, int] = {}
        self._unread: set[int] = set()  # studies of which only the notes were read
        self._order = threading.RLock()  # memory and database change in the same order
        self._together: list[Write] | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write all changes of the block at its end, in one transaction.

        Whatever ends the block early leaves the database as it was, which is then where the next
        driver goes on; this one is no longer of use.
        """
        with self._order:
            if self._together is not None:
                yield
                return
            self._together = []
            try:
                yield
                writes = self._together
            finally:
                self._together = None
            if writes:
                self.journal.write(writes)

    def _write(self, write: Callable[[], object]) -> None:
        if self._together is None:
            self.journal.write([write])
        else:
            self._together.append(write)

    # Studies

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Begin a study, in the database at once."""
        if study_name is None:
            raise ValueError("a study needs a name")
        with self._order:
            if not self._study_rows:
                self._meet()
            if study_name in self._names():
                raise DuplicatedStudyError(study_name)
            try:
                row = self.journal.read(
                    lambda: self._tables.create_new_study(directions, study_name)
                )
            except DuplicatedStudyError:  # made a moment ago, perhaps by a try without an answer
                self._meet()
                raise
            study_id = super().create_new_study(directions, study_name)
            self._study_rows[study_id] = row
            return study_id

    def _names(self) -> set[str]:
        return {study.study_name for study in super().get_all_studies()}

    def get_study_id_from_name(self, study_name: str) -> int:
        """The id of a study.

        Raises:
            KeyError: There is none of that name.
        """
        with self._order:
            try:
                return super().get_study_id_from_name(study_name)
            except KeyError:
                self._meet()
                return super().get_study_id_from_name(study_name)

    def get_all_studies(self) -> list[FrozenStudy]:
        """Every study in the database, those of other runs included."""
        with self._order:
            self._meet()
            return super().get_all_studies()

    def _meet(self) -> None:
        """Read the names and notes of studies that are not known yet; their trials come later."""
        known = set(self._study_rows.values())
        for found in self.journal.read(self._tables.get_all_studies):
            if found._study_id in known:
                continue
            study_id = super().create_new_study(found.directions, found.study_name)
            for key, value in found.user_attrs.items():
                super().set_study_user_attr(study_id, key, value)
            for key, value in found.system_attrs.items():
                super().set_study_system_attr(study_id, key, value)
            self._study_rows[study_id] = found._study_id
            self._unread.add(study_id)

    def delete_study(self, study_id: int) -> None:
        """Refused: nothing is ever deleted."""
        raise RuntimeError(f"study {study_id} is kept: a journal deletes nothing")

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Keep a note with a study."""
        with self._order:
            super().set_study_user_attr(study_id, key, value)
            row = self._study_rows[study_id]
            self._write(lambda: self._tables.set_study_user_attr(row, key, value))

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Keep what a sampler knows of a study."""
        with self._order:
            super().set_study_system_attr(study_id, key, value)
            row = self._study_rows[study_id]
            self._write(lambda: self._tables.set_study_system_attr(row, key, value))

    # Trials

    def _read_trials(self, study_id: int) -> None:
        """Read a study's trials, the first time they are asked for."""
        if study_id not in self._unread:
            return
        with self._order:
            row = self._study_rows[study_id]
            for trial in self.journal.read(lambda: self._tables.get_all_trials(row)):
                trial_row = trial._trial_id
                self._trial_rows[super().create_new_trial(study_id, trial)] = trial_row
            self._unread.discard(study_id)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """All trials of a study by number."""
        self._read_trials(study_id)
        return super().get_all_trials(study_id, deepcopy, states)

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        """The id of a trial."""
        self._read_trials(study_id)
        return super().get_trial_id_from_study_id_trial_number(study_id, trial_number)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Begin a trial, or queue one."""
        with self._order:
            self._read_trials(study_id)
            trial_id = super().create_new_trial(study_id, template_trial)
            row = self._study_rows[study_id]
            # A copy, because Optuna's `Trial` works on the original.
            begun = copy.deepcopy(self.get_trial(trial_id))

            def write() -> None:
                self._trial_rows[trial_id] = self._tables.create_new_trial(row, begun)

            self._write(write)
            return trial_id

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """Keep a parameter of a trial."""
        with self._order:
            super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
            self._write(
                lambda: self._tables.set_trial_param(
                    self._trial_rows[trial_id], param_name, param_value_internal, distribution
                )
            )

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Begin a queued trial, or end one."""
        with self._order:
            changed = super().set_trial_state_values(trial_id, state, values)
            if changed:
                self._write(
                    lambda: self._tables.set_trial_state_values(
                        self._trial_rows[trial_id], state, values
                    )
                )
            return changed

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Keep the objective at an epoch."""
        with self._order:
            super().set_trial_intermediate_value(trial_id, step, intermediate_value)
            self._write(
                lambda: self._tables.set_trial_intermediate_value(
                    self._trial_rows[trial_id], step, intermediate_value
                )
            )

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep a note with a trial."""
        with self._order:
            super().set_trial_user_attr(trial_id, key, value)
            self._write(
                lambda: self._tables.set_trial_user_attr(self._trial_rows[trial_id], key, value)
            )

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep what a sampler or scheduler knows of a trial."""
        with self._order:
            super().set_trial_system_attr(trial_id, key, value)
            self._write(
                lambda: self._tables.set_trial_system_attr(self._trial_rows[trial_id], key, value)
            )

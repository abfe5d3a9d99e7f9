"""Checks the studies of a run, those that are finished by their question alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from iterate.config.load import LoadedStudy
from iterate.config.studies import prepared_branches, untried_study
from iterate.config.trying import tried_and_counted
from iterate.hpo.points import trials_to_make
from iterate.hpo.storage.open import opened_storage
from iterate.hpo.storage.truth import Truth
from iterate.hpo.study import Study
from iterate.hpo.trials.trained import trained_before
from iterate.run.session import RunSettings

Check = Callable[[LoadedStudy, str], Study]


@contextmanager
def checking(settings: RunSettings) -> Iterator[Check]:
    """Gives what makes a study of a composed file and a name.

    Every model of it is tried, except where a study of that name and the very same question has
    nothing left to train.
    """
    if settings.storage is None and not (settings.folder / "studies.db").exists():
        yield lambda loaded, name: _tried(loaded, name, None)
        return
    with opened_storage(settings.storage, settings.folder) as storage:
        yield lambda loaded, name: _tried(loaded, name, storage)


def _tried(loaded: LoadedStudy, name: str, storage: Truth | None) -> Study:
    branches = prepared_branches(loaded)
    study = untried_study(loaded, name, branches)
    if storage is None or not _finished(study, storage):
        notes, operations = tried_and_counted(branches)
        return replace(study, notes=notes, operations=operations)
    return study


def _finished(study: Study, storage: Truth) -> bool:
    settings, before = study.settings, trained_before(storage, study)
    trials = trials_to_make(settings, study.space)
    return before.trials >= trials and before.repeats >= settings.repeats

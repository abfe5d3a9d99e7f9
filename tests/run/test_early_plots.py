"""Plots of a study are drawn beside its repeats, and show what there is in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pool_support import make_study

from iterate.hpo.importances import Searched
from iterate.hpo.jobs import Job
from iterate.hpo.ledger import Ledger
from iterate.hpo.replay import Recorded
from iterate.hpo.storage.open import open_storage
from iterate.plots import PlottedStudy
from iterate.run import results
from iterate.run.results import EarlyPlots


def rising(job: Job) -> Sequence[float]:
    return [job.recipe["optimiser"]["lr"] * epoch for epoch in (1, 2, 3)]


def worked(ledger: Ledger, plots: EarlyPlots) -> Ledger:
    while (job := ledger.next_job()) is not None:
        for progress in Recorded(rising)(job):
            ledger.record(job.key, progress)
            plots.changed(ledger, job)
    return ledger


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[PlottedStudy]:
    """What was begun to be drawn."""
    begun: list[PlottedStudy] = []

    def begin(
        work: Callable[..., Any], study: PlottedStudy, searched: Searched, folder: Path
    ) -> Callable[[], Any]:
        begun.append(study)
        return partial(work, study, searched, folder)

    monkeypatch.setattr(results, "begun", begin)
    return begun


def test_plots_are_begun_with_the_repeats_and_once(
    tmp_path: Path, drawn: list[PlottedStudy]
) -> None:
    plots = EarlyPlots()
    ledger = worked(
        Ledger(make_study(trials=5, repeats=2), open_storage(None, tmp_path), tmp_path), plots
    )
    assert [len(study.trials) for study in drawn] == [5]
    files = plots.files(ledger)
    assert len(drawn) == 1
    assert tmp_path / "plots/history.png" in files
    assert all(file.exists() for file in files)


def test_plots_of_a_study_that_went_on_are_drawn_again(
    tmp_path: Path, drawn: list[PlottedStudy]
) -> None:
    plots, storage = EarlyPlots(), open_storage(None, tmp_path)
    worked(Ledger(make_study(trials=3, repeats=1), storage, tmp_path), plots)
    longer = worked(Ledger(make_study(trials=6, repeats=1), storage, tmp_path), EarlyPlots())
    plots.files(longer)
    assert len(drawn[-1].trials) == 6

"""A driver that is stopped while it draws: its trials are whole or absent, and it can go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from optuna.trial import TrialState
from pool_support import make_study
from test_results import work

from iterate.hpo.ledger import Ledger
from iterate.hpo.results import failure_of, summarise
from iterate.hpo.storage.open import open_storage
from iterate.hpo.study import Study
from iterate.run.mlflow import run_record
from iterate.run.results import plotted

SPACE = {
    "optimiser.lr": "interval(0, 1)",
    "data.batch_size": "choice(8, 16, 32)",
    "model.width": "range(1, 9)",
}


@contextmanager
def interrupted(after: int) -> Iterator[None]:
    """Ctrl-C at the next statement or commit after so many, in whichever database."""
    left = [after]

    def count(*_: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    for event in ("before_cursor_execute", "commit"):
        sqlalchemy.event.listen(sqlalchemy.Engine, event, count)
    try:
        yield
    finally:
        for event in ("before_cursor_execute", "commit"):
            sqlalchemy.event.remove(sqlalchemy.Engine, event, count)


def opened(study: Study, folder: Path) -> Ledger:
    ledger = Ledger(study, open_storage(None, folder), folder)
    for trial in ledger.history("trial"):  # what a run shows before it goes on
        run_record(ledger, trial)
    plotted(ledger)
    return ledger


@pytest.mark.parametrize("sampler", ["random", "gp", "qmc"])
def test_a_draw_that_is_cut_anywhere_is_done_again(sampler: str, tmp_path: Path) -> None:
    options = {"name": sampler} | ({"startup_trials": 1} if sampler == "gp" else {})
    study = make_study(space=SPACE, trials=3, sampler=options)
    (tmp_path / "whole").mkdir()
    whole = opened(study, tmp_path / "whole")
    for _ in range(3):
        work(whole, [0.5])
    cut = opened(study, tmp_path)
    work(cut, [0.5])
    work(cut, [0.5])
    statements = 0
    while True:
        try:
            with interrupted(after=statements):
                opened_before = cut.next_job()
            break
        except KeyboardInterrupt:
            cut = opened(study, tmp_path)
            statements += 1
    assert statements > 5
    assert opened_before is not None
    last = opened(study, tmp_path)
    assert last.next_job() == opened_before
    assert [t.params for t in last.history("trial")] == [t.params for t in whole.history("trial")]


def test_a_trial_that_was_left_half_drawn_is_drawn_to_its_end(tmp_path: Path) -> None:
    study = make_study(space=SPACE, trials=2, sampler={"name": "random"})
    work(opened(study, tmp_path), [0.5])
    foreign = optuna.load_study(study_name="study", storage=f"sqlite:///{tmp_path / 'studies.db'}")
    foreign.ask().suggest_float("optimiser.lr", 0, 1)
    ledger = opened(study, tmp_path)
    kept = foreign.trials[1].params["optimiser.lr"]
    work(ledger, [0.7])
    assert ledger.finished
    assert ledger.history("trial")[1].params.keys() == SPACE.keys()
    assert ledger.history("trial")[1].params["optimiser.lr"] == kept


def test_what_another_program_left_is_read(tmp_path: Path) -> None:
    """Trials that it ended without parameters, and repeats that say nothing."""
    study = make_study(space=SPACE, trials=4, repeats=1, sampler={"name": "random"})
    work(opened(study, tmp_path), [0.5])
    database = f"sqlite:///{tmp_path / 'studies.db'}"
    foreign = optuna.load_study(study_name="study", storage=database)
    foreign.tell(foreign.ask(), 9.0)
    foreign.tell(foreign.ask(), state=TrialState.FAIL)
    repeats = optuna.load_study(study_name="study repeats", storage=database)
    repeats.ask()
    repeats.enqueue_trial({})
    ledger = opened(study, tmp_path)
    work(ledger, [0.7])
    best = ledger.best()
    assert best is not None
    assert (best.number, failure_of(ledger)) == (3, None)
    work(ledger, [0.7], {"test/accuracy": 0.7})
    assert ledger.finished
    (repeat,) = ledger.repeats_of(best)
    assert run_record(ledger, repeat).metrics["test/accuracy"] == 0.7
    assert summarise([ledger])["studies"][0]["test"]["accuracy"]["mean"] == 0.7


def test_a_point_that_another_program_queued_may_become_the_best(tmp_path: Path) -> None:
    study = make_study(space=SPACE, trials=2, sampler={"name": "random"})
    work(opened(study, tmp_path), [0.5])
    database = f"sqlite:///{tmp_path / 'studies.db'}"
    optuna.load_study(study_name="study", storage=database).enqueue_trial({"optimiser.lr": 0.01})
    ledger = opened(study, tmp_path)
    work(ledger, [0.7])
    best = ledger.best()
    assert best is not None
    assert (best.number, best.params["optimiser.lr"]) == (1, 0.01)

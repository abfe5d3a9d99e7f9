"""What a view says of a trial, against what Optuna itself reads from the database."""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.trial import FrozenTrial
from pool_support import make_study
from test_results import work

from iterate.hpo.jobs import Progress
from iterate.hpo.ledger import Ledger
from iterate.hpo.results import best_recipe, summarise
from iterate.hpo.storage.open import open_storage
from iterate_core.engine.reports import EpochReport


def in_database(folder: Path, name: str = "study") -> list[FrozenTrial]:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder / 'studies.db'}").trials


def test_a_view_reads_what_the_database_holds(tmp_path: Path) -> None:
    study = make_study(trials=2, repeats=1, sampler={"name": "random"})
    ledger = Ledger(study, open_storage(None, tmp_path), tmp_path)
    work(ledger, [0.2, 0.9, 0.4])
    job = ledger.next_job()
    assert job is not None
    assert ledger.trial_of(job).state == "RUNNING"
    report = EpochReport(1, {"val/score": 0.3}, 0.3, 0.3, 2.5, False)
    ledger.record(job.key, Progress((report,), device="CPU"))
    ledger.record(job.key, Progress(failure="memory ran out", failure_kind="memory"))
    work(ledger, [0.8], {"test/score": 0.7})
    complete, failed = ledger.history("trial")
    (repeat,) = ledger.history("repeat")
    (stored, broken), (again,) = in_database(tmp_path), in_database(tmp_path, "study repeats")

    assert (complete.state, complete.value, complete.best_value) == ("COMPLETE", 0.9, 0.9)
    assert complete.curve == stored.intermediate_values == {1: 0.2, 2: 0.9, 3: 0.4}
    assert [epoch["best"] for epoch in complete.epochs().values()] == [0.2, 0.9, 0.9]
    assert [*complete.epochs(after=1)] == [2, 3]
    assert (complete.train_seconds, complete.last_epoch) == (1.5, 3)
    assert complete.params == stored.params
    assert complete.began is not None
    assert complete.ended is not None
    assert complete.seconds == (complete.ended - complete.began).total_seconds()

    assert (failed.state, failed.value, failed.best_value) == ("FAIL", None, None)
    assert (failed.failure, failed.failure_kind) == ("memory ran out", "memory")
    notes = {"device": "CPU", "seed": failed.seed, "threads": failed.threads}
    assert notes.items() <= broken.user_attrs.items()
    assert None not in notes.values()

    assert (repeat.of, repeat.index, repeat.placed, complete.placed) == (0, 0, True, False)
    assert repeat.test == again.user_attrs["test"] == {"test/score": 0.7}
    assert ledger.point(repeat) == ledger.point(complete)


def test_a_trial_that_another_program_has_told_of_may_be_the_best(tmp_path: Path) -> None:
    """It has no seed, threads or epochs: only its parameters and its value."""
    study = make_study(trials=2, repeats=1, sampler={"name": "random"})
    work(Ledger(study, open_storage(None, tmp_path), tmp_path), [0.5])
    foreign = optuna.load_study(study_name="study", storage=f"sqlite:///{tmp_path / 'studies.db'}")
    trial = foreign.ask()
    trial.suggest_float("optimiser.lr", 0, 1)
    foreign.tell(trial, 0.9)
    ledger = Ledger(study, open_storage(None, tmp_path), tmp_path)
    best = ledger.best()
    assert best is not None
    assert (best.number, best.seed, best.threads, best.epochs()) == (1, None, None, {})
    assert best_recipe(ledger) == best_recipe(Ledger(study, open_storage(None, tmp_path), tmp_path))
    work(ledger, [0.8], {"test/accuracy": 0.7})
    assert summarise([ledger])["studies"][0]["test"]["accuracy"]["mean"] == 0.7

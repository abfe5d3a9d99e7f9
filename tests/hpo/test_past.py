"""A run's storage read afterwards tells what its ledger told, and nothing is written for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pool_support import make_study

from iterate.hpo.importances import Searched
from iterate.hpo.ledger import Ledger
from iterate.hpo.replay import Recorded
from iterate.hpo.storage.open import opened_storage
from iterate.hpo.trials.past import past_studies


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_finished_study_is_told_as_its_ledger_did(tmp_path: Path) -> None:
    study = make_study(trials=6, repeats=2)
    with opened_storage(None, tmp_path) as storage:
        ledger = Ledger(study, storage, tmp_path)
        rising = Recorded(lambda job: [job.recipe["optimiser"]["lr"] * epoch for epoch in (1, 2)])
        while (job := ledger.next_job()) is not None:
            for progress in rising(job):
                ledger.record(job.key, progress)
        meanwhile = past_studies(tmp_path, [study.name])[study.name]
        curves = [dict(trial.curve) for trial in ledger.history("trial")]
        points = [ledger.point(trial) for trial in ledger.history("trial")]
        repeats = [dict(trial.curve) for trial in ledger.history("repeat")]
        importances = Searched.of(ledger).importances()
    before = contents(tmp_path)
    found = past_studies(tmp_path, [study.name, "another"])
    assert contents(tmp_path) == before
    assert list(found) == [study.name]
    past = found[study.name]
    assert [dict(trial.curve) for trial in past.trials] == curves
    assert [past.point(trial) for trial in past.trials] == points
    assert [dict(trial.curve) for trial in past.repeats] == repeats
    assert past.searched.importances() == importances
    assert past.question["data"] == study.data
    assert past.space == study.space
    # Nor does it matter that a driver is still at work.
    assert len(meanwhile.trials) == len(curves)


@pytest.mark.parametrize("content", [None, b"no database"])
def test_without_a_storage_there_is_nothing_to_tell(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "studies.db").write_bytes(content)
    assert past_studies(tmp_path, ["study"]) == {}

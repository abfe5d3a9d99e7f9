"""A small finished run, trained in this process, for tests of what is made of runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine_support import recipe

from iterate.hpo.execute import train
from iterate.hpo.ledger import Ledger
from iterate.hpo.storage.open import opened_storage
from iterate.hpo.study import Study
from iterate.run.results import write_results

SPACE = {
    "optimiser.lr": "tag(log, interval(1e-3, 1e-1))",
    "optimiser.weight_decay": "choice(0, 0.01, 0.1)",
}


def finished_run(
    folder: Path, kind: str = "classification", names: Sequence[str] = ("small",), **changes: Any
) -> Path:
    """A run of five trials and two repeats of two epochs each, of one study or several."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = recipe(kind, **{"trainer": {"epochs": 2, "accelerator": "cpu"}, **changes})
    alone = len(names) == 1
    with opened_storage(None, folder) as storage:
        ledgers = [
            Ledger(
                Study.of(name, asked, SPACE, trials=5, repeats=2),
                storage,
                folder if alone else folder / name,
            )
            for name in names
        ]
        for ledger in ledgers:
            while (job := ledger.next_job()) is not None:
                for progress in train(job):
                    ledger.record(job.key, progress)
            ledger.account.note()
        write_results(ledgers, folder)
    return folder


def summary_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return found

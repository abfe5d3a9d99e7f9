"""How well the repeats of a study found each class: read from what they left, and averaged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from iterate.hpo.execute import TEST_FILE
from iterate.hpo.ledger import Ledger
from iterate.hpo.trials.view import TrialView
from iterate_core.tasks.per_class import score_names


def tested_classes(ledger: Ledger, repeat: TrialView) -> dict[str, Any]:
    """``classes`` and ``confusion`` of a tested repeat, as in its ``test.json``.

    Empty where its task has no classes, or its folder is gone.
    """
    file = ledger.job_folder(repeat) / TEST_FILE
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: found[key] for key in ("classes", "confusion") if key in found}


def mean_over_repeats(repeats: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Each class with its scores averaged over repeats, which were tested on the same samples.

    Args:
        repeats: ``classes`` of each.
    """
    return [_mean(rows) for rows in zip(*repeats, strict=True)]


def _mean(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One class; a repeat in which it neither occurred nor was predicted has no say."""
    known = {
        name: [row[name] for row in rows if row[name] is not None] for name in score_names(rows[0])
    }
    means = {name: fmean(values) if values else None for name, values in known.items()}
    return {"name": rows[0]["name"], "support": rows[0]["support"]} | means

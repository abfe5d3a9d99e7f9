"""The files a run leaves beside its storage: summary, best recipes, plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iterate.core.files import write_json
from iterate.search.ledger import Ledger
from iterate.search.results import best_recipe, summarise


def write_results(
    ledgers: Sequence[Ledger], folder: Path
) -> tuple[dict[str, Any], dict[str, list[Path]]]:
    """Write ``summary.json``, and each study's best recipe and plots where its jobs are.

    Returns:
        The summary, and each study's files by its name.
    """
    summary = summarise(ledgers)
    write_json(folder / "summary.json", summary)
    files = {ledger.study.name: _write_study(ledger) for ledger in ledgers}
    return summary, files


def _write_study(ledger: Ledger) -> list[Path]:
    files: list[Path] = []
    recipe = best_recipe(ledger)
    if recipe is not None:
        files.append(ledger.folder / "recipe.yaml")
        recipe.write(files[-1])
    return files

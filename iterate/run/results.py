"""The files a run leaves beside its storage: summary, environment, best recipes, plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iterate.hpo.ledger import Ledger
from iterate.hpo.results import best_recipe, importances, summarise, threads_of
from iterate.hpo.space import Categorical
from iterate.hpo.trials.view import TrialView
from iterate.plots import PlottedStudy, PlottedTrial, draw_plots
from iterate_core.provenance import environment
from iterate_core.storage.files import write_json


def write_results(
    ledgers: Sequence[Ledger], folder: Path
) -> tuple[dict[str, Any], dict[str, list[Path]]]:
    """Write what a run found, and with what.

    Returns:
        The summary, and each study's files by its name.
    """
    threads = {ledger.study.name: threads_of(ledger) for ledger in ledgers}
    write_json(folder / "environment.json", environment() | {"threads": threads})
    files = {ledger.study.name: _write_study(ledger) for ledger in ledgers}
    for written in files.values():
        written.append(folder / "environment.json")
    summary = summarise(ledgers)
    write_json(folder / "summary.json", summary)
    return summary, files


def _write_study(ledger: Ledger) -> list[Path]:
    plots, written = ledger.folder / "plots", ledger.folder / "recipe.yaml"
    if _written_since(ledger, written):
        return [*sorted(plots.glob("*.*")), written]
    files = draw_plots(plotted(ledger), plots)
    recipe = best_recipe(ledger)
    if recipe is not None:
        files.append(written)  # last, so that it tells that all was written
        recipe.write(written)
    return files


def _written_since(ledger: Ledger, file: Path) -> bool:
    """Whether a file is newer than whatever the study has trained."""
    trials = [*ledger.history("trial"), *ledger.history("repeat")]
    ends = [trial.ended.timestamp() for trial in trials if trial.ended is not None]
    return bool(ends) and file.exists() and file.stat().st_mtime > max(ends)


def plotted(ledger: Ledger) -> PlottedStudy:
    """A study as its plots need it."""
    study = ledger.study
    drawn = [trial for trial in ledger.history("trial") if trial.state != "WAITING"]
    parameters = [parameter for _, parameter in study.space.all()]
    return PlottedStudy(
        name=study.name,
        objective=study.objective.key,
        mode="max" if study.objective.mode == "max" else "min",
        trials=tuple(_plotted_trial(ledger, trial) for trial in drawn),
        importances=importances(ledger),
        log={
            parameter.key
            for parameter in parameters
            if not isinstance(parameter.dimension, Categorical) and parameter.dimension.log
        },
        choices={p.key for p in parameters if isinstance(p.dimension, Categorical)},
    )


def _plotted_trial(ledger: Ledger, trial: TrialView) -> PlottedTrial:
    return PlottedTrial(
        number=trial.number,
        params=ledger.point(trial),
        state=trial.state,
        value=trial.best_value,
        curve=tuple(sorted(trial.curve.items())),
    )

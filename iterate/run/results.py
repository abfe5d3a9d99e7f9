"""The files a run leaves beside its storage: summary, environment, best recipes, plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from iterate.hpo.importances import Searched
from iterate.hpo.jobs import Job
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.forked.server import begun
from iterate.hpo.results import best_recipe, summarise, threads_of
from iterate.hpo.space import Categorical
from iterate.hpo.trials.view import TrialView
from iterate.plots import PlottedStudy, PlottedTrial
from iterate.run.drawing import draw
from iterate_core.provenance import environment
from iterate_core.storage.files import write_json


class EarlyPlots:
    """Draws a study's plots beside its repeats, which do not show in them; watches the ledgers."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[PlottedStudy, Callable[[], list[Path]]]] = {}

    def changed(self, ledger: Ledger, job: Job) -> None:
        """The first repeat says that the search is over."""
        if job.kind == "repeat" and ledger.study.name not in self._begun:
            self._begin(ledger, plotted(ledger))

    def _begin(self, ledger: Ledger, study: PlottedStudy) -> Callable[[], list[Path]]:
        drawing = begun(draw, study, Searched.of(ledger), ledger.folder / "plots")
        self._begun[ledger.study.name] = study, drawing
        return drawing

    def files(self, ledger: Ledger) -> list[Path]:
        """The files of all plots, once they are written; may be asked once."""
        study = plotted(ledger)
        before, drawing = self._begun.pop(ledger.study.name, (None, None))
        files = None if drawing is None else drawing()
        return files if files is not None and before == study else self._begin(ledger, study)()


def write_results(
    ledgers: Sequence[Ledger], folder: Path, drawn: EarlyPlots | None = None
) -> tuple[dict[str, Any], dict[str, list[Path]]]:
    """Write what a run found, and with what.

    Args:
        ledgers: Its studies.
        folder: The run's.
        drawn: What has been drawn already.

    Returns:
        The summary, and each study's files by its name.
    """
    threads = {ledger.study.name: threads_of(ledger) for ledger in ledgers}
    write_json(folder / "environment.json", environment() | {"threads": threads})
    drawn = drawn or EarlyPlots()
    files = {ledger.study.name: _write_study(ledger, drawn) for ledger in ledgers}
    for written in files.values():
        written.append(folder / "environment.json")
    summary = summarise(ledgers)
    write_json(folder / "summary.json", summary)
    return summary, files


def _write_study(ledger: Ledger, drawn: EarlyPlots) -> list[Path]:
    plots, written = ledger.folder / "plots", ledger.folder / "recipe.yaml"
    if _written_since(ledger, written):
        return [*sorted(plots.glob("*.*")), written]
    files = drawn.files(ledger)
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
    """A study as its plots need it, but for the importances."""
    study = ledger.study
    drawn = [trial for trial in ledger.history("trial") if trial.state != "WAITING"]
    parameters = [parameter for _, parameter in study.space.all()]
    return PlottedStudy(
        name=study.name,
        objective=study.objective.key,
        mode="max" if study.objective.mode == "max" else "min",
        trials=tuple(_plotted_trial(ledger, trial) for trial in drawn),
        importances={},  # which it takes a while to tell
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

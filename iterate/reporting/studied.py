"""What a report reads of each study: its summary, its storage, and what lies beside its repeats."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from iterate.hpo.execute import OUTCOMES_FILE
from iterate.hpo.trials.past import PastStudy, past_studies
from iterate.plots.trials import PlottedStudy, PlottedTrial
from iterate.run.models import holds_several, studies_below
from iterate_core.engine.complete import declaration_of
from iterate_core.engine.description import ModelDescription, read_description
from iterate_core.errors import Problem, RequestError
from iterate_core.storage.names import inside
from iterate_core.tasks.declarations import TaskDeclaration
from iterate_core.tasks.metrics import Metric, Mode

SUMMARY = "summary.json"
_TOLD_OF_RUNS = {"wall_seconds", "worker_seconds", "train_seconds"}
_TOLD = {
    *("name", "dataset", "backbone", "objective", "trials", "trials_asked", "best", "repeats"),
    *("test", "test_classes", "all_trials"),
}
_DEEPEST = 3  # so many folders below the run's a study's may lie


@dataclass(frozen=True)
class Studied:
    """One study of a finished run.

    Attributes:
        label: What the page calls it; no two of a page share one.
        run: The run's folder.
        folder: The study's.
        told: Its entry in ``summary.json``.
        whole: All of ``summary.json``.
        environment: What the run was made with; empty where that is not known.
        past: What its storage tells; None where the folder has none.
    """

    label: str
    run: Path
    folder: Path
    told: dict[str, Any]
    whole: dict[str, Any]
    environment: dict[str, Any]
    past: PastStudy | None

    @property
    def alone(self) -> bool:
        """Whether the run is this study and no other."""
        return len(self.whole["studies"]) == 1

    @property
    def objective(self) -> str:
        """The metric that was optimised."""
        return str(self.told["objective"]["metric"])

    @property
    def mode(self) -> str:
        """``max`` or ``min``."""
        return str(self.told["objective"]["mode"])

    @property
    def best(self) -> dict[str, Any] | None:
        """The best trial of the summary; None where none finished."""
        best: dict[str, Any] | None = self.told["best"]
        return best

    @property
    def tested(self) -> list[dict[str, Any]]:
        """The repeats that were tested."""
        return [one for one in self.told["repeats"] if _has_test(one)]

    @property
    def chosen(self) -> dict[str, Any] | None:
        """The repeat whose model is looked at: the best on validation, the first of equals."""
        sign = -1.0 if self.mode == "max" else 1.0
        judged = [one for one in self.tested if one["metrics"].get("val") is not None]
        return min(judged or self.tested, key=lambda one: _rank(one, sign), default=None)

    def place(self, repeat: dict[str, Any]) -> Path:
        """A repeat's folder."""
        return self.folder / inside(str(repeat["folder"]), "a repeat's folder")

    @property
    def sums(self) -> list[Path]:
        """What each test sample adds to the scores, a file a tested repeat."""
        return [self.place(one) / OUTCOMES_FILE for one in self.tested]

    @cached_property
    def recipe(self) -> dict[str, Any] | None:
        """The best point's recipe; None where there is none."""
        try:
            text = (self.folder / "recipe.yaml").read_text(encoding="utf-8")
            found = yaml.safe_load(text)
        except (OSError, yaml.YAMLError):
            return None
        return found if isinstance(found, dict) else None

    @cached_property
    def description(self) -> ModelDescription | None:
        """Of the model of `chosen`; None where its folder is gone, or of an early version."""
        try:
            return None if self.chosen is None else read_description(self.place(self.chosen))
        except RequestError:
            return None

    @cached_property
    def task(self) -> TaskDeclaration | None:
        """What was measured; None where the task is not known here."""
        try:
            if self.description is not None:
                return declaration_of(self.description.info.task)
        except RequestError:
            pass
        return None

    def metric(self, name: str) -> Metric | None:
        """A metric's declaration."""
        return None if self.task is None else self.task.metric(name)

    @cached_property
    def confusions(self) -> list[list[Any]]:
        """``confusion`` of each tested repeat that has one."""
        return [one["confusion"] for one in self.tested if one.get("confusion")]

    @cached_property
    def plotted(self) -> PlottedStudy:
        """Its trials with their curves, as plots need them."""
        curves = {} if self.past is None else {t.number: t.curve for t in self.past.trials}
        trials = tuple(
            PlottedTrial(
                number=one["number"],
                params={key: _plain(value) for key, value in one["params"].items()},
                state=_STATES[one["state"]],
                value=one["value"],
                curve=tuple(sorted(curves.get(one["number"], {}).items())),
            )
            for one in self.told["all_trials"]
            if one["state"] in _STATES
        )
        importances, log, choices = _of_space(self.past)
        mode: Mode = "max" if self.mode == "max" else "min"
        return PlottedStudy(
            self.label, f"val/{self.objective}", mode, trials, importances, log, choices
        )


_STATES: dict[str, Any] = {name.lower(): name for name in ("RUNNING", "COMPLETE", "PRUNED", "FAIL")}


def read_runs(folders: Sequence[Path]) -> tuple[list[Studied], list[str]]:
    """The studies of some runs.

    Args:
        folders: Of runs, or of single studies in the folders of runs.

    Returns:
        Each study once, and the names of those that were named more than once.

    Raises:
        RequestError: One of them is none, or not finished, or there is none at all; all such are
            told.
    """
    if not folders:
        raise RequestError(Problem("", "no run is named.", "Name the folder of one at least."))
    found: list[Studied] = []
    problems: list[Problem] = []
    for folder in folders:
        try:
            found += _read_run(folder)
        except RequestError as error:
            problems += error.problems
    if problems:
        raise RequestError(problems)
    once = {one.folder.resolve(): one for one in reversed(found)}
    count = Counter(one.folder.resolve() for one in found)
    twice = [str(once[folder].folder) for folder, times in count.items() if times > 1]
    return _labelled([once[folder] for folder in count]), twice


def _read_run(folder: Path) -> list[Studied]:
    run = folder
    if not (run / SUMMARY).is_file():
        # A study's name may have parts, each a folder: those of a benchmark are dataset/backbone.
        above = folder.resolve().parents[:_DEEPEST]
        run = next((one for one in above if (one / SUMMARY).is_file()), folder)
    if not run.is_dir():
        raise RequestError(Problem(str(folder), "does not exist.", "Name the folder of a run."))
    if not (run / SUMMARY).is_file():
        if below := studies_below(folder):
            raise RequestError(holds_several(folder, below))
        what = f"holds no {SUMMARY}: it is no run, or one that is not finished."
        hint = "Name what `iterate hpo` or `iterate bench` wrote; the same command finishes it."
        raise RequestError(Problem(str(folder), what, hint))
    whole = _json(run / SUMMARY)
    studies = whole.get("studies")
    if not isinstance(studies, list) or not studies:
        raise RequestError(Problem(str(run / SUMMARY), "tells of no study."))
    lacking = sorted((_TOLD_OF_RUNS - whole.keys()).union(*(_TOLD - one.keys() for one in studies)))
    if lacking:
        what = f"lacks {', '.join(lacking)}: another version of iterate wrote it, or none."
        raise RequestError(Problem(str(run / SUMMARY), what, "The run's command writes it anew."))
    environment = _json(run / "environment.json") if (run / "environment.json").is_file() else {}
    pasts = past_studies(run, [str(one["name"]) for one in studies])
    found = [
        Studied(
            label=str(one["name"]),
            run=run,
            folder=_folder_of(run, str(one["name"]), alone=len(studies) == 1),
            told=one,
            whole=whole,
            environment=environment,
            past=pasts.get(str(one["name"])),
        )
        for one in studies
    ]
    if run is folder:
        return found
    own = [one for one in found if one.folder.resolve() == folder.resolve()]
    if not own:
        what = f"is no study of the run {run}."
        raise RequestError(Problem(str(folder), what, "Name the run, or one of its studies."))
    return own


def _folder_of(run: Path, name: str, *, alone: bool) -> Path:
    """A run that is one study keeps it in its own folder; each of several has one below."""
    below = run / inside(name, f"{run / SUMMARY}: a study's name")
    return run if alone and not below.is_dir() else below


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(Problem(str(file), f"cannot be read ({error}).")) from None
    if not isinstance(found, dict):
        raise RequestError(Problem(str(file), "is not what a run writes."))
    return found


def _labelled(studies: list[Studied]) -> list[Studied]:
    """With the folder's name, and where need be the whole path, where studies share a name."""
    for more in (lambda one: one.run.resolve().name, lambda one: str(one.run)):
        count = Counter(one.label for one in studies)
        studies = [
            replace(one, label=f"{one.told['name']} ({more(one)})") if count[one.label] > 1 else one
            for one in studies
        ]
    return studies


def _has_test(repeat: dict[str, Any]) -> bool:
    return "failure" not in repeat and any(name.startswith("test/") for name in repeat["metrics"])


def _rank(repeat: dict[str, Any], sign: float) -> tuple[float, int]:
    value = repeat["metrics"].get("val")
    return (sign * value if value is not None else 0.0, repeat["index"])


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _of_space(past: PastStudy | None) -> tuple[dict[str, float], set[str], set[str]]:
    """Importances, the parameters on a logarithmic scale, and those that are choices."""
    if past is None:
        return {}, set(), set()
    from iterate.hpo.space import Categorical

    parameters = [parameter for _, parameter in past.space.all()]
    choices = {p.key for p in parameters if isinstance(p.dimension, Categorical)}
    log = {
        p.key for p in parameters if not isinstance(p.dimension, Categorical) and p.dimension.log
    }
    return past.searched.importances(), log, choices

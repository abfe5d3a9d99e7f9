"""From the ledgers to MLflow: what changed in the truth is told to the mirror."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from iterate.hpo.classwise import tested_classes
from iterate.hpo.execute import TEST_FILE
from iterate.hpo.jobs import Job
from iterate.hpo.ledger import Ledger
from iterate.hpo.results import failure_of, test_intervals
from iterate.hpo.study import Study
from iterate.hpo.trials.view import TrialView
from iterate.run.source import source_tags
from iterate.states import KINDS, State
from iterate.tracking.metrics import legal_name
from iterate.tracking.mirror import Backlog, Mirror
from iterate.tracking.records import DatasetRecord, EpochRecord, RunRecord, StudyRecord
from iterate.tracking.settings import TrackingSettings
from iterate_core.fingerprint import canonical
from iterate_core.tasks.metrics import as_json
from iterate_core.tasks.per_class import score_names

# How long the end of a command waits for MLflow; what is unwritten then, the next one writes.
_PATIENCE_SECONDS = 60.0


@dataclass
class Curve:
    """A run's epochs as they were sent last, so that each is made ready for MLflow once."""

    epochs: list[EpochRecord] = field(default_factory=list)
    seconds: float = 0.0
    best: float | None = None

    def grow(self, trial: TrialView) -> None:
        """Add the epochs that are new."""
        after = self.epochs[-1].epoch if self.epochs else 0
        for number, epoch in trial.epochs(after).items():
            self.epochs.append(EpochRecord(number, epoch["metrics"], epoch["time_ms"]))
            self.seconds += epoch["seconds"]
            self.best = epoch["best"]


class Tracker:
    """Passes every change of the ledgers on to MLflow. Calls return at once.

    Args:
        settings: Where MLflow is, if anywhere.
        folder: Where its default store lies.
    """

    def __init__(self, settings: TrackingSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._experiment = ""
        self._mirror: Mirror | None = None
        self._curves: dict[str, Curve] = {}  # of running jobs

    def begin(self, name: str, ledgers: Sequence[Ledger]) -> None:
        """Send the studies and all that their storage holds; what MLflow has changes nothing.

        Args:
            name: Names the experiment, unless the settings do.
            ledgers: The studies of the run; the ids of MLflow's runs are kept with the first.
        """
        if not self._settings.enabled:
            return
        self._experiment = self._settings.experiment or name
        keeper = ledgers[0].notes
        self._mirror = Mirror(self._settings, self._folder, keeper.remember, keeper.recall)
        for ledger in ledgers:
            self._mirror.study(study_record(ledger, self._experiment, ended=False))
            for kind in KINDS:
                for trial in ledger.begun(kind):
                    self._mirror.run(run_record(ledger, trial))

    def changed(self, ledger: Ledger, job: Job) -> None:
        """Send the newest state of the job's run."""
        if self._mirror is not None:
            trial = ledger.trial_of(job)
            curve = self._curves.setdefault(job.key, Curve())
            self._mirror.run(run_record(ledger, trial, curve))
            if trial.finished:
                del self._curves[job.key]

    def end(self, ledgers: Sequence[Ledger], artifacts: Mapping[str, Sequence[Path]]) -> None:
        """Send the finished studies with their files, by study name."""
        if self._mirror is not None:
            for ledger in ledgers:
                files = artifacts[ledger.study.name]
                record = study_record(ledger, self._experiment, ended=True, artifacts=files)
                self._mirror.study(record)

    def close(self) -> Backlog | None:
        """Write what can be written; returns what could not. None where tracking is off."""
        return None if self._mirror is None else self._mirror.close(_PATIENCE_SECONDS)


def study_record(
    ledger: Ledger, experiment: str, *, ended: bool, artifacts: Sequence[Path] = ()
) -> StudyRecord:
    """A study as MLflow shows it."""
    study, best = ledger.study, ledger.best()
    trials = ledger.history("trial")
    metrics: dict[str, float] = {}
    if best is not None and best.value is not None:
        metrics[f"best/{study.objective.key}"] = best.value
    for name, value in test_intervals(ledger).items():
        ends = {"mean": value.mean, "low": value.low, "high": value.high}
        metrics |= {f"test/{name}/{end}": x for end, x in ends.items() if x is not None}
    begins_at = [trial.began for trial in trials if trial.began is not None]
    ends_at = [trial.ended for trial in trials if trial.ended is not None]
    key, metric = study.objective.key, study.objective.metric
    return StudyRecord(
        name=study.name,
        experiment=experiment,
        tags=_source()
        | {
            "iterate.dataset": study.dataset,
            "iterate.backbone": study.backbone,
            "iterate.objective": f"{key} ({study.objective.mode})",
        },
        params=_study_params(ledger),
        artifacts=tuple(artifacts),
        state=_study_state(ledger, ended),
        start_ms=_ms(min(begins_at, default=datetime.now())),
        end_ms=_ms(max(ends_at, default=datetime.now())) if ended else None,
        metrics=metrics,
        dataset=_dataset(ledger),
        columns=(f"best/{key}", f"test/{metric}/mean"),
    )


def run_record(ledger: Ledger, trial: TrialView, curve: Curve | None = None) -> RunRecord:
    """A trial or a repeat as MLflow shows it: its active parameters, seed, curves and end.

    Args:
        ledger: Its study's.
        trial: As it stands.
        curve: Of its epochs, as they were sent last; it grows by those that are new.
    """
    curve = curve or Curve()
    curve.grow(trial)
    metrics = {name: value for name, value in as_json(trial.test).items() if value is not None}
    if trial.kind == "repeat" and metrics:
        metrics |= class_metrics(tested_classes(ledger, trial).get("classes", []))
    if curve.best is not None:
        metrics["train_seconds"] = curve.seconds
        # From the first epoch on: what MLflow is told first, its comparison of runs opens on.
        metrics[f"best/{ledger.study.objective.key}"] = curve.best
    if trial.seconds is not None:
        metrics["duration_seconds"] = trial.seconds
    return RunRecord(
        study=ledger.study.name,
        kind=trial.kind,
        number=trial.number,
        params={key: _text(value) for key, value in ledger.point(trial).items()},
        seed=-1 if trial.seed is None else trial.seed,
        state=trial.state,
        epochs=tuple(curve.epochs),
        metrics=metrics,
        tags=_run_tags(ledger.study, trial),
        start_ms=_ms(trial.began or datetime.now()),
        end_ms=None if trial.ended is None else _ms(trial.ended),
        failure=trial.failure,
        artifacts=_artifacts(ledger, trial),
        dataset=_dataset(ledger),
    )


def _run_tags(study: Study, trial: TrialView) -> dict[str, str]:
    """What a trial tells besides numbers. The backbone is its own: a space may vary it."""
    backbone = trial.backbone or study.backbone
    tags = _source() | {"iterate.dataset": study.dataset, "iterate.backbone": backbone}
    told = {
        "device": trial.device,
        "threads": trial.threads,
        "stopped": trial.stopped,
        "began_anew": trial.began_anew,
    }
    if trial.parameters is not None:
        told["trained_parameters"], told["parameters"] = trial.parameters
    return tags | {f"iterate.{name}": str(what) for name, what in told.items() if what is not None}


def class_metrics(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """``test/class/NAME/f1`` and the like of each class that has scores.

    Names that MLflow would write alike are told apart by the class's place.
    """
    names = [legal_name(str(row["name"]).replace("/", "_")) for row in rows]
    shown = [
        name if names.count(name) == 1 else f"{name} {index}" for index, name in enumerate(names)
    ]
    return {
        f"test/class/{name}/{score}": row[score]
        for name, row in zip(shown, rows, strict=True)
        for score in score_names(row)
        if row[score] is not None
    }


def _dataset(ledger: Ledger) -> DatasetRecord:
    study = ledger.study
    return DatasetRecord(study.dataset, study.data, study.recipe.data.name, study.task)


@cache
def _source() -> dict[str, str]:
    """The same for all runs of a command."""
    return source_tags()


def _artifacts(ledger: Ledger, trial: TrialView) -> tuple[Path, ...]:
    """The recipe, and a repeat's checkpoint: the models worth keeping are those tested."""
    folder = ledger.job_folder(trial)
    files = [folder / "recipe.yaml"]
    if trial.kind == "repeat" and trial.state == "COMPLETE":
        files += [folder / "best.safetensors", folder / TEST_FILE]
    return tuple(file for file in files if file.exists())


def _study_params(ledger: Ledger) -> dict[str, str]:
    settings = ledger.study.settings
    return {
        "sampler": settings.sampler.name,
        "scheduler": settings.scheduler.name,
        "trials": str(settings.trials),
        "repeats": str(settings.repeats),
        "search.seed": str(settings.seed),
    } | {f"space.{key}": _text(value) for key, value in _dimensions(ledger).items()}


def _dimensions(ledger: Ledger) -> Mapping[str, Any]:
    return ledger.study.space.to_mapping()


def _study_state(ledger: Ledger, ended: bool) -> State:
    if not ended:
        return "RUNNING"
    return "FAIL" if failure_of(ledger) is not None else "COMPLETE"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)

"""What the mirror is told: the whole truth of a study or of one of its runs, as of now.

A record says everything each time. Sending a newer one replaces the older, and sending the same
one twice changes nothing, so the caller keeps no account of what was sent before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iterate.states import Kind, State


@dataclass(frozen=True)
class EpochRecord:
    """One epoch's metrics.

    Attributes:
        epoch: Counted from 1; the step of the curves in MLflow.
        metrics: ``"split/metric"`` → value; NaN and infinity are allowed here.
        timestamp_ms: When the epoch ended, in milliseconds since 1970 (UTC). The truth keeps it:
            the same epoch always carries the same time.
    """

    epoch: int
    metrics: dict[str, float]
    timestamp_ms: int


@dataclass(frozen=True)
class DatasetRecord:
    """What a run was trained on, as MLflow lists it.

    Attributes:
        digest: Fixed by the content; at most 36 characters.
        reader: What reads it.
        task: What it asks for.
    """

    name: str
    digest: str
    reader: str
    task: str


@dataclass(frozen=True)
class StudyRecord:
    """A study: the parent of its trials and repeats.

    Attributes:
        name: Unique within one truth; other people's studies of that name stay apart.
        experiment: The MLflow experiment, unless ``tracking.experiment`` names another.
        tags: Whatever people should be able to search for.
        params: What was asked for; MLflow keeps the first value of each for good, and a later
            one becomes the tag ``iterate.changed.<name>``.
        artifacts: Files, and folders (kept under their own name).
        state: COMPLETE becomes MLflow's FINISHED, PRUNED its KILLED, FAIL its FAILED.
        start_ms: Milliseconds since 1970 (UTC).
        end_ms: None while it runs.
        metrics: Figures of the study as of now, such as counts of trials or the test mean.
        history: Curves of the study itself, such as the best value after each finished trial
            (`EpochRecord.epoch` then counts trials). No name may be in `metrics` too.
        dataset: What its runs were trained on.
        columns: Names of the metrics that stand for the study in a list of studies.
    """

    name: str
    experiment: str
    tags: dict[str, str]
    params: dict[str, Any]
    artifacts: tuple[Path, ...]
    state: State
    start_ms: int
    end_ms: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    history: tuple[EpochRecord, ...] = ()
    dataset: DatasetRecord | None = None
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _refuse_shared_names(self.history, self.metrics)

    @property
    def key(self) -> tuple[str, str, int]:
        """(study, kind, number) of this run in MLflow."""
        return self.name, "study", 0


@dataclass(frozen=True)
class RunRecord:
    """A trial, or a repeat of the best one.

    Attributes:
        study: The name in its `StudyRecord`.
        number: The trial's number in the study, or the repeat's.
        params: Exactly the active parameters.
        seed: Shown as the tag ``iterate.seed``.
        epochs: In ascending order.
        metrics: Final figures (``test/accuracy``, durations in seconds). No name may be in
            `epochs` too: a curve and a single figure cannot share one.
        tags: Whatever people should be able to search for.
        start_ms: Milliseconds since 1970 (UTC).
        end_ms: None while it waits or runs.
        failure: Why it failed; shown as the tag ``iterate.failure``.
        artifacts: Files, and folders (kept under their own name).
        dataset: What it was trained on.
    """

    study: str
    kind: Kind
    number: int
    params: dict[str, Any]
    seed: int
    state: State
    epochs: tuple[EpochRecord, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    start_ms: int = 0
    end_ms: int | None = None
    failure: str | None = None
    artifacts: tuple[Path, ...] = ()
    dataset: DatasetRecord | None = None

    def __post_init__(self) -> None:
        _refuse_shared_names(self.epochs, self.metrics)

    @property
    def key(self) -> tuple[str, str, int]:
        """(study, kind, number) of this run in MLflow."""
        return self.study, self.kind, self.number


def _refuse_shared_names(epochs: tuple[EpochRecord, ...], final: dict[str, float]) -> None:
    curves = {name for epoch in epochs for name in epoch.metrics}
    if shared := sorted(curves & final.keys()):
        raise ValueError(f"a curve and a final metric cannot share a name, but got {shared}")

"""What is known to be in MLflow for one run, and so what of a record is not there yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iterate.tracking.metrics import Point, curves, figures, param_values, stored
from iterate.tracking.records import RunRecord, StudyRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# How a state of ours is called in MLflow.
STATUS = {
    "WAITING": "SCHEDULED",
    "RUNNING": "RUNNING",
    "COMPLETE": "FINISHED",
    "PRUNED": "KILLED",
    "FAIL": "FAILED",
}
ENDED = ("COMPLETE", "PRUNED", "FAIL")
_SOURCE = "mlflow.source."


@dataclass
class News:
    """What a record says beyond what MLflow has."""

    points: list[Point]
    params: dict[str, str]
    tags: dict[str, str]


@dataclass
class Cursor:
    """What MLflow has of one run.

    Attributes:
        curves: Name → the (step, value) pairs that are there.
        figures: Name → the latest value, as text.
        listings: Artifact folder → the sizes of the files in it; a folder that is absent here
            was not asked for yet.
        dataset: Whether the run says what it was trained on.
    """

    run_id: str
    status: str = "RUNNING"
    end_ms: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    curves: dict[str, set[tuple[int, str]]] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, tuple[int, int]] = field(default_factory=dict)
    listings: dict[str, dict[str, int]] = field(default_factory=dict)
    dataset: bool = False

    @classmethod
    def of(cls, client: MlflowClient, run: Run, record: RunRecord | StudyRecord) -> Cursor:
        """The cursor of a run that was there before this process.

        Whole curves are fetched only where the run did not end as the record says: its status
        is written last, so a run that has it has everything.
        """
        info, latest = run.info, run.data.metrics
        cursor = cls(info.run_id, info.status, info.end_time, run.data.params, run.data.tags)
        cursor.dataset = bool(run.inputs is not None and run.inputs.dataset_inputs)
        cursor.figures = {key: repr(stored(value)) for key, value in latest.items()}
        ended = record.state in ENDED and (info.status, info.end_time) == (
            STATUS[record.state],
            record.end_ms,
        )
        for key, curve in curves(record).items():
            if key not in latest:
                continue
            if ended and cursor.figures[key] == curve[-1].content[1]:
                cursor.curves[key] = {point.content for point in curve}
                continue
            cursor.curves[key] = {
                Point(key, metric.step, metric.timestamp, metric.value).content
                for metric in client.get_metric_history(info.run_id, key)
            }
        return cursor

    def news(self, record: RunRecord | StudyRecord, tags: Mapping[str, str], now_ms: int) -> News:
        """What of a record, and of its tags, is not in MLflow yet."""
        params: dict[str, str] = {}
        changed: dict[str, str] = {}
        for key, value in param_values(record.params).items():
            if key not in self.params:
                params[key] = value
            elif self.params[key] != value:  # MLflow never changes a parameter
                changed[f"iterate.changed.{key}"] = value
        # A run comes from the command that began it, not from one that tells of it again.
        known = {key for key in self.tags if key.startswith(_SOURCE)}
        all_tags = {key: value for key, value in {**tags, **changed}.items() if key not in known}
        new_tags = {key: value for key, value in all_tags.items() if self.tags.get(key) != value}
        return News(self._new_points(record, now_ms), params, new_tags)

    def _new_points(self, record: RunRecord | StudyRecord, now_ms: int) -> list[Point]:
        new = [
            point
            for key, curve in curves(record).items()
            for point in curve
            if point.content not in self.curves.get(key, ())
        ]
        new += [
            point
            for point in figures(record, now_ms)
            if self.figures.get(point.key) != point.content[1]
        ]
        # Oldest first: a curve that is written half-way has no holes.
        return sorted(new, key=lambda point: (point.step, point.key))

    def advance(self, news: News) -> None:
        """Note what was written."""
        self.params |= news.params
        self.tags |= news.tags
        for point in news.points:
            self.curves.setdefault(point.key, set()).add(point.content)
            self.figures[point.key] = point.content[1]

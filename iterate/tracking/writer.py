"""Bring one MLflow run up to date with a record, writing only what is not there yet."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeVar

from iterate.tracking.artifacts import send_artifacts
from iterate.tracking.diff import ENDED, STATUS, Cursor, News
from iterate.tracking.metrics import legal_name, tag_values
from iterate.tracking.records import RunRecord, StudyRecord
from iterate.tracking.views import VIEW_TAG, studies_view

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

T = TypeVar("T")
Key = tuple[str, str, int]
Record = RunRecord | StudyRecord

# MLflow takes 1,000 entries a batch, of which at most 100 parameters and 100 tags.
_METRICS, _PARAMS, _TAGS = 800, 100, 100
# Models are trained here; otherwise the dashboard guesses, and may take it for a chat program.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}


class NoParent(Exception):  # noqa: N818 - a state: the run waits for its study
    """A run was sent before its study."""


class Writer:
    """Writes records; every call is idempotent and raises whatever MLflow raises.

    A study has an identity, remembered in the truth before anything is written, which its runs
    carry as the tag ``iterate.id``. They are found again by it, so a process that was killed
    after creating a run and before remembering it makes no second one, and equal names of
    different people on one server stay apart.

    Args:
        client: Of the tracking store.
        artifacts: Location of a new experiment's artifacts; None leaves it to the server.
        experiment: Replaces the records' own experiment.
        remember: Keeps a text under a key in the truth.
        recall: Gives it back, or None.
    """

    def __init__(
        self,
        client: MlflowClient,
        artifacts: str | None,
        experiment: str | None,
        remember: Callable[[str, str], None],
        recall: Callable[[str], str | None],
    ) -> None:
        self._client = client
        self._artifacts = artifacts
        self._experiment = experiment
        self._remember = remember
        self._recall = recall
        self._experiments: dict[str, str] = {}
        self._identities: dict[str, str] = {}
        self._home: dict[str, str] = {}  # study → id of its experiment
        self._studies: dict[str, StudyRecord] = {}
        self._run_ids: dict[Key, str] = {}
        self._found: dict[Key, Run] = {}  # as MLflow had them when the study was first met
        self._cursors: dict[Key, Cursor] = {}

    def forget(self) -> None:
        """Trust nothing known about the store: it may have been replaced."""
        for known in (self._experiments, self._identities, self._home):
            known.clear()
        self._run_ids.clear()
        self._found.clear()
        self._cursors.clear()

    def write(self, record: Record) -> None:
        """Make MLflow's run equal to the record; a run that a person deleted there stays so.

        Raises:
            NoParent: The record is of a run whose study was not written yet.
            FileNotFoundError: An artifact is not there; everything else was written.
        """
        try:
            cursor = self._cursors.get(record.key) or self._open(record)
            if cursor is None:
                return
            self._log(cursor, cursor.news(record, self._tags(record), int(time.time() * 1000)))
            self._log_dataset(cursor, record)
            missing = send_artifacts(self._client, cursor, record.artifacts)
            self._set_status(cursor, record)
        except Exception:
            # How far it got is unknown: ask MLflow next time.
            self._cursors.pop(record.key, None)
            raise
        if record.state in ENDED:
            self._cursors.pop(record.key, None)  # a bench has thousands, and few come back
        if missing:
            raise FileNotFoundError(f"the artifact {missing[0]} is not there")

    def _open(self, record: Record) -> Cursor | None:
        """The cursor of a record's run, created if need be; None if a person deleted it."""
        if isinstance(record, StudyRecord):
            self._studies[record.name] = record
            self._meet(record)
        elif (record.study, "study", 0) not in self._run_ids:
            if record.study not in self._studies:
                raise NoParent(f"its study {record.study!r} was not sent yet")
            self._open(self._studies[record.study])
        run = self._existing(record.key)
        cursor = Cursor.of(self._client, run, record) if run is not None else self._create(record)
        self._run_ids[record.key] = cursor.run_id
        name = memory_key(record.key)
        if self._recall(name) != cursor.run_id:
            self._remember(name, cursor.run_id)
        if run is not None and run.info.lifecycle_stage == "deleted":
            return None
        self._cursors[record.key] = cursor
        return cursor

    def _meet(self, study: StudyRecord) -> None:
        """Find the study's experiment and whatever it has there already."""
        if study.name in self._home:
            return
        identity = self._recall(f"{study.name}/identity")
        if identity is None:
            identity = uuid.uuid4().hex
            self._remember(f"{study.name}/identity", identity)
        experiment = self._experiment_id(self._experiment or study.experiment)
        query, token = f"tags.`iterate.id` = '{identity}'", None
        while True:
            page = self._client.search_runs([experiment], query, page_token=token)
            for run in page:
                tags = run.data.tags
                number = int(tags.get("iterate.number", "0"))
                self._found[study.name, tags["iterate.kind"], number] = run
            token = page.token
            if not token:
                break
        self._identities[study.name] = identity
        self._home[study.name] = experiment
        self._show_columns(study)

    def _experiment_id(self, name: str) -> str:
        if name not in self._experiments:
            found = self._client.get_experiment_by_name(name)
            self._experiments[name] = (
                found.experiment_id
                if found is not None
                else self._client.create_experiment(name, self._artifacts, _EXPERIMENT_TAGS)
            )
        return self._experiments[name]

    def _existing(self, key: Key) -> Run | None:
        from mlflow.exceptions import MlflowException

        if key in self._found:
            return self._found.pop(key)
        run_id = self._run_ids.get(key) or self._recall(memory_key(key))
        if run_id is None:
            return None
        try:
            return self._client.get_run(run_id)
        except MlflowException as error:
            # Remembered from another store, such as the folder's before tracking.uri was set.
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _create(self, record: Record) -> Cursor:
        study, kind, number = record.key
        name = study if kind == "study" else f"{kind} {number:02d}"
        tags = self._tags(record)
        run = self._client.create_run(
            self._home[study], start_time=record.start_ms or None, tags=tags, run_name=name
        )
        return Cursor(run.info.run_id, tags=tags, listings={"": {}})

    def _tags(self, record: Record) -> dict[str, str]:
        study, kind, number = record.key
        own = {
            "iterate.id": self._identities[study],
            "iterate.study": study,
            "iterate.kind": kind,
            "iterate.state": record.state,
        }
        if isinstance(record, RunRecord):
            own["iterate.number"] = str(number)
            own["iterate.seed"] = str(record.seed)
            own["mlflow.parentRunId"] = self._run_ids[study, "study", 0]
            if record.failure is not None:
                own["iterate.failure"] = record.failure
        return tag_values({**record.tags, **own})

    def _log(self, cursor: Cursor, news: News) -> None:
        from mlflow.entities import Metric, Param, RunTag

        for points, params, tags in zip_longest(
            _chunks(news.points, _METRICS),
            _chunks(list(news.params.items()), _PARAMS),
            _chunks(list(news.tags.items()), _TAGS),
            fillvalue=(),
        ):
            self._client.log_batch(
                cursor.run_id,
                [Metric(p.key, p.value, p.timestamp_ms, p.step) for p in points],
                [Param(key, value) for key, value in params],
                [RunTag(key, value) for key, value in tags],
            )
        cursor.advance(news)

    def _log_dataset(self, cursor: Cursor, record: Record) -> None:
        """Say what the run was trained on; where the data lie is nobody's business."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        data = record.dataset
        if data is None or cursor.dataset:
            return
        source, profile = json.dumps({"reader": data.reader}), json.dumps({"task": data.task})
        dataset = Dataset(data.name, data.digest, data.reader, source, profile=profile)
        context = [InputTag("mlflow.data.context", "training")]
        self._client.log_inputs(cursor.run_id, [DatasetInput(dataset, context)])
        cursor.dataset = True

    def _show_columns(self, study: StudyRecord) -> None:
        """Keep the view of the experiment's studies that has a column for each of theirs."""
        if not study.columns:
            return
        home = self._home[study.name]
        before = self._client.get_experiment(home).tags.get(VIEW_TAG)
        columns = [legal_name(name) for name in study.columns]
        view = studies_view(columns, before, int(time.time() * 1000))
        if view != before:
            self._client.set_experiment_tag(home, VIEW_TAG, view)

    def _set_status(self, cursor: Cursor, record: Record) -> None:
        status = STATUS[record.state]
        if record.state not in ENDED:
            if status != cursor.status:
                self._client.update_run(cursor.run_id, status=status)
        elif (status, record.end_ms or cursor.end_ms) != (cursor.status, cursor.end_ms):
            self._client.set_terminated(cursor.run_id, status, record.end_ms)
        cursor.status, cursor.end_ms = status, record.end_ms or cursor.end_ms


def memory_key(key: Key) -> str:
    """The key under which the truth keeps a run's id: ``eurosat/trial/7``."""
    study, kind, number = key
    return f"{study}/study" if kind == "study" else f"{study}/{kind}/{number}"


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))

"""The mirror: shows in MLflow what the truth says, from a thread that nothing waits for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from iterate.tracking.logging import quiet_thread, set_defaults
from iterate.tracking.records import RunRecord, StudyRecord
from iterate.tracking.settings import TrackingSettings
from iterate.tracking.store import Place, open_store, place
from iterate.tracking.writer import Key, NoParent, Record, Writer
from iterate_core.escaping import visible
from iterate_core.secrets import without_passwords

logger = logging.getLogger(__name__)

# Records that arrive within this time of each other are written together.
_GATHER_SECONDS = 0.5
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 1.0, 60.0
# MLflow's own words for "this request is wrong"; whatever else it says is an outage.
_REFUSALS = {
    "INVALID_PARAMETER_VALUE",
    "BAD_REQUEST",
    "INVALID_STATE",
    "RESOURCE_ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
}


@dataclass(frozen=True)
class Backlog:
    """What is not in MLflow, and why; false when everything is.

    Nothing is lost: records come from the study's storage, and the next run of the same command
    sends them again.

    Attributes:
        records: How many studies, trials and repeats are not written, or not wholly.
        reason: The last error, in MLflow's words.
        uri: Where they should have gone.
    """

    records: int
    reason: str | None
    uri: str

    def __bool__(self) -> bool:
        return self.records > 0

    def __str__(self) -> str:
        if not self.records:
            return f"everything is in MLflow ({self.uri})"
        reason = self.reason or "it has not answered yet"
        runs = "1 run is" if self.records == 1 else f"{self.records} runs are"
        return (
            f"{runs} not wholly in MLflow ({self.uri}): {reason}. Nothing is lost: the "
            "study's storage has everything, and the same command writes the rest next time."
        )


class Mirror:
    """Keeps MLflow equal to the newest record of each study, trial and repeat.

    `study` and `run` take microseconds and never raise for MLflow's sake; a thread of its own
    imports MLflow, opens the store and writes. While the store is out of reach the newest record
    of each run is kept in memory and tried again, first after a second, then ever more rarely.

    Thread safety: every method may be called from any thread. `remember` and `recall` are called
    from the writing thread, so they must be safe beside the caller's own use of the truth (an
    Optuna storage is). One mirror a process is enough for any number of studies.

    Args:
        settings: ``enabled: false`` makes every method do nothing.
        default_folder: Holds ``mlflow.db`` and ``mlartifacts`` unless ``settings.uri`` is set.
        remember: Keeps a text (an MLflow id) under a key in the truth. Keys begin with the
            study's name: ``eurosat/identity``, ``eurosat/study``, ``eurosat/trial/7``.
        recall: Gives back what was remembered under a key, also by an earlier process; or None.
    """

    def __init__(
        self,
        settings: TrackingSettings,
        default_folder: Path,
        remember: Callable[[str, str], None],
        recall: Callable[[str], str | None],
    ) -> None:
        self._place = place(settings.uri, default_folder)
        self._experiment = settings.experiment
        self._remember, self._recall = remember, recall
        self._changed = threading.Condition()
        self._waiting: dict[Key, Record] = {}
        self._refused: dict[Key, Record] = {}
        self._reason: str | None = None
        self._wait_seconds = 0.0  # not zero: the store is out of reach
        self._hurry = self._closing = False
        self._thread: threading.Thread | None = None
        if settings.enabled:
            set_defaults()
            self._thread = threading.Thread(target=self._work, name="mlflow-mirror", daemon=True)
            self._thread.start()

    @property
    def place(self) -> Place:
        """Where it writes."""
        return self._place

    def study(self, record: StudyRecord) -> None:
        """This is now the whole truth of the study."""
        self._accept(record)

    def run(self, record: RunRecord) -> None:
        """This is now the whole truth of the trial or repeat."""
        self._accept(record)

    def flush(self, timeout: float) -> Backlog:
        """Wait up to `timeout` seconds until everything sent so far is written."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._hurry_up()
            while self._thread is not None and self._waiting and self._thread.is_alive():
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    break
                self._changed.wait(remaining)
            return self._backlog()

    def close(self, timeout: float) -> Backlog:
        """Write what is left and stop; tells what could not be written.

        A store that is out of reach is tried once more and then left; waits at most `timeout`
        seconds. Nothing is accepted afterwards.
        """
        with self._changed:
            self._closing = True
            self._hurry_up()
        if self._thread is not None:
            self._thread.join(timeout)
        with self._changed:
            if self._waiting and self._reason is None:
                self._reason = f"it took longer than {timeout:g} s"
            return self._backlog()

    def _accept(self, record: Record) -> None:
        with self._changed:
            if self._thread is None or self._closing:
                return
            self._refused.pop(record.key, None)
            self._waiting[record.key] = record
            if isinstance(record, StudyRecord):  # its runs may have come before it
                held = {k: r for k, r in self._refused.items() if k[0] == record.name}
                self._refused = {k: r for k, r in self._refused.items() if k not in held}
                self._waiting = {**held, **self._waiting}
            self._changed.notify_all()

    def _hurry_up(self) -> None:
        self._waiting = {**self._refused, **self._waiting}
        self._refused = {}
        self._hurry = True
        self._changed.notify_all()

    def _backlog(self) -> Backlog:
        count = len(self._waiting.keys() | self._refused.keys())
        return Backlog(count, self._reason if count else None, self._place.shown)

    def _work(self) -> None:
        """The writing thread."""
        writer: Writer | None = None
        with quiet_thread():
            while self._gather():
                try:
                    if writer is None:
                        writer = self._open()
                    self._write_all(writer)
                except Exception as error:  # noqa: BLE001 - an outage never stops training
                    if writer is not None:
                        writer.forget()
                    self._note_outage(error)
                    if self._closing:
                        return
                else:
                    self._note_success()

    def _open(self) -> Writer:
        client = open_store(self._place)
        return Writer(client, self._place.artifacts, self._experiment, self._remember, self._recall)

    def _gather(self) -> bool:
        """Wait until there is something to write; False when there is not and we are closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if not self._hurry and not self._closing:
                pause = self._wait_seconds or _GATHER_SECONDS
                self._changed.wait_for(lambda: self._hurry, pause)
            # During an outage a hurry is worth one attempt, not an endless row of them.
            self._hurry = False
            return bool(self._waiting)

    def _write_all(self, writer: Writer) -> None:
        """Write every waiting record, studies first; raises when the store is out of reach."""
        with self._changed:
            batch = sorted(self._waiting.items(), key=lambda item: item[0][1] != "study")
        for key, record in batch:
            try:
                writer.write(record)
            except Exception as error:
                if not _refusal(error):
                    raise
                self._settle(key, record, error)
            else:
                self._settle(key, record, None)

    def _settle(self, key: Key, record: Record, error: Exception | None) -> None:
        """Take a record off the list, unless a newer one has come meanwhile."""
        with self._changed:
            if self._waiting.get(key) is record:
                del self._waiting[key]
                if error is not None:
                    self._refused[key] = record
                    self._reason = f"{' '.join(map(str, key))}: {_sentence(error)}"
                    logger.info("MLflow refused %s", self._reason)
            self._changed.notify_all()

    def _note_outage(self, error: Exception) -> None:
        with self._changed:
            first = not self._wait_seconds
            longer = min(2 * self._wait_seconds, _LONGEST_WAIT_SECONDS)
            self._wait_seconds = longer or _FIRST_WAIT_SECONDS
            self._reason = _sentence(error)
            self._changed.notify_all()
        if first:
            logger.warning(
                "MLflow (%s) is out of reach: %s. Training goes on; what is missing there is "
                "written as soon as it answers.",
                self._place.shown,
                self._reason,
            )

    def _note_success(self) -> None:
        with self._changed:
            was_out, self._wait_seconds = bool(self._wait_seconds), 0.0
        if was_out:
            logger.warning("MLflow (%s) answers again.", self._place.shown)


def _refusal(error: Exception) -> bool:
    """Whether this record is at fault rather than the store."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return error.error_code in _REFUSALS
    return isinstance(error, NoParent | FileNotFoundError | ValueError | TypeError | KeyError)


def _sentence(error: Exception) -> str:
    """The first line of an error, short enough for one line of a log, without passwords."""
    lines = str(error).strip().splitlines() or [""]
    text = visible(without_passwords(lines[0]))[:300].rstrip(".")
    return text or type(error).__name__

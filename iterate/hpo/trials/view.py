"""A trial as it stands, and the notes that are kept with it.

Optuna keeps what it does not know of a trial under free names, its user attributes. They are
named, written and read here alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, cast

from iterate.states import Kind, State
from iterate_core.engine.reports import EpochReport

if TYPE_CHECKING:
    import optuna

_EPOCH = "epoch:"


class TrialNotes(TypedDict, total=False):
    """What is noted of a trial or repeat, by the names that it has in the storage.

    Attributes:
        of: Which trial's point a repeat trains.
        index: Which of that trial's repeats it is, counted from 0.
        seed: Fixes weights, order and augmentation.
        threads: With how many CPU threads it trains.
        backbone: Its name; a space may vary it.
        device: What it trained on last.
        parameters: How many of its model's train, and how many there are.
        flops: Floating-point operations of predicting one image.
        test: ``"test/metric"`` → value.
        killed: How often its worker processes died in earlier commands.
        began_anew: Why it began again from its first epoch.
        stopped: Why it was ended early, if not by the scheduler.
        failure: Why it failed, in one sentence.
        failure_kind: Equal for failures that have one cause.
    """

    of: int
    index: int
    seed: int
    threads: int
    backbone: str
    device: str
    parameters: tuple[int, int]
    flops: float
    test: dict[str, float]
    killed: int
    began_anew: str
    stopped: str
    failure: str | None
    failure_kind: str | None


class EpochNote(TypedDict):
    """What is noted of an epoch.

    Attributes:
        metrics: ``"split/metric"`` → value.
        seconds: That it took.
        best: The objective at the best epoch up to this one.
        time_ms: When it was written down, in milliseconds since 1970 (UTC).
    """

    metrics: dict[str, float]
    seconds: float
    best: float
    time_ms: int


def note(trial: optuna.Trial, **notes: Unpack[TrialNotes]) -> None:
    """Keep notes with a trial at work."""
    for name, value in notes.items():
        trial.set_user_attr(name, value)


def note_epoch(trial: optuna.Trial, report: EpochReport) -> None:
    """Write down an epoch. Its value goes last: it counts once all of it is there."""
    noted = EpochNote(
        metrics=report.metrics,
        seconds=report.seconds,
        best=report.best,
        time_ms=int(time.time() * 1000),
    )
    trial.set_user_attr(f"{_EPOCH}{report.epoch}", noted)
    trial.report(report.value, report.epoch)


@dataclass(frozen=True)
class TrialView:
    """A trial or a repeat, as it stood when it was asked for.

    Attributes:
        kind: Which of the two it is.
    """

    kind: Kind
    _trial: optuna.trial.FrozenTrial

    @property
    def _notes(self) -> TrialNotes:
        return cast("TrialNotes", self._trial.user_attrs)

    @property
    def number(self) -> int:
        """Counted from 0 within its kind."""
        return self._trial.number

    @property
    def storage_id(self) -> int:
        """Names it in the run's storage."""
        return self._trial._trial_id

    @property
    def params(self) -> Mapping[str, Any]:
        """What was drawn, as Optuna names it; `History.point` has it by override keys."""
        return self._trial.params

    # How it stands

    @property
    def state(self) -> State:
        """Queued, at work (or interrupted at it), or how it ended."""
        return cast("State", self._trial.state.name)

    @property
    def finished(self) -> bool:
        """Whether it has ended, in whichever way."""
        return self._trial.state.is_finished()

    @property
    def began(self) -> datetime | None:
        """Local time; None while it is only queued."""
        return self._trial.datetime_start

    @property
    def ended(self) -> datetime | None:
        """Local time; None before."""
        return self._trial.datetime_complete

    @property
    def seconds(self) -> float | None:
        """From beginning to end; None before."""
        duration = self._trial.duration
        return None if duration is None else duration.total_seconds()

    @property
    def failure(self) -> str | None:
        """Why it failed, in one sentence."""
        return self._notes.get("failure")

    @property
    def failure_kind(self) -> str | None:
        """Equal for failures that have one cause; trials of early versions have none."""
        return self._notes.get("failure_kind")

    @property
    def stopped(self) -> str | None:
        """Why it was ended early, if not by the scheduler."""
        return self._notes.get("stopped")

    @property
    def killed(self) -> int:
        """How often its worker processes died in earlier commands."""
        return self._notes.get("killed", 0)

    # What it came to

    @property
    def value(self) -> float | None:
        """The objective at its best epoch; None unless it is complete."""
        return self._trial.value

    @property
    def best_value(self) -> float | None:
        """The objective at its best epoch so far; None of a failed trial, or before any epoch."""
        if self.state == "COMPLETE":
            return self.value
        epochs = self.epochs()
        if self.state == "FAIL" or not epochs:
            return None
        return float(epochs[max(epochs)]["best"])

    @property
    def curve(self) -> Mapping[int, float]:
        """Epoch → objective."""
        return self._trial.intermediate_values

    @property
    def last_epoch(self) -> int:
        """The last that it reported; 0 before any."""
        return max(self.curve, default=0)

    def epoch(self, number: int) -> EpochNote:
        """What was noted of an epoch that was reported."""
        return cast("EpochNote", self._trial.user_attrs[f"{_EPOCH}{number}"])

    def epochs(self, after: int = 0) -> dict[int, EpochNote]:
        """What was noted of each epoch, by its number; only of those that follow `after`."""
        noted = self._trial.user_attrs
        if after:
            later = range(after + 1, self.last_epoch + 1)
            return {n: self.epoch(n) for n in later if f"{_EPOCH}{n}" in noted}
        numbers = sorted(
            int(name.removeprefix(_EPOCH)) for name in noted if name.startswith(_EPOCH)
        )
        return {number: self.epoch(number) for number in numbers}

    @property
    def train_seconds(self) -> float:
        """What its epochs took, in all sessions."""
        return float(sum(epoch["seconds"] for epoch in self.epochs().values()))

    @property
    def test(self) -> Mapping[str, float]:
        """``"test/metric"`` → value; empty unless it was tested."""
        return self._notes.get("test", {})

    # What it is made with

    @property
    def seed(self) -> int | None:
        """None while it is only queued, and where another program told it; as what follows."""
        return self._notes.get("seed")

    @property
    def threads(self) -> int | None:
        """CPU threads."""
        return self._notes.get("threads")

    @property
    def backbone(self) -> str | None:
        """Its name; a space may vary it."""
        return self._notes.get("backbone")

    @property
    def device(self) -> str | None:
        """What it trained on last, such as ``CPU``."""
        return self._notes.get("device")

    @property
    def parameters(self) -> tuple[int, int] | None:
        """How many of its model's parameters train, and how many there are."""
        noted = self._notes.get("parameters")
        return None if noted is None else (noted[0], noted[1])

    @property
    def flops(self) -> float | None:
        """Floating-point operations of predicting one image; of repeats alone."""
        return self._notes.get("flops")

    @property
    def began_anew(self) -> str | None:
        """Why it began again from its first epoch, if it did."""
        return self._notes.get("began_anew")

    # A repeat's place

    @property
    def placed(self) -> bool:
        """Whether a repeat says which it is; one that another program began may not."""
        return "of" in self._notes and "index" in self._notes

    @property
    def of(self) -> int:
        """Which trial's point a placed repeat trains."""
        return self._notes["of"]

    @property
    def index(self) -> int:
        """Which of that trial's repeats a placed repeat is, counted from 0."""
        return self._notes["index"]

"""The unit of work that the pool hands to a worker, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from iterate.states import Kind
from iterate_core.engine.reports import EpochReport


@dataclass(frozen=True)
class Job:
    """One training run of a study, as plain data that travels to any machine.

    Attributes:
        study: Name of the study.
        kind: A trial of the search, or a repeat of its best point.
        number: Counted from 0 within its kind.
        recipe: The complete recipe as plain JSON types.
        folder: Where it keeps its checkpoints; seen by driver and workers alike.
        directory: The driver's working directory, from which relative paths are meant.
        modules: What must be imported first: it registers the user's own components.
    """

    study: str
    kind: Kind
    number: int
    recipe: dict[str, Any]
    folder: Path
    directory: Path
    modules: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Names the job within its pool."""
        return f"{self.study}/{self.kind}/{self.number}"

    @property
    def _left(self) -> Path:
        return self.folder / ".left"

    @property
    def left(self) -> bool:
        """Whether the driver has let go of it, while others of its group go on."""
        return self._left.exists()

    def join(self) -> None:
        """Take it up: what an earlier command let go of is to train again."""
        self._left.unlink(missing_ok=True)

    def leave(self) -> None:
        """Let go of it: its worker sees that before the next epoch."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._left.touch()


class GpuUse(NamedTuple):
    """What a training takes of its GPU.

    Attributes:
        peak: Bytes of memory that it held at most.
        total: Bytes of memory that there are.
        busy: For how much of the time the GPU was at work, 0 to 1; None where nothing tells.
    """

    peak: int
    total: int
    busy: float | None


@dataclass(frozen=True)
class Progress:
    """What a worker tells the driver.

    Attributes:
        reports: Epochs finished since the last time; after an interruption all that went before
            come again, which changes nothing.
        test: Metrics on the test split, once a repeat has trained.
        done: The job is finished.
        failure: Why it failed, in one sentence; it is then finished too.
        failure_kind: Equal for failures that have one cause.
        fault: What the machine lacks, in one sentence: the job stops and waits, and has not failed.
        anew: Why it began again from its first epoch; what it reported before is replaced.
        lacks_memory: Whether it failed because more was done at once than memory holds.
        device: What it trains on, such as ``CPU``; told with reports.
        gpu: What it takes of a GPU; told with reports, of NVIDIA's.
        parameters: How many of the model's parameters train, and how many there are; told once.
        flops: Floating-point operations of predicting one image; told once, of a repeat.
        training: It trains from here on. A job that reports epochs without having said so has
            trained for as long as a worker held it.
        held_seconds: For how long a worker has held the job, up to this report.
        preparing_seconds: For how much of that it did not train: a cold process imports, packs
            the dataset or waits for another to, and builds the model. What trains says it of
            itself since the last time, and only of packing; all before `training` is added.
    """

    reports: tuple[EpochReport, ...] = ()
    test: dict[str, float] = field(default_factory=dict, hash=False)
    done: bool = False
    failure: str | None = None
    failure_kind: str | None = None
    lacks_memory: bool = False
    fault: str | None = None
    anew: str | None = None
    device: str | None = None
    gpu: GpuUse | None = None
    parameters: tuple[int, int] | None = None
    flops: float | None = None
    training: bool = False
    held_seconds: float = 0.0
    preparing_seconds: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether the worker lets go of the job."""
        return self.done or self.failure is not None or self.fault is not None

    @property
    def trained_seconds(self) -> float:
        """For how much of the time that a worker held it, it trained."""
        return self.held_seconds - self.preparing_seconds

    def to_mapping(self) -> dict[str, Any]:
        """As plain types, for the way through Ray."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any]) -> Progress:
        """From what `to_mapping` gave."""
        reports = tuple(EpochReport(**report) for report in mapping["reports"])
        return cls(**{**mapping, "reports": reports})


Told = Mapping[str, Progress]
"""Of some jobs, by their keys."""

TrainTogether = Callable[[Sequence[Job]], Iterator[Told]]
"""As `Train`, for jobs that train at the same time; those that are `Job.left` train no further.
`iterate.hpo.execute.train_together` is the real one."""

Train = Callable[[Job], Iterator[Progress]]
"""The seam between pool and engine: yields progress, and is closed early when a trial is pruned.
`iterate.hpo.execute.train` is the real one, `iterate.hpo.replay.Recorded` its stand-in."""

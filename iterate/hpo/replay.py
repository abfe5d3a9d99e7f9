"""A stand-in for the engine that plays recorded learning curves: for tests and for planning.

It makes the pool, the samplers and the schedulers testable without a GPU or a dataset, and lets
a user try what a scheduler would have stopped on curves of an earlier study.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from iterate.hpo.jobs import Job, Progress
from iterate_core.engine.reports import EpochReport
from iterate_core.errors import WorkError
from iterate_core.objective import Objective


@dataclass(frozen=True)
class Recorded:
    """Plays a curve instead of training.

    Attributes:
        curve: Gives a job's objective values, one an epoch.
        seconds: How long each epoch takes.
    """

    curve: Callable[[Job], Sequence[float]]
    seconds: float = 0.0

    def __call__(self, job: Job) -> Iterator[Progress]:
        """The same protocol as `iterate.hpo.execute.train`."""
        objective = Objective.model_validate(job.recipe["objective"])
        values = self.curve(job)
        if not values:
            raise WorkError("the recorded curve is empty")
        best: float | None = None
        for epoch, value in enumerate(values, start=1):
            time.sleep(self.seconds)
            metrics = {objective.key: value}
            objective.read(metrics)
            best = value if best is None or objective.better(value, best) else best
            done = epoch == len(values)
            report = EpochReport(epoch, metrics, value, best, self.seconds, done)
            yield Progress((report,), done=done and job.kind == "trial")
        if job.kind == "repeat":
            yield Progress(test={f"test/{objective.metric}": values[-1]}, done=True)

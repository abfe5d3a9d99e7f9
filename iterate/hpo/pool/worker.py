"""The warm worker: a Ray Tune trainable that takes jobs one after another in one process."""

from __future__ import annotations

from typing import Any

import ray
from ray import tune

from iterate.hpo.jobs import Train, TrainTogether
from iterate.hpo.pool.seat import Seat, see_only
from iterate_core.heap import keep_freed_memory, pass_over_libraries


class Worker(tune.Trainable):
    """One step is one report to the driver; new jobs reuse the process and all it has loaded.

    What reaches Ray as an error is a process that died; a job's own is a report (see `Seat`).
    """

    # Ray passes what `tune.with_parameters` was given as further arguments.
    def setup(  # type: ignore[override]
        self, config: dict[str, Any], train: Train, together: TrainTogether | None
    ) -> None:
        """Begin the first jobs of this process."""
        # Ray hides GPUs by itself, but not for workers without one in its newer versions, and not
        # at all where a cluster was started with its switch for that.
        see_only([str(gpu) for gpu in ray.get_gpu_ids()])
        keep_freed_memory()
        self._seat = Seat(train, together)
        self._seat.begin(config["jobs"])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next jobs in the same process."""
        pass_over_libraries()  # which the first have imported
        self._seat.begin(new_config["jobs"])
        return True

    def step(self) -> dict[str, Any]:
        """Train until there is something to report."""
        told = {key: progress.to_mapping() for key, progress in self._seat.step().items()}
        # One opaque value, because Ray flattens nested results.
        return {"progress": [told], "done": self._seat.done}

    def cleanup(self) -> None:
        """Let go of the job's folder."""
        self._seat.stop()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: the engine keeps every epoch in the job's own folder."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: the engine goes on from the job's own folder."""

"""What Ray Tune asks and tells: the next job, whether one goes on, whether all stops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from iterate.hpo.jobs import Progress, Told
from iterate.hpo.pool.coordinator import Coordinator


class JobSearcher(Searcher):
    """Tune's way to ask for jobs."""

    def __init__(self, coordinator: Coordinator) -> None:
        super().__init__()
        self._coordinator = coordinator

    # Ray's annotation forgets its own FINISHED.
    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """A worker's jobs; None while all studies wait; FINISHED when they are."""
        jobs = self._coordinator.next_jobs(trial_id)
        if jobs:
            return {"jobs": jobs}
        return Searcher.FINISHED if self._coordinator.exhausted else None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A job ended: by its last report, by our own stop, or by the death of its process."""
        if error:
            self._coordinator.died(trial_id)
        elif result is not None:
            self._coordinator.record(trial_id, _told(result))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledgers are the state, and they are on disk."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, as `save`."""


class JobScheduler(FIFOScheduler):
    """Tune's way to ask whether a job goes on."""

    def __init__(self, coordinator: Coordinator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._coordinator = coordinator

    def on_trial_result(
        self,
        tune_controller: Any,  # noqa: ARG002 - Ray passes it
        trial: Any,
        result: dict[str, Any],
    ) -> str:
        """Stop or go, as the job's own study decides."""
        stop = self._coordinator.record(trial.trial_id, _told(result))
        return str(TrialScheduler.STOP if stop else TrialScheduler.CONTINUE)


def _told(result: Mapping[str, Any]) -> Told:
    (told,) = result["progress"]
    return {key: Progress.from_mapping(mapping) for key, mapping in told.items()}


class Stopper(tune.Stopper):
    """Tune's way to ask whether everything stops."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002 - Ray's
        """Never: a job's own study decides."""
        return False

    def stop_all(self) -> bool:
        """Whether the machine is at fault: jobs go on from their last epochs another time."""
        return self._coordinator.fault is not None

"""What Ray Tune asks and tells: the next job, whether one goes on, whether all stops.

Tune calls them from its one control loop, in the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from iterate.hpo.jobs import Progress, Told
from iterate.hpo.pool.coordinator import Coordinator
from iterate.hpo.pool.watch import Watch


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
            return {"jobs": jobs, "holds": self._coordinator.share(trial_id).bundle()}
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


class Ended(BaseException):
    """A check ended the pool. Tune would meet an `Exception` by talking to Ray, dead or not.

    Attributes:
        reason: What the check raised.
    """

    def __init__(self, reason: Exception) -> None:
        super().__init__(reason)
        self.reason = reason


class WatchCallback(tune.Callback):
    """Tune's way to look after its workers; see `Watch`.

    Args:
        coordinator: Whose jobs they are.
        checks: Called at each turn; what they raise ends the pool.
    """

    def __init__(self, coordinator: Coordinator, checks: Sequence[Callable[[], None]]) -> None:
        self._watch = Watch(coordinator, checks, self._end)
        self._trials: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, as the coordinator."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:  # noqa: ARG002 - Ray's signature
        """A worker took the job up, for the first time or after another died."""
        self._trials[trial.trial_id] = trial
        self._watch.began(trial.trial_id, trial.config["jobs"][0])

    def on_trial_result(
        self,
        iteration: int,  # noqa: ARG002 - Ray's signature
        trials: list[Any],  # noqa: ARG002
        trial: Any,
        result: dict[str, Any],  # noqa: ARG002
        **_: Any,
    ) -> None:
        """A report is a sign of life."""
        self._watch.heard(trial.trial_id)

    def on_step_begin(self, iteration: int, trials: list[Any], **_: Any) -> None:  # noqa: ARG002
        """Look at everything once."""
        try:
            self._watch.look()
        except Exception as reason:
            raise Ended(reason) from reason

    def _end(self, trial_id: str) -> None:
        trial = self._trials.pop(trial_id)
        trial.max_failures = 0  # or Tune would begin the job again
        actor = trial.temporary_state.ray_actor
        if actor is not None:
            ray.kill(actor)

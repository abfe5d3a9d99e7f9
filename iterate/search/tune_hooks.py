"""What Ray Tune asks and tells beside jobs and reports: whether all stops, and who began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray import tune

if TYPE_CHECKING:
    from iterate.search.pool import Coordinator


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


class Starts(tune.Callback):
    """Tune's way to tell that a worker took a job up."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator

    def on_trial_start(
        self,
        iteration: int,  # noqa: ARG002 - Ray passes it
        trials: list[Any],  # noqa: ARG002 - Ray passes it
        trial: Any,
        **_: Any,
    ) -> None:
        """Begin to count its time."""
        self._coordinator.started(trial.trial_id)

"""Where the studies of a command are worked on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from iterate.hpo.jobs import Train, TrainTogether
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.coordinator import Observer
from iterate.hpo.settings import RaySettings, ResourceSettings


class Workplace(Protocol):
    """A machine or a cluster that works on studies."""

    @property
    def there(self) -> Mapping[str, float]:
        """What it has, such as ``{"CPU": 8, "GPU": 1}``."""

    def run(
        self,
        ledgers: Sequence[Ledger],
        train: Train,
        observers: Sequence[Observer] = (),
        checks: Sequence[Callable[[], None]] = (),
        together: TrainTogether | None = None,
    ) -> None:
        """Work on all studies until each is finished.

        Args:
            ledgers: The studies.
            train: What trains a job, in a worker; it is pickled.
            observers: Told of every change.
            checks: Called some ten times a second; what they raise ends the work.
            together: What trains several jobs at a time in a worker; None trains each alone.

        Raises:
            RequestError: A recipe needs a GPU, and its trials hold none.
            MachineError: The machine lacks something; jobs that it could not finish wait for it.
            WorkError: The place is gone before the studies are finished, or another driver has
                them now.
            KeyboardInterrupt: The user stopped it; the ledgers hold all that was reported.
        """


@contextmanager
def workplace(settings: RaySettings, wanted: Sequence[ResourceSettings]) -> Iterator[Workplace]:
    """The cluster at an address; this machine if none is given.

    On this machine workers are forked where the system can (Linux): they are at work seconds
    earlier, in half the memory, and open no socket. Elsewhere, and for `local`, it is a Ray of its
    own; and where this process has joined a Ray before, it is that.

    Raises:
        RequestError: No cluster answers at the address, or it is too small for a trial.
    """
    if settings.address is None and sys.platform == "linux" and not _ray_runs():
        from iterate.hpo.pool.forked.pool import forked

        with forked(wanted) as machine:
            yield machine
    else:
        from iterate.hpo.pool.cluster import cluster  # Ray takes a second to import

        with cluster(settings, wanted) as ray:
            yield ray


def _ray_runs() -> bool:
    """Whether this process has joined a Ray; asked without importing it."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())

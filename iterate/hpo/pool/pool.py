"""One Ray Tune run that serves every study of a command.

Tune asks the searcher for the next job whenever there is room, and the scheduler what to do
after each report. Both only pass the question on to the `Coordinator`, which owns the ledgers,
lives in the driver and is called from Tune's one control loop.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
from ray import tune

from iterate.hpo.jobs import Train, TrainTogether
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool.coordinator import DEATHS, Coordinator, Observer
from iterate.hpo.pool.environment import environment, silenced
from iterate.hpo.pool.sharing import Shares
from iterate.hpo.pool.tune_hooks import (
    Ended,
    JobScheduler,
    JobSearcher,
    Stopper,
    WatchCallback,
)
from iterate.hpo.pool.worker import Worker
from iterate.hpo.shares import Share
from iterate_core.errors import MachineError, WorkError

# Tune takes these from the environment only.
_TUNE = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the ledgers and MLflow keep the results
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours to explain
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    # The coordinator decides how many are drawn; with Tune's own limit of one the second
    # worker would not start before the first trial has, and never if trials are short.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # the ledgers are the checkpoint
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}


def run_pool(
    ledgers: Sequence[Ledger],
    train: Train,
    observers: Sequence[Observer] = (),
    checks: Sequence[Callable[[], None]] = (),
    together: TrainTogether | None = None,
) -> None:
    """See `iterate.hpo.pool.workplace.Workplace.run`; Ray must be initialised."""
    shares = Shares([ledger.study for ledger in ledgers], cluster_resources())
    groups = together is not None
    coordinator = Coordinator(ledgers, observers, shares, cluster_resources, groups=groups)
    if coordinator.finished:
        return
    with (
        environment(_TUNE),
        silenced("ray.tune"),
        tempfile.TemporaryDirectory(prefix="iterate-tune-") as scratch,
    ):
        worker = tune.with_parameters(Worker, train=train, together=together)
        tuner = tune.Tuner(
            tune.with_resources(worker, _resources_of(shares)),
            tune_config=tune.TuneConfig(
                search_alg=JobSearcher(coordinator),
                scheduler=JobScheduler(coordinator),
                num_samples=-1,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="pool",
                storage_path=scratch,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=DEATHS),
                stop=Stopper(coordinator),
                callbacks=[WatchCallback(coordinator, checks)],
            ),
        )
        try:
            tuner.fit()
        except Ended as ended:
            raise ended.reason from None
        except Exception:
            if coordinator.failure is None:
                raise
            raise coordinator.failure from None
    if coordinator.waits_for is not None:
        raise MachineError(coordinator.waits_for)
    if not coordinator.finished:
        raise WorkError("Ray ended before the studies did; the same command continues them")


def _resources_of(shares: Mapping[str, Share]) -> Callable[[Mapping[str, Any]], Any]:
    """What a worker holds while it has its jobs; before any are drawn, what the first study's do.

    Ray asks a copy of this, which learns nothing that shares learn: the jobs bring what they hold.
    """
    first = next(iter(shares.values())).bundle()

    def resources(config: Mapping[str, Any]) -> Any:
        return tune.PlacementGroupFactory([config.get("holds", first)])

    return resources


def cluster_resources() -> dict[str, float]:
    """What Ray holds in all, by kind."""
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return there

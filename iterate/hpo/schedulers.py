"""What stops a poor trial early: Optuna's pruners, judging from the storage.

Their rungs live in the storage with everything else, so a study continued after a crash judges
exactly as one that was never stopped, each study apart and in its own direction.
"""

from __future__ import annotations

from typing import Any

from optuna import pruners
from optuna.pruners import BasePruner

from iterate.hpo.settings import schedulers


def make_scheduler(settings: Any, epochs: int) -> BasePruner:
    """The scheduler of a study.

    Args:
        settings: ``search.scheduler`` of the study: its name and options.
        epochs: The most epochs a trial may train.
    """
    scheduler: BasePruner = schedulers.get(settings.name).load()(settings, epochs)
    return scheduler


def none(settings: Any, epochs: int) -> BasePruner:  # noqa: ARG001 - one signature for all
    """Every trial trains to its end."""
    return pruners.NopPruner()


def asha(settings: Any, epochs: int) -> BasePruner:  # noqa: ARG001
    """Asynchronous successive halving (Li et al. 2020, arXiv:1810.05934)."""
    return pruners.SuccessiveHalvingPruner(
        min_resource=settings.min_epochs, reduction_factor=settings.reduction_factor
    )


def hyperband(settings: Any, epochs: int) -> BasePruner:
    """Hyperband (Li et al. 2018, arXiv:1603.06560) with asynchronous brackets."""
    return pruners.HyperbandPruner(
        min_resource=settings.min_epochs,
        max_resource=epochs,
        reduction_factor=settings.reduction_factor,
    )


def median(settings: Any, epochs: int) -> BasePruner:  # noqa: ARG001
    """The median stopping rule (Golovin et al. 2017, Google Vizier)."""
    # Optuna's first judged step is `n_warmup_steps` itself, and our epochs count from 1.
    return pruners.MedianPruner(
        n_startup_trials=settings.startup_trials, n_warmup_steps=settings.warmup_epochs + 1
    )

"""A sampler and a trial scheduler, as Optuna has them."""

from __future__ import annotations

from typing import Any

from optuna.pruners import BasePruner, PercentilePruner
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler

from counting import Halton, Upper


def halton(settings: Halton, seeds: Any) -> BaseSampler:
    del settings
    return QMCSampler(
        qmc_type="halton",
        seed=seeds.study,
        independent_sampler=RandomSampler(seed=seeds.trial),
        warn_independent_sampling=False,
    )


def upper(settings: Upper, epochs: int) -> BasePruner:
    return PercentilePruner(settings.percentile, n_startup_trials=2, n_warmup_steps=epochs - 2)

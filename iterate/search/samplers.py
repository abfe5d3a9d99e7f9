"""Optuna's samplers, with seeds fixed by name.

A study may be stopped and continued any number of times, so a sampler's random state must not
depend on how often the process was started. Samplers that keep no state of their own are made
anew for each trial, seeded by (study, trial number); the others keep theirs in the storage and
take one seed for the study.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from iterate.core.identity import seed_for

_STATEFUL = frozenset({"qmc", "cmaes"})


def make_sampler(settings: Any, study: str, seed: int, trial: int) -> BaseSampler:
    """The sampler that draws one trial's point.

    Args:
        settings: ``search.sampler`` of the study: its name and options.
        study: The study's name.
        seed: ``search.seed``.
        trial: Number of the trial to draw.
    """
    names = (study, seed, "sampler") + (() if settings.name in _STATEFUL else (trial,))
    with warnings.catch_warnings():
        # Groups, CMA-ES options and GP carry Optuna's "experimental" mark.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _MAKERS[settings.name](settings, seed_for(*names))


def _tpe(settings: Any, seed: int) -> BaseSampler:
    # Grouped, because conditional spaces have no common set of parameters.
    return optuna.samplers.TPESampler(
        seed=seed,
        multivariate=True,
        group=True,
        constant_liar=True,
        n_startup_trials=settings.startup_trials,
    )


def _random(settings: Any, seed: int) -> BaseSampler:  # noqa: ARG001 - one signature for all
    return optuna.samplers.RandomSampler(seed=seed)


def _qmc(settings: Any, seed: int) -> BaseSampler:  # noqa: ARG001
    return optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)


def _cmaes(settings: Any, seed: int) -> BaseSampler:  # noqa: ARG001
    return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)


def _gp(settings: Any, seed: int) -> BaseSampler:
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=settings.startup_trials)


def _nsgaii(settings: Any, seed: int) -> BaseSampler:
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=settings.population)


_MAKERS: dict[str, Callable[[Any, int], BaseSampler]] = {
    "tpe": _tpe,
    "random": _random,
    # A grid's points are queued by the ledger; whatever is drawn beside them is never used.
    "grid": _random,
    "qmc": _qmc,
    "cmaes": _cmaes,
    "gp": _gp,
    "nsgaii": _nsgaii,
}

"""Optuna's samplers, with seeds fixed by name.

A study may be stopped and continued any number of times, so a sampler's random state must not
depend on how often the process was started. Samplers that keep no state of their own are made
anew for each trial, seeded by (study, trial number); the others keep theirs in the storage and
take one seed for the study, and another for the draws that are outside their model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from iterate.core.identity import seed_for


@dataclass(frozen=True)
class _Seeds:
    """The seed of a sampler's own state, and that of this trial's independent draws."""

    study: int
    trial: int


def make_sampler(settings: Any, study: str, seed: int, trial: int) -> BaseSampler:
    """The sampler that draws one trial's point.

    Args:
        settings: ``search.sampler`` of the study: its name and options.
        study: The study's name.
        seed: ``search.seed``.
        trial: Number of the trial to draw.
    """
    seeds = _Seeds(seed_for(study, seed, "sampler"), seed_for(study, seed, "sampler", trial))
    with warnings.catch_warnings():
        # Groups, QMC and GP carry Optuna's "experimental" mark.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _MAKERS[settings.name](settings, seeds)


def _tpe(settings: Any, seeds: _Seeds) -> BaseSampler:
    # Grouped, because conditional spaces have no common set of parameters.
    return optuna.samplers.TPESampler(
        seed=seeds.trial,
        multivariate=True,
        group=True,
        constant_liar=True,
        n_startup_trials=settings.startup_trials,
    )


def _random(settings: Any, seeds: _Seeds) -> BaseSampler:  # noqa: ARG001 - one signature for all
    return optuna.samplers.RandomSampler(seed=seeds.trial)


def _qmc(settings: Any, seeds: _Seeds) -> BaseSampler:
    return optuna.samplers.QMCSampler(
        seed=seeds.study,
        scramble=True,
        independent_sampler=_random(settings, seeds),
        warn_independent_sampling=False,
    )


def _cmaes(settings: Any, seeds: _Seeds) -> BaseSampler:
    return optuna.samplers.CmaEsSampler(
        seed=seeds.study,
        independent_sampler=_random(settings, seeds),
        warn_independent_sampling=False,
    )


def _gp(settings: Any, seeds: _Seeds) -> BaseSampler:
    return optuna.samplers.GPSampler(seed=seeds.trial, n_startup_trials=settings.startup_trials)


def _nsgaii(settings: Any, seeds: _Seeds) -> BaseSampler:
    return optuna.samplers.NSGAIISampler(seed=seeds.trial, population_size=settings.population)


_MAKERS: dict[str, Callable[[Any, _Seeds], BaseSampler]] = {
    "tpe": _tpe,
    "random": _random,
    # A grid's points are queued by the ledger; whatever is drawn beside them is never used.
    "grid": _random,
    "qmc": _qmc,
    "cmaes": _cmaes,
    "gp": _gp,
    "nsgaii": _nsgaii,
}

"""Optuna's samplers, with seeds fixed by name.

A study may be stopped and continued any number of times, so a sampler's random state must not
depend on how often the process was started. Samplers that keep no state of their own are made
anew for each trial, seeded by (study, trial number); the others keep theirs in the storage and
take one seed for the study, and another for the draws that are outside their model.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from iterate.hpo.settings import samplers
from iterate_core.fingerprint import seed_for


@dataclass(frozen=True)
class Seeds:
    """What a sampler is seeded with, fixed by names.

    Attributes:
        study: Of the sampler's own state.
        trial: Of this trial's independent draws.
    """

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
    seeds = Seeds(seed_for(study, seed, "sampler"), seed_for(study, seed, "sampler", trial))
    with warnings.catch_warnings():
        # Groups, QMC and GP carry Optuna's "experimental" mark.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler: BaseSampler = samplers.get(settings.name).load()(settings, seeds)
        return sampler


def tpe(settings: Any, seeds: Seeds) -> BaseSampler:
    """See `iterate.hpo.settings.TPE`."""
    # Grouped, because conditional spaces have no common set of parameters.
    return optuna.samplers.TPESampler(
        seed=seeds.trial,
        multivariate=True,
        group=True,
        constant_liar=True,
        n_startup_trials=settings.startup_trials,
    )


def random(settings: Any, seeds: Seeds) -> BaseSampler:  # noqa: ARG001 - one signature for all
    """See `iterate.hpo.settings.Random`; also what a grid draws beside its queued points."""
    return optuna.samplers.RandomSampler(seed=seeds.trial)


def qmc(settings: Any, seeds: Seeds) -> BaseSampler:
    """See `iterate.hpo.settings.QMC`."""
    return optuna.samplers.QMCSampler(
        seed=seeds.study,
        scramble=True,
        independent_sampler=random(settings, seeds),
        warn_independent_sampling=False,
    )


def cmaes(settings: Any, seeds: Seeds) -> BaseSampler:
    """See `iterate.hpo.settings.CMAES`."""
    return optuna.samplers.CmaEsSampler(
        seed=seeds.study,
        independent_sampler=random(settings, seeds),
        warn_independent_sampling=False,
    )


def gp(settings: Any, seeds: Seeds) -> BaseSampler:
    """See `iterate.hpo.settings.GP`."""
    return optuna.samplers.GPSampler(seed=seeds.trial, n_startup_trials=settings.startup_trials)


def nsgaii(settings: Any, seeds: Seeds) -> BaseSampler:
    """See `iterate.hpo.settings.NSGAII`."""
    return optuna.samplers.NSGAIISampler(seed=seeds.trial, population_size=settings.population)

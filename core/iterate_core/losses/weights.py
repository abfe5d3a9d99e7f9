"""How much each class weighs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from iterate_core.losses.options import WeightedOptions
from iterate_core.losses.training import TrainingTargets


def class_weights(options: WeightedOptions, training: TrainingTargets) -> Tensor | None:
    """(classes,) weights, float32; None where all classes weigh alike.

    Of classes that exclude each other, a weight is that of each target of the class. With n_k
    training targets of class k and K classes that occur, ``inverse_frequency`` is Σ n / (K n_k),
    scikit-learn's "balanced": their mean over all training targets is 1.

    Of labels, it is that of the samples that have the label, beside 1 of those that have not.
    ``inverse_frequency`` makes both weigh alike: with n of N samples it is (N − n) / n.

    A class that no training target, or each of them, is of weighs 1.
    """
    names, given = training.classes, options.class_weights
    if given is None:
        return None
    if isinstance(given, dict):
        given = tuple(given.get(name, 1.0) for name in names)
    if isinstance(given, tuple):
        return torch.tensor(given, dtype=torch.float32)
    counts, samples = training.counts, len(training.samples)
    found = _balanced(counts) if training.exclusive else _odds(counts, samples)
    return torch.from_numpy(found).float()


def _balanced(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    occurs = counts > 0
    found = np.ones(len(counts))
    found[occurs] = counts.sum() / (occurs.sum() * counts[occurs])
    return found


def _odds(counts: npt.NDArray[np.int64], samples: int) -> npt.NDArray[np.float64]:
    mixed = (counts > 0) & (counts < samples)
    found = np.ones(len(counts))
    found[mixed] = (samples - counts[mixed]) / counts[mixed]
    return found


def of_targets(weights: Tensor | None, targets: Tensor, counted: Tensor) -> Tensor:
    """The weight of each target that is a class index, float32; 0 where it does not count."""
    if weights is None:
        return counted.float()
    return weights[torch.where(counted, targets, 0)] * counted

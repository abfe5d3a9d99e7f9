"""The learning-rate range test (Smith 2017): at which rates does the loss fall, and where break?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
import numpy.typing as npt
import torch

from iterate_core.engine.learning.gradients import GradientLearner
from iterate_core.engine.learning.micro_batches import fitting
from iterate_core.engine.probing import fits
from iterate_core.engine.resolved import Prepared
from iterate_core.engine.setup import Setup
from iterate_core.errors import Problem, RequestError
from iterate_core.optimisation.options import OptimiserOptions

MEMORY = 0.9
"""Of the smoothed loss, from step to step."""

DIVERGED = 4.0
"""How many times the least smoothed loss is the end."""

_SETTLING = 10  # steps at the lowest rates, in which the smoothed loss settles


@dataclass(frozen=True)
class RangeTest:
    """What training at ever higher rates showed.

    Attributes:
        rates: (steps,) of `optimiser.lr`, each the same factor above the one before.
        losses: (steps,) mean training loss of each step; the last may not be finite.
        smoothed: (steps,) the same, averaged over the steps before.
        suggested: The rate at which the smoothed loss falls most steeply; None where it falls
            nowhere.
        lowest: The rate at which it is least.
        diverged: Whether training stopped because the loss had grown too much.
    """

    rates: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    smoothed: npt.NDArray[np.float64]
    suggested: float | None
    lowest: float
    diverged: bool


def range_test(
    prepared: Prepared, lowest: float = 1e-7, highest: float = 1.0, steps: int = 100
) -> RangeTest:
    """Train for some steps at rates from low to high, and throw the weights away.

    Schedule and early stopping play no part. Where the optimiser gives parts of the model other
    rates, these rise alike.

    Args:
        prepared: What to train.
        lowest: The first step's `optimiser.lr`.
        highest: The last one's.
        steps: How many, unless the loss diverges before.

    Raises:
        RequestError: The recipe cannot be trained as it stands, or takes no steps.
        WorkError: Memory ran out.
    """
    if fits(prepared.recipe):
        what = f"decoder {prepared.recipe.model.decoder.name!r} is fitted at once: it has no rate."
        raise RequestError(Problem("model.decoder.name", what))
    rates = np.geomspace(lowest, highest, steps)

    def attempt(at_once: int | None) -> list[float]:
        setup = Setup(prepared, at_once)
        with setup.undisturbed("range test"):
            return _until_it_diverges(_losses(GradientLearner(setup), setup, rates), steps)

    losses = fitting(prepared.recipe, prepared.recipe.data.batch_size, attempt)
    return _judged(rates, np.array(losses))


def _until_it_diverges(found: Iterator[float], steps: int) -> list[float]:
    losses: list[float] = []
    for loss in islice(found, steps):
        losses.append(loss)
        smoothed = _smoothed(np.array(losses))
        if not math.isfinite(loss) or smoothed[-1] > DIVERGED * smoothed.min():
            break
    return losses


def _losses(
    learner: GradientLearner, setup: Setup, rates: npt.NDArray[np.float64]
) -> Iterator[float]:
    """The mean loss of each step, epoch after epoch as long as they are asked for."""
    options = setup.recipe.optimiser
    assert isinstance(options, OptimiserOptions)  # noqa: S101 - the registry's contract
    factors = np.append(rates / options.lr, 0)  # one more is set, and never taken
    done = 0
    setup.module.model.begin_epoch(1, setup.recipe.trainer.epochs)
    for epoch in count(1):
        for found in learner.steps(learner.course(epoch), lambda step: float(factors[step]), done):
            done += 1
            yield float(torch.stack(found).mean())


def _judged(rates: npt.NDArray[np.float64], losses: npt.NDArray[np.float64]) -> RangeTest:
    """The curve, and where it falls most steeply before its lowest point."""
    finite = losses[np.isfinite(losses)]
    smoothed, rates = _smoothed(finite), rates[: len(losses)]
    least = int(smoothed.argmin()) if len(finite) else 0
    start = min(_SETTLING, least)
    slopes = np.diff(smoothed[start : least + 1])
    falls = len(slopes) > 0 and slopes.min() < 0
    suggested = float(rates[start + int(slopes.argmin())]) if falls else None
    whole = np.append(smoothed, np.full(len(losses) - len(finite), np.nan))
    diverged = len(finite) < len(losses) or bool(smoothed[-1] > DIVERGED * smoothed.min())
    return RangeTest(rates, losses, whole, suggested, float(rates[least]), diverged)


def _smoothed(losses: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The exponential average of all up to each, without the bias of its beginning."""
    average, found = 0.0, []
    for number, loss in enumerate(losses.tolist(), start=1):
        average = MEMORY * average + (1 - MEMORY) * loss
        found.append(average / (1 - MEMORY**number))
    return np.array(found)

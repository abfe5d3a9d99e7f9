"""A score, from the test that gave it or the row that tells it to the leaderboard's figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from iterate.bench.leaderboard.portion import DIGITS, Blocks, Portion
from iterate.statistics.intervals import Range
from iterate.statistics.scores import LARGEST, Scores


@dataclass(frozen=True)
class Training:
    """What a submission has to say of how a model was trained.

    Attributes:
        experiment: The run's name.
        lr: 0 where the decoder is fitted at once, as `weight_decay`.
        trials: How many points were tried.
        patience: Epochs of early stopping; None without.
        batch_size_searched: Whether the batch size was searched for.
    """

    experiment: str
    decoder: str
    batch_size: int
    batch_size_searched: bool
    lr: float
    weight_decay: float
    trials: int
    patience: int | None = None


@dataclass(frozen=True)
class Score:
    """One trained model's score on the test samples of a dataset.

    Attributes:
        backbone: Its key.
        dataset: A dataset of the suite.
        track: Such as ``"full_ft"``.
        metric: The dataset's, as results files call it.
        seed: Of the training.
        value: In that metric, neither rounded nor normalised.
        fraction: The share of the training data that was used, 0 to 1; 1 with `shots`.
        training: How the model was trained; None of a score that was read from a file.
        shots: Training samples of each class that were used; None where `fraction` says it.
        blocks: How the splits were drawn; None: they are the published ones.
    """

    backbone: str
    dataset: str
    track: str
    metric: str
    seed: int
    value: float
    fraction: float = 1.0
    training: Training | None = None
    shots: int | None = None
    blocks: Blocks | None = None

    @property
    def portion(self) -> Portion:
        """What of the data was used, in which splits."""
        return Portion(round(self.fraction, DIGITS), self.shots, self.blocks)


@dataclass(frozen=True)
class Repeats:
    """The scores of one backbone on one dataset, track and portion of the data.

    Attributes:
        scores: At least one, in the order of the file or run that they are from.
        samples: The 95 % interval of their mean over test samples, the trained models taken as
            they are; None where what each sample did is not known.
    """

    scores: tuple[Score, ...]
    samples: tuple[float, float] | None = None

    @property
    def backbone(self) -> str:
        """The key of all scores."""
        return self.scores[0].backbone

    @property
    def dataset(self) -> str:
        """The dataset of all scores."""
        return self.scores[0].dataset

    @property
    def track(self) -> str:
        """The track of all scores."""
        return self.scores[0].track

    @property
    def portion(self) -> Portion:
        """What of the data all scores are of, in which splits."""
        return self.scores[0].portion

    @cached_property
    def values(self) -> Scores:
        """(scores,) values as stored."""
        return np.array([score.value for score in self.scores], dtype=np.float64)

    @cached_property
    def by_seed(self) -> Scores:
        """(seeds,) values, the mean of those that share a seed: they are not independent."""
        seeds = np.array([score.seed for score in self.scores])
        distinct = dict.fromkeys(score.seed for score in self.scores)
        if len(distinct) == len(seeds):
            return self.values
        return np.array([self.values[seeds == seed].mean() for seed in distinct])


def misfit(value: float, limits: Range) -> str | None:
    """Why a score cannot be: its metric ends before it, or it is too large for sums of squares.

    Args:
        value: The score.
        limits: The least and the greatest one that its metric can have.

    Returns:
        The end of a sentence about the score; None where it can be.
    """
    low, high = limits
    if low <= value <= high:
        return f"is too large to reckon with: {value:g}." if abs(value) > LARGEST else None
    if math.isinf(low):
        must = f"be at most {high:g}"
    else:
        must = f"be at least {low:g}" if math.isinf(high) else f"lie in {low:g} to {high:g}"
    return f"must {must}, but is {value:g}."

"""Learning by fitting a decoder at once."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from iterate_core.data.dataset import Split
from iterate_core.engine.evaluator import Evaluator
from iterate_core.engine.learning.learner import training_scores
from iterate_core.engine.setup import Setup
from iterate_core.models.decoders.probes.fitted import Fitted


class FittedLearner:
    """Fits a decoder to the features of the whole training split.

    Args:
        setup: The recipe on its device.
        evaluator: Scores the training split.
        decoder: What is fitted.
    """

    def __init__(self, setup: Setup, evaluator: Evaluator, decoder: Fitted) -> None:
        self._setup = setup
        self._evaluator = evaluator
        self._decoder = decoder

    def learn(self, epoch: int) -> dict[str, float]:
        """See `Learner.learn`: ``train/…`` if it is worth its time, and what the fit tells."""
        told = self._decoder.fit(*self._gathered("train"))
        if not self._decoder.scores_training:
            return told
        return training_scores(self._evaluator.scores("train"), epoch) | told

    def epoch_ended(self, value: float) -> None:  # noqa: ARG002 - one epoch is all there is
        """Fit to the validation split too, now that it has been scored, where the decoder does."""
        if self._decoder.refits:
            self._decoder.refit(*self._gathered("train", "val"))

    def weights(self) -> dict[str, Tensor]:
        """See `Learner.weights`."""
        return self._setup.trained()

    def scored(self) -> AbstractContextManager[None]:
        """See `Learner.scored`: nothing is to be put in its place."""
        return nullcontext()

    def state(self) -> dict[str, Any]:
        """See `Learner.state`."""
        return {"model": self._setup.trained()}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Learner.restore`."""
        self._setup.take(state["model"])

    def _gathered(self, *splits: Split) -> tuple[Tensor, Tensor]:
        """All features and targets of some splits."""
        supplies, features, targets = self._setup.supplies, [], []
        with torch.no_grad():
            for batch in (batch for split in splits for batch in supplies.evaluated(split)):
                known = batch.encoded
                inputs = batch.inputs
                features.append(inputs if known else supplies.encode(inputs, batch.context))
                targets.append(batch.targets)
        return torch.cat(features), torch.cat(targets)

"""One recipe in training: set up once, then epoch by epoch."""

from __future__ import annotations

from iterate_core.engine.evaluator import Evaluator, check_scored
from iterate_core.engine.learning.fitting import FittedLearner
from iterate_core.engine.learning.gradients import GradientLearner
from iterate_core.engine.learning.learner import Learner, finite
from iterate_core.engine.resolved import Prepared
from iterate_core.engine.setup import Setup
from iterate_core.models.decoders.probes.fitted import Fitted


class Trainer:
    """Trains and validates a recipe's model.

    Between its methods no global state is changed: random state, deterministic switches and
    automatic casting are set for the length of a method and put back.

    Args:
        prepared: The recipe and its data.
        at_once: See `Setup`.

    Attributes:
        setup: The recipe on its device.
        learner: How it learns.

    Raises:
        RequestError: The parts of the recipe do not fit each other or this machine, the
            training split teaches nothing, or the validation split can have no score.
    """

    def __init__(self, prepared: Prepared, at_once: int | None = None) -> None:
        self.prepared = prepared
        self.setup = Setup(prepared, at_once)
        check_scored(prepared, "train", "val")
        self._evaluator = Evaluator(self.setup)
        with self.setup.undisturbed("set-up"):
            # Training features that are kept are computed before the first epoch's clock runs.
            self.setup.supplies.of("train")
            self.learner = _learner_of(self.setup, self._evaluator)

    def epoch(self, epoch: int) -> tuple[dict[str, float], float]:
        """One pass over the training split and one over the validation split.

        Returns:
            What the learner reports of training (see `iterate_core.engine.learning`) and ``val/…``;
            and the objective's value.

        Raises:
            WorkError: The loss or the objective is not finite, or memory runs out.
        """
        with self.setup.undisturbed(epoch):
            metrics = self.learner.learn(epoch)
            with self.learner.scored():
                validated = self._evaluator.scores("val")
            return self.ended(epoch, metrics, validated)

    def ended(
        self, epoch: int, metrics: dict[str, float], validated: dict[str, float]
    ) -> tuple[dict[str, float], float]:
        """End an epoch that was trained and validated.

        Args:
            epoch: Its number.
            metrics: What is told of training.
            validated: The scores of the validation split.

        Returns:
            As `epoch`.

        Raises:
            WorkError: The validation loss or the objective is not finite.
        """
        finite(validated["loss"], "validation", epoch)
        metrics = metrics | {f"val/{name}": value for name, value in validated.items()}
        value = self.prepared.recipe.objective.read(metrics)
        self.learner.epoch_ended(value)
        return metrics, value


def _learner_of(setup: Setup, evaluator: Evaluator) -> Learner:
    """The way of learning that the recipe's decoder asks for."""
    decoder = setup.module.model.decoder
    if isinstance(decoder, Fitted):
        return FittedLearner(setup, evaluator, decoder)
    return GradientLearner(setup)

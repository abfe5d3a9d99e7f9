"""Learning by an optimiser's steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import islice
from typing import Any

from torch import Tensor

from iterate_core.device import fuses
from iterate_core.engine.learning.accumulation import MeanGradient, parts_of_steps, steps_of
from iterate_core.engine.learning.averaging import averaged_from, averaging_of
from iterate_core.engine.learning.learner import training_scores
from iterate_core.engine.learning.micro_batches import in_parts
from iterate_core.engine.order import Course, needs_pairs, training_course
from iterate_core.engine.preflight import refuse_single
from iterate_core.engine.setup import Setup
from iterate_core.models.assembly import Model
from iterate_core.optimisation.learning import Learning
from iterate_core.optimisation.optimisers import parameter_groups, set_learning_rate
from iterate_core.optimisation.options import OptimiserOptions
from iterate_core.recipe import Recipe
from iterate_core.registry import registries


class GradientLearner:
    """Trains by an optimiser's steps at the rates of a schedule.

    Args:
        setup: The recipe on its device.

    Attributes:
        steps_per_epoch: Optimiser steps in an epoch.

    Raises:
        RequestError: A batch is of one sample, and the model needs two.
    """

    def __init__(self, setup: Setup) -> None:
        refuse_single(setup.prepared)
        self._setup = setup
        self._drop_single = needs_pairs(setup.module)
        self.steps_per_epoch = steps_of(self.course(1), setup.recipe.trainer)
        fused = fuses(setup.recipe.trainer.precision)
        self.learning = learning_of(setup.recipe, setup.module.model, self.steps_per_epoch, fused)
        self._optimiser: Any = setup.fabric.setup_optimizers(self.learning.optimiser)
        self._average = averaging_of(setup)

    def learn(self, epoch: int) -> dict[str, float]:
        """See `Learner.learn`."""
        first = (epoch - 1) * self.steps_per_epoch
        self._setup.module.model.begin_epoch(epoch, self.learning.epochs)
        course = self.course(epoch)
        for _ in self.steps(course, partial(self._factor, epoch), first):
            pass
        if self._average is not None:
            parts, _ = self._in_parts(course)
            self._average.epoch_ended(epoch, self._setup.supplies.batches("train", parts))
        trained = self._setup.module.reported(self._setup.module.train_scores)
        told = {"lr": float(self._optimiser.param_groups[0]["lr"])}
        if self._setup.at_once != self._setup.recipe.trainer.micro_batch and self._setup.at_once:
            told["micro_batch"] = float(self._setup.at_once)
        return training_scores(trained, epoch) | told

    def steps(
        self, course: Course, factor: Callable[[int], float], first: int
    ) -> Iterator[list[Tensor]]:
        """Take an epoch's steps.

        Args:
            course: The batches.
            factor: The learning rates as a share of their top, at each step.
            first: The first step's number; the training's first is 0.

        Yields:
            After each step the mean losses of its batches, on the device.
        """
        task, fabric = self._setup.task, self._setup.fabric
        groups = self._optimiser.param_groups
        gradient = MeanGradient(groups)
        course, counts = self._in_parts(course)
        batches = enumerate(self._setup.supplies.batches("train", course))
        task.train()
        for step, together in enumerate(parts_of_steps(counts, self._setup.recipe.trainer), first):
            set_learning_rate(groups, factor(step))
            self._optimiser.zero_grad(set_to_none=True)
            gradient.begin()
            losses = []
            for number, batch in islice(batches, together):
                found = self._setup.step(task.training_step, batch, number)
                losses.append(found["loss"].detach())
                fabric.backward(gradient.share(found["loss"], found["weight"]))
            self._step(step + 1)
            yield losses

    def _in_parts(self, course: Course) -> tuple[Course, list[int]]:
        """See `in_parts`."""
        return in_parts(course, self._setup.at_once, pairs=self._drop_single)

    def factors(self, epoch: int) -> list[float]:
        """The learning rates as a share of their top, at each step of an epoch."""
        first = (epoch - 1) * self.steps_per_epoch
        return [self._factor(epoch, first + step) for step in range(self.steps_per_epoch)]

    def _factor(self, epoch: int, step: int) -> float:
        """The share of the learning rates' top, at a step of training."""
        trainer = self._setup.recipe.trainer
        averaged = averaged_from(trainer)
        if trainer.swa_rate is None or averaged is None or epoch < averaged:
            return self.learning.factor(step)
        return trainer.swa_rate * self.learning.pace(epoch, self.learning.epochs)

    def _step(self, taken: int) -> None:
        """Change the parameters along their gradients; so many steps are then taken."""
        clip = self._setup.recipe.trainer.gradient_clip
        if clip is not None:
            # A gradient that is not finite shows in the loss, which is checked once an epoch.
            self._setup.fabric.clip_gradients(
                self._setup.task, self._optimiser, max_norm=clip, error_if_nonfinite=False
            )
        self._optimiser.step()
        self._setup.module.model.step_ended(taken, self.learning.steps)
        if self._average is not None:
            self._average.step_ended()

    def epoch_ended(self, value: float) -> None:
        """See `Learner.epoch_ended`."""
        self.learning.schedule.epoch_ended(value)

    def weights(self) -> dict[str, Tensor]:
        """See `Learner.weights`: averages, where they are wanted."""
        averages = {} if self._average is None else self._average.tensors()
        return self._setup.trained() | averages

    def scored(self) -> AbstractContextManager[None]:
        """See `Learner.scored`."""
        return nullcontext() if self._average is None else self._setup.holding(self.weights())

    def state(self) -> dict[str, Any]:
        """See `Learner.state`."""
        average = {} if self._average is None else {"average": self._average.state()}
        progress = self._setup.module.model.tuning.progress()
        tuning = {"tuning": progress} if progress else {}
        return {
            "model": self._setup.trained(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self.learning.schedule.state(),
            "precision": self._setup.fabric.strategy.precision.state_dict(),
            **tuning,
            **average,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See `Learner.restore`."""
        self._setup.take(state["model"])
        if "tuning" in state:
            self._setup.module.model.tuning.restore(state["tuning"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.learning.schedule.restore(state["schedule"])
        self._setup.fabric.strategy.precision.load_state_dict(state["precision"])
        if self._average is not None:
            self._average.restore(state["average"])

    def course(self, epoch: int) -> Course:
        """The batches of an epoch."""
        return training_course(self._setup.prepared, epoch, drop_single=self._drop_single)


def learning_of(recipe: Recipe, model: Model, steps_per_epoch: int, fused: bool) -> Learning:
    """A recipe's optimiser and schedule, for its model.

    Args:
        recipe: Complete.
        model: Whose parameters are optimised.
        steps_per_epoch: Optimiser steps in an epoch.
        fused: Whether the optimiser takes its fused step; see `iterate_core.device.fuses`.
    """
    options, trainer = recipe.optimiser, recipe.trainer
    assert isinstance(options, OptimiserOptions)  # noqa: S101 - the registry's contract
    optimiser = registries.optimisers.get(options.name).load()(
        options, parameter_groups(model, options), fused
    )
    schedule = registries.schedulers.get(recipe.scheduler.name).load()(
        recipe.scheduler, recipe.objective, steps_per_epoch, trainer.epochs
    )
    return Learning(
        optimiser,
        schedule,
        recipe.objective,
        recipe.seed,
        steps_per_epoch,
        trainer.epochs,
        model.tuning.pace,
    )

"""Several heads on the same kept features, trained and validated as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from iterate_core.device import fuses
from iterate_core.engine.learning.gradients import GradientLearner
from iterate_core.engine.learning.learner import training_scores
from iterate_core.engine.run import Run
from iterate_core.engine.together.inputs import Inputs
from iterate_core.engine.together.kept import KeptFeatures
from iterate_core.engine.together.losses import StackedLosses
from iterate_core.engine.together.optimiser import StackedOptimiser
from iterate_core.errors import WorkError
from iterate_core.fingerprint import state_seed
from iterate_core.heartbeat import beat
from iterate_core.losses.base import Loss, mean_of
from iterate_core.models.stacked import Unlike, dropouts, stacked
from iterate_core.optimisation.optimisers import set_learning_rate
from iterate_core.tasks.scores import Scores, computed
from iterate_core.tasks.supervised import SupervisedTask

Ended = tuple[dict[str, float], float]
Told = tuple[Tensor, Tensor, Tensor]
"""Of a batch of each head: outputs (m, n, …), summed losses (m,) and their weights (m,)."""


class Heads:
    """Heads that are at the same epoch.

    Each has its own order of samples, flips and rotations, dropout, rates and decay, and comes to
    what it comes to alone but for the last digits. Its own model is a view of what trains.

    Args:
        runs: One a head, of equal `together_key`, with equally many epochs done.
        kept: Their features.

    Raises:
        Unlike: Their decoders, losses or tasks cannot be computed as one.
    """

    def __init__(self, runs: Sequence[Run], kept: KeptFeatures) -> None:
        self._runs, self._kept = list(runs), kept
        self._tasks = [run.trainer.setup.module for run in runs]
        self._losses = StackedLosses([_loss_of(task) for task in self._tasks])
        self._learners = [_learner_of(run) for run in runs]
        decoders = [task.model.decoder for task in self._tasks]
        self._head = stacked(decoders)
        self._inputs = Inputs(kept.inputs, self._head)
        self._generators = self._random()
        self._parameters = list(self._head.parameters())
        self._optimiser = self._stacked_optimiser()
        own = [list(decoder.parameters()) for decoder in decoders]
        alone = [learner.learning.optimiser for learner in self._learners]
        self._own = list(zip(alone, own, strict=True))
        self._optimiser.load(self._own)
        self._shares: list[float] = []

    def _random(self) -> list[Generator]:
        """What each head's dropout draws from.

        Raises:
            Unlike: A device draws for several as it does for none alone.
        """
        dropping, device = dropouts(self._head), self._kept.inputs.device
        if dropping and device.type != "cpu":
            raise Unlike(f"their dropout would be another on {device.type}")
        generators = [Generator() for _ in self._runs]
        for part in dropping:
            part.generators = generators
        return generators

    def _stacked_optimiser(self) -> StackedOptimiser:
        """Their optimisers as one.

        Raises:
            Unlike: Some parameters do not train.
        """
        if not self._parameters or not all(value.requires_grad for value in self._parameters):
            raise Unlike("some of their parameters do not train")
        recipes = [run.trainer.prepared.recipe for run in self._runs]
        options: list[Any] = [recipe.optimiser for recipe in recipes]
        fused = fuses(recipes[0].trainer.precision)
        return StackedOptimiser(options, self._parameters, fused)

    def epoch(self) -> list[Ended | WorkError]:
        """Train and validate one epoch: what each head came to, or why it cannot go on."""
        number = self._runs[0].epoch
        with self._runs[0].trainer.setup.undisturbed(number):
            self._train(number)
            trained = _reported([task.train_scores for task in self._tasks])
            self._validate()
            validated = _reported([task.scores for task in self._tasks])
        pairs = zip(self._own, self._shares, strict=True)
        rates = [float(alone.param_groups[0]["top"] * share) for (alone, _), share in pairs]
        return [
            _ended(run, number, own, rate, scores)
            for run, own, rate, scores in zip(self._runs, trained, rates, validated, strict=True)
        ]

    def store(self) -> None:
        """Leave each head's own optimiser as it would be alone, if it has moved."""
        if not self._shares:
            return
        for place, (alone, own) in enumerate(self._own):
            self._optimiser.store(place, alone, own)
            set_learning_rate(alone.param_groups, self._shares[place])

    def _train(self, epoch: int) -> None:
        for generator, run in zip(self._generators, self._runs, strict=True):
            generator.manual_seed(state_seed(run.trainer.prepared.recipe.seed, epoch))
        courses = [learner.course(epoch) for learner in self._learners]
        factors = [learner.factors(epoch) for learner in self._learners]
        self._shares = [shares[-1] for shares in factors]
        rows = torch.stack([self._kept.rows(course) for course in courses])
        chunks = torch.split(rows, [len(chunk) for chunk in courses[0].chunks], dim=1)
        self._head.train()
        rates = self._optimiser.rates(factors)
        told = [self._step(*step) for step in zip(chunks, rates, strict=True)]
        scores = [task.train_scores for task in self._tasks]
        _take(scores, told, list(self._kept.targets[rows]))

    def _step(self, rows: Tensor, rates: Tensor) -> Told:
        """A step of every head, each on its own rows (heads, n) of the features."""
        beat()
        outputs = self._outputs(self._inputs.rest, self._inputs.of(rows))
        totals, weights = self._losses(outputs, self._kept.targets[rows])
        gradients = torch.autograd.grad(mean_of(totals, weights).sum(), self._parameters)
        self._optimiser.step(self._clipped(gradients), rates)
        return outputs.detach(), totals.detach(), weights

    def _clipped(self, gradients: Sequence[Tensor]) -> Sequence[Tensor]:
        """As `torch.nn.utils.clip_grad_norm_` clips each head's."""
        most = self._runs[0].trainer.prepared.recipe.trainer.gradient_clip
        if most is None:
            return gradients
        flat = [gradient.flatten(1) for gradient in gradients]
        norms = torch.stack([torch.linalg.vector_norm(each, dim=1) for each in flat])
        share = (most / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
        pairs = zip(flat, gradients, strict=True)
        return [(each * share[:, None]).view_as(gradient) for each, gradient in pairs]

    @torch.no_grad()
    def _validate(self) -> None:
        self._head.eval()
        heads, told = len(self._runs), []
        for batch in self._kept.validation:
            beat()
            inputs = batch.inputs.expand(heads, *batch.inputs.shape)
            outputs = self._outputs(self._head, inputs)
            targets = batch.targets.expand(heads, *batch.targets.shape)
            told.append((outputs, *self._losses(outputs, targets)))
        targets = torch.cat([batch.targets for batch in self._kept.validation])
        _take([task.scores for task in self._tasks], told, [targets] * heads)

    def _outputs(self, head: nn.Module, inputs: Tensor) -> Tensor:
        """Of every head; see `iterate_core.models.assembly.Model.decode`."""
        outputs: Tensor = head(inputs)
        quantity = self._tasks[0].model.quantity
        if quantity is not None:
            outputs = quantity(outputs.flatten(0, 1)).view_as(outputs)
        return outputs.float()


def _take(scores: Sequence[Any], told: Sequence[Told], targets: Sequence[Tensor]) -> None:
    """Give each head's scores an epoch's outputs and losses."""
    outputs = torch.cat([each for each, _, _ in told], dim=1)
    totals = torch.stack([each for _, each, _ in told]).double().sum(dim=0)
    weights = torch.stack([each for _, _, each in told]).sum(dim=0)
    for taken, *own in zip(scores, outputs, targets, totals, weights, strict=True):
        taken.update(*own)


def _reported(scores: Sequence[Scores]) -> list[dict[str, float]]:
    """See `iterate_core.tasks.supervised.SupervisedTask.reported`."""
    found = computed(scores)
    for taken in scores:
        taken.reset()
    return found


def _ended(
    run: Run, epoch: int, trained: dict[str, float], rate: float, validated: dict[str, float]
) -> Ended | WorkError:
    try:
        metrics = training_scores(trained, epoch) | {"lr": rate}
        return run.trainer.ended(epoch, metrics, validated)
    except WorkError as error:
        return error


def _learner_of(run: Run) -> GradientLearner:
    learner = run.trainer.learner
    if not isinstance(learner, GradientLearner):
        raise Unlike("they learn by no steps")
    return learner


def _loss_of(task: SupervisedTask) -> Loss:
    """A task's loss, where that and its steps are all that is computed.

    Raises:
        Unlike: The task has ways of its own.
    """
    kind, plain = type(task), SupervisedTask
    own = [getattr(kind, name) is not getattr(plain, name) for name in _STEPS]
    if any(own) or task.loss is None:
        raise Unlike(f"{kind.__name__} has steps of its own")
    return task.loss


_STEPS = ("forward", "training_step", "validation_step", "losses", "predictions")

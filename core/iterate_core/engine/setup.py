"""A recipe set up on its device: what training and testing it have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from iterate_core.data.loading.batch import Batch
from iterate_core.device import fabric_for, isolated, ran_out_of_memory
from iterate_core.engine.build import build_model
from iterate_core.engine.order import Supplies
from iterate_core.engine.resolved import Prepared
from iterate_core.errors import DeviceMemoryError, Problem, RequestError
from iterate_core.faults import memory_error
from iterate_core.fingerprint import state_seed
from iterate_core.losses.base import loss_of
from iterate_core.losses.training import TrainingTargets
from iterate_core.models.assembly import Model
from iterate_core.models.decoders.probes.fitted import Fitted
from iterate_core.registry import registries
from iterate_core.tasks.supervised import SupervisedTask

T = TypeVar("T")


class Setup:
    """A recipe's model in its task, and its data, on a device.

    Args:
        prepared: The recipe and its data.
        at_once: Samples that go through the model at once, where memory holds no whole batch of
            a recipe that leaves it to be found how many it holds.

    Attributes:
        at_once: Likewise, or what the recipe says; None where batches are whole.
        fabric: The device and its arithmetic.
        supplies: The recipe's batches.
        task: The task, with its model, as Fabric runs it.
        module: The task itself.

    Raises:
        RequestError: The parts of the recipe do not fit each other or this machine.
    """

    def __init__(self, prepared: Prepared, at_once: int | None = None) -> None:
        self.prepared = prepared
        self.recipe = prepared.recipe
        stated = self.recipe.trainer.micro_batch
        self.at_once = at_once if isinstance(stated, str) else stated
        self.fabric = fabric_for(self.recipe.trainer.accelerator, self.recipe.trainer.precision)
        with self.undisturbed("set-up"):
            self.supplies = Supplies(prepared, self.fabric, self.at_once)
            self.module = built_task(prepared, headless=self.supplies.keeps_features)
            if self.recipe.trainer.compile:
                _compile(self.module.model, constant=self.recipe.tuning.constant)
            self.task: Any = self.fabric.setup_module(self.module)

    def step(self, step: Callable[[Batch, int], T], batch: Batch, number: int) -> T:
        """A step of the task in the recipe's arithmetic, which on one device Fabric leaves to us.

        One step, not an epoch: autocast keeps the weights it has cast for as long as it is open.
        """
        with self.fabric.autocast():
            return step(batch, number)

    def trained(self) -> dict[str, Tensor]:
        """What training changes of the model."""
        return self.module.model.trained()

    def take(self, trained: dict[str, Tensor]) -> None:
        """Take up what `trained` gave.

        Raises:
            RequestError: It does not fit this model.
        """
        own = self.trained()
        if own.keys() != trained.keys():
            odd = sorted(own.keys() ^ trained.keys())[:5]
            raise RequestError(Problem("", f"the checkpoint does not fit the model: {odd}."))
        self.module.model.load_state_dict(trained, strict=False)

    @contextmanager
    def holding(self, trained: dict[str, Tensor]) -> Iterator[None]:
        """Hold other values of what training changes, and take up its own again at the end."""
        own = {name: value.clone() for name, value in self.trained().items()}
        self.take(trained)
        try:
            yield
        finally:
            self.take(own)

    @contextmanager
    def undisturbed(self, what: str | int) -> Iterator[None]:
        """Work in the recipe's random state, threads and determinism, and leave none behind.

        Each piece of work starts from random state of its own, so continuing needs none saved.

        Args:
            what: Names the work: the number of an epoch, or a word.

        Raises:
            MachineError: The host's memory ran out because others hold it.
            DeviceMemoryError: Memory ran out otherwise; it says what to lower.
        """
        trainer = self.recipe.trainer
        seed = state_seed(self.recipe.seed, what)
        with (
            isolated(
                seed,
                self.fabric.device,
                deterministic=trainer.deterministic,
                threads=trainer.threads,
            ),
            _explained(self.prepared),
        ):
            yield


def _compile(model: Model, *, constant: bool) -> None:
    """Compile a model's parts in place; not a constant backbone, which other recipes share."""
    for part in (None if constant else model.backbone, model.neck, model.decoder):
        if part is not None and not isinstance(part, Fitted):
            part.compile()


def built_task(prepared: Prepared, *, headless: bool = False) -> SupervisedTask:
    """A recipe's model in its task, with its loss; global random state moves.

    Args:
        prepared: The recipe and its data.
        headless: See `iterate_core.engine.build.build_model`.

    Raises:
        RequestError: The parts of the recipe do not fit each other.
    """
    model = build_model(prepared, headless=headless)
    task: SupervisedTask = registries.tasks.get(prepared.info.task).load()(model, prepared.pack)
    training = TrainingTargets(prepared.pack, prepared.training)
    task.loss = loss_of(prepared.recipe.loss, training)
    return task


@contextmanager
def _explained(prepared: Prepared) -> Iterator[None]:
    """Say what to lower when a GPU's memory runs out, or more is asked for than the host has."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        gpu = ran_out_of_memory(error)
        if not gpu and not isinstance(error, MemoryError) and "allocate memory" not in str(error):
            raise
        if not gpu and (fault := memory_error(error)) is not None:
            raise fault from error
        data, (height, width) = prepared.recipe.data, prepared.size
        dates = f" on {prepared.info.frames} dates" if prepared.info.frames > 1 else ""
        raise DeviceMemoryError(
            f"{'GPU ' if gpu else ''}memory ran out with batch size {data.batch_size} and images "
            f"of {height}×{width} pixels{dates}: lower data.batch_size, data.eval_batch_size or "
            "data.image_size, choose trainer.micro_batch: auto, trainer.precision: bf16-mixed, or "
            "tuning: frozen"
        ) from error

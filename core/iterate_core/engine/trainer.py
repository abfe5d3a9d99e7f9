"""One recipe in training: set up once, then epoch by epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from iterate_core.data.dataset import Split
from iterate_core.data.loading.augmentation import IDENTITY
from iterate_core.data.loading.batch import Batch, Context
from iterate_core.data.loading.loader import Supply
from iterate_core.engine import features
from iterate_core.engine.build import build_model, shared_backbone
from iterate_core.engine.determinism import isolated
from iterate_core.engine.device import device_kind
from iterate_core.engine.order import (
    augmentations,
    evaluation_course,
    pixel_supply,
    training_course,
)
from iterate_core.engine.resolved import Prepared
from iterate_core.errors import Problem, RequestError, WorkError
from iterate_core.faults import memory_error
from iterate_core.fingerprint import seed_for
from iterate_core.models.decoders.probes.fitted import Fitted
from iterate_core.optimisation.optimisers import parameter_groups, set_learning_rate
from iterate_core.optimisation.options import OptimiserOptions
from iterate_core.registry import registries
from iterate_core.tasks.per_class import ByClass
from iterate_core.tasks.supervised import SupervisedTask

T = TypeVar("T")

_BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Training:
    """A recipe's model, optimiser, schedule and data on a device.

    Between its methods no global state is changed: random state, deterministic switches and
    automatic casting are set for the length of a method and put back.

    Args:
        prepared: The recipe and its data.
        optimise: Whether an optimiser is needed; False only evaluates.

    Raises:
        RequestError: The parts of the recipe do not fit each other or this machine.
    """

    def __init__(self, prepared: Prepared, *, optimise: bool = True) -> None:
        self.prepared = prepared
        self.recipe = prepared.recipe
        self.fabric = fabric_for(prepared)
        with self._isolated("set-up"), explained(prepared):
            self.group = augmentations(prepared)
            self._cached = features.worthwhile(prepared, self.group)
            model = build_model(prepared, headless=self._cached)
            task = registries.tasks.get(prepared.info.task).load()(model, prepared.pack)
            self._supplies: dict[Split, Supply] = {}
            self._set_up(task, optimise)

    def _set_up(self, task: SupervisedTask, optimise: bool) -> None:
        device = self.fabric.device
        self._fitted = isinstance(task.model.decoder, Fitted)
        if optimise:
            samples = len(self.supply("train"))
            self._drop_single = any(
                isinstance(part, _BATCH_NORM) and part.training for part in task.modules()
            )
            course = self._course(samples, 1)
            self.steps_per_epoch = len(course.chunks)
            scheduler = registries.schedulers.get(self.recipe.scheduler.name).load()
            self.schedule = scheduler(
                self.recipe.scheduler,
                self.recipe.objective,
                self.steps_per_epoch,
                self.recipe.trainer.epochs,
            )
        if optimise and not self._fitted:
            task.to(device)
            options = self.recipe.optimiser
            assert isinstance(options, OptimiserOptions)  # noqa: S101 - the registry's contract
            groups = parameter_groups(task.model, options)
            build = registries.optimisers.get(self.recipe.optimiser.name).load()
            # The scaler of float16 must see gradients that the fused step would unscale itself.
            fused = self.recipe.trainer.precision != "16-mixed"
            self.task, self.optimiser = self.fabric.setup(task, build(options, groups, fused))
        else:
            self.task = self.fabric.setup(task)
        self.module = self.task.module

    def supply(self, split: Split) -> Supply:
        """Batches of a split, opened when first asked for."""
        if split not in self._supplies:
            self._supplies[split] = self._open(split)
        return self._supplies[split]

    def _open(self, split: Split) -> Supply:
        group = self.group if split == "train" else (IDENTITY,)
        backbone = shared_backbone(self.prepared, meta=True)
        pixels = pixel_supply(self.prepared, split, backbone, group, self.fabric.device)
        if not self._cached:
            return pixels
        place = features.Place(self.prepared, self.fabric.device)
        return features.FeatureSupply(place, split, group, pixels, self._encode)

    def _encode(self, images: Tensor, context: Context | None) -> Any:
        """A frozen backbone's features, in the recipe's arithmetic."""
        backbone = shared_backbone(self.prepared).to(self.fabric.device).eval()
        with self.fabric.autocast():
            return backbone(images, context)

    def _step(self, step: Callable[[Batch], T], batch: Batch) -> T:
        """A step of the task in the recipe's arithmetic, which on one device Fabric leaves to us.

        One step, not an epoch: autocast keeps the weights it has cast for as long as it is open.
        """
        with self.fabric.autocast():
            return step(batch)

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """One pass over the training split and one over the validation split.

        Returns:
            ``train/…`` (over the batches as they were trained on), ``val/…`` and ``lr``. A fitted
            decoder: ``train/…`` if it is worth its time, ``val/…`` and what `Fitted.fit` tells.

        Raises:
            WorkError: The loss is not finite, or memory runs out.
        """
        with self._isolated(epoch), explained(self.prepared):
            metrics = self._fit(epoch) if self._fitted else self._train(epoch)
            validated = self._evaluate("val")
            _finite(validated["loss"], "validation", epoch)
            if self._fitted and self.module.model.decoder.refits:
                self.module.model.decoder.refit(*self._gathered("train", "val"))
        return metrics | {f"val/{name}": value for name, value in validated.items()}

    def _fit(self, epoch: int) -> dict[str, float]:
        decoder = self.module.model.decoder
        told: dict[str, float] = decoder.fit(*self._gathered("train"))
        if not decoder.scores_training:
            return told
        decoder.validating = True
        supply = self.supply("train")
        with torch.no_grad():
            for batch in supply.batches(evaluation_course(self.prepared, supply).chunks, None):
                self._step(self.task.training_step, batch)
        return self._trained_scores(epoch) | told

    def _gathered(self, *splits: Split) -> tuple[Tensor, Tensor]:
        """All features and targets of some splits."""
        features, targets = [], []
        with torch.no_grad():
            for supply in map(self.supply, splits):
                course = evaluation_course(self.prepared, supply)
                for batch in supply.batches(course.chunks, None):
                    inputs, known = batch.inputs, batch.encoded
                    features.append(inputs if known else self._encode(inputs, batch.context))
                    targets.append(batch.targets)
        return torch.cat(features), torch.cat(targets)

    def _trained_scores(self, epoch: int) -> dict[str, float]:
        trained = self.module.reported(self.module.train_scores)
        _finite(trained["loss"], "training", epoch)
        return {f"train/{name}": value for name, value in trained.items()}

    def _train(self, epoch: int) -> dict[str, float]:
        supply, clip = self.supply("train"), self.recipe.trainer.gradient_clip
        course = self._course(len(supply), epoch)
        groups = self.optimiser.param_groups
        first = (epoch - 1) * self.steps_per_epoch
        self.task.train()
        for number, batch in enumerate(supply.batches(course.chunks, course.chosen)):
            set_learning_rate(groups, self.schedule.factor(first + number))
            loss = self._step(self.task.training_step, batch)
            self.optimiser.zero_grad(set_to_none=True)
            self.fabric.backward(loss)
            if clip is not None:
                # A gradient that is not finite shows in the loss, which is checked once an epoch.
                self.fabric.clip_gradients(
                    self.task, self.optimiser, max_norm=clip, error_if_nonfinite=False
                )
            self.optimiser.step()
        return self._trained_scores(epoch) | {"lr": float(groups[0]["lr"])}

    def _course(self, samples: int, epoch: int) -> Any:
        return training_course(
            self.prepared, samples, epoch, self.group, drop_single=self._drop_single
        )

    def evaluate(self, split: Split) -> dict[str, float]:
        """A split's scores, without the split's name before them; `by_class` then has the rest.

        Raises:
            WorkError: Memory runs out.
        """
        with self._isolated("evaluation"), explained(self.prepared):
            return self._evaluate(split, classwise=True)

    def _evaluate(self, split: Split, *, classwise: bool = False) -> dict[str, float]:
        supply = self.supply(split)
        course = evaluation_course(self.prepared, supply)
        self.task.eval()
        if self._fitted:
            self.module.model.decoder.validating = split != "test"
        # Not inference mode: what a model keeps from one forward to the next must be trainable.
        with torch.no_grad():
            for batch in supply.batches(course.chunks, None):
                self._step(self.task.validation_step, batch)
        self.by_class: ByClass | None = self.module.by_class() if classwise else None
        scores: dict[str, float] = self.module.reported(self.module.scores)
        return scores

    def trained(self) -> dict[str, Tensor]:
        """What training changes: all of the model, or without its backbone if that is frozen."""
        state = self.module.model.state_dict()
        frozen = self.recipe.model.freeze
        return {
            name: value
            for name, value in state.items()
            if not (frozen and name.startswith("backbone."))
        }

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

    def state(self) -> dict[str, Any]:
        """Everything that decides the next epoch, beside the recipe."""
        return {
            "model": self.trained(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state(),
            "precision": self.fabric.strategy.precision.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.take(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.restore(state["schedule"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])

    @contextmanager
    def _isolated(self, what: str | int) -> Iterator[None]:
        # Each epoch starts from random state of its own, so continuing needs none saved.
        seed = seed_for(self.recipe.seed, "random state", what)
        cuda = self.fabric.device.type == "cuda"
        trainer = self.recipe.trainer
        with isolated(
            seed, deterministic=trainer.deterministic, cuda=cuda, threads=trainer.threads
        ):
            yield


def fabric_for(prepared: Prepared) -> Fabric:
    """One device and the arithmetic a recipe asks for.

    Raises:
        RequestError: This machine has no such device, or it has no such arithmetic.
    """
    trainer = prepared.recipe.trainer
    kind = device_kind(trainer)
    if trainer.accelerator == "gpu" and kind == "cpu":
        hint = "Choose accelerator: auto or cpu."
        raise RequestError(Problem("trainer.accelerator", "there is no CUDA GPU here.", hint))
    if kind == "cpu" and trainer.precision == "16-mixed":
        what = "16-mixed needs a GPU, and this recipe trains on a CPU."
        raise RequestError(Problem("trainer.precision", what, "Choose bf16-mixed or 32-true."))
    return Fabric(accelerator=kind, devices=1, precision=trainer.precision)


def _finite(loss: float, split: str, epoch: int) -> None:
    if not math.isfinite(loss):
        raise WorkError(
            f"the {split} loss of epoch {epoch} is {loss}: either training diverged (lower "
            "optimiser.lr, or set trainer.gradient_clip), or no target of the split counts"
        )


@contextmanager
def explained(prepared: Prepared) -> Iterator[None]:
    """Say what to lower when a GPU's memory runs out, or more is asked for than the host has.

    Raises:
        MachineError: The host's memory ran out because others hold it.
        WorkError: It ran out otherwise.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        gpu = isinstance(error, torch.OutOfMemoryError)
        if not gpu and not isinstance(error, MemoryError) and "allocate memory" not in str(error):
            raise
        if not gpu and (fault := memory_error(error)) is not None:
            raise fault from error
        data, (height, width) = prepared.recipe.data, prepared.size
        dates = f" on {prepared.info.frames} dates" if prepared.info.frames > 1 else ""
        raise WorkError(
            f"{'GPU ' if gpu else ''}memory ran out with batch size {data.batch_size} and images "
            f"of {height}×{width} pixels{dates}: lower data.batch_size, data.eval_batch_size or "
            "data.image_size, choose trainer.precision: bf16-mixed, or freeze the backbone"
        ) from error


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long ago that was."""
        return time.perf_counter() - self._start

"""A recipe for a `lightning.Trainer` of your own: its module and its data.

The steps, their order, augmentation and learning rates are those of our own loop. What the recipe's
`trainer` section says is the Trainer's to decide here, except that the schedule runs over the
recipe's epochs, of so many steps as `trainer.accumulate` makes of an epoch's batches.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import repeat
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from iterate_core.data.augmentation.draws import Draws
from iterate_core.data.dataset import Split
from iterate_core.data.loading.batch import Batch
from iterate_core.data.loading.loader import Indices, PixelSupply
from iterate_core.device import isolated
from iterate_core.engine.build import build_model
from iterate_core.engine.learning.accumulation import steps_of
from iterate_core.engine.learning.gradients import learning_of
from iterate_core.engine.order import (
    Course,
    evaluation_course,
    needs_pairs,
    pixel_supply,
    training_course,
)
from iterate_core.engine.preflight import refuse_single
from iterate_core.engine.probing import fits
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.engine.setup import built_task
from iterate_core.errors import Problem, RequestError
from iterate_core.fingerprint import state_seed
from iterate_core.recipe import Recipe
from iterate_core.tasks.supervised import SupervisedTask

_CPU = torch.device("cpu")
_Chosen = tuple[Indices, Indices | None, Draws | None]


def module_of(recipe: Recipe) -> SupervisedTask:
    """A recipe's task as a LightningModule, ready to be trained.

    It logs ``train/…``, ``val/…`` and ``test/…``, the scores that our own loop reports.

    Raises:
        RequestError: The recipe cannot be trained as it stands, or its decoder is fitted at once.
    """
    prepared = _trainable(recipe)
    refuse_single(prepared)
    seed = state_seed(prepared.recipe.seed, "set-up")
    with isolated(seed, _CPU, deterministic=False, threads=None):
        # Frozen backbones are shared within a process; this one is its owner's alone.
        task = copy.deepcopy(built_task(prepared))
    course = training_course(prepared, 1, drop_single=needs_pairs(task))
    steps = steps_of(course, prepared.recipe.trainer)
    task.learning_for = partial(learning_of, prepared.recipe, task.model, steps)
    return task


def datamodule_of(recipe: Recipe) -> RecipeData:
    """The batches that our own loop makes of a recipe's dataset, epoch by epoch.

    A frozen backbone runs in every step: its features are not kept.

    Raises:
        RequestError: See `module_of`.
    """
    return RecipeData(_trainable(recipe))


class RecipeData(LightningDataModule):
    """A recipe's batches (`iterate_core.data.loading.batch.Batch`), made on the CPU.

    Args:
        prepared: The recipe and its data.
    """

    def __init__(self, prepared: Prepared) -> None:
        super().__init__()
        self._prepared = prepared

    def train_dataloader(self) -> DataLoader[Batch]:
        """The training split, in each epoch's own order and augmentation."""
        with isolated(0, _CPU, deterministic=False, threads=None):
            pairs = needs_pairs(build_model(self._prepared, meta=True))

        def course() -> Course:
            # Asked of the Trainer: a sampler's `set_epoch` comes too late where one continues.
            epoch = 0 if self.trainer is None else self.trainer.current_epoch
            return training_course(self._prepared, epoch + 1, drop_single=pairs)

        return self._loader("train", course)

    def val_dataloader(self) -> DataLoader[Batch]:
        """The validation split in its own order."""
        return self._loader("val", lambda: evaluation_course(self._prepared, "val"))

    def test_dataloader(self) -> DataLoader[Batch]:
        """The test split in its own order."""
        return self._loader("test", lambda: evaluation_course(self._prepared, "test"))

    def _loader(self, split: Split, course: Callable[[], Course]) -> DataLoader[Batch]:
        # A generator of its own: the loader draws a seed, which must leave the model's alone.
        return DataLoader(
            _Batches(self._prepared, split),
            batch_size=None,
            sampler=_Chunks(course),
            num_workers=self._prepared.recipe.data.workers,
            collate_fn=_unchanged,
            generator=torch.Generator(),
        )


class _Batches(Dataset[Batch]):
    """Whole batches by the samples in them and what is done to each."""

    def __init__(self, prepared: Prepared, split: Split) -> None:
        self._prepared, self._split = prepared, split

    @cached_property
    def _supply(self) -> PixelSupply:
        return pixel_supply(self._prepared, self._split, _CPU, 0)

    def __getitem__(self, index: _Chosen) -> Batch:
        samples, chosen, draws = index
        return next(self._supply.batches([samples], None if chosen is None else [chosen], draws))


class _Chunks(Sampler[_Chosen]):
    """The chunks of whatever course an epoch takes."""

    def __init__(self, course: Callable[[], Course]) -> None:
        self._course = course

    def __len__(self) -> int:
        return len(self._course().chunks)

    def __iter__(self) -> Iterator[_Chosen]:
        course = self._course()
        chosen = course.chosen or repeat(None)
        return zip(course.chunks, chosen, repeat(course.draws), strict=False)


def _unchanged(batch: Any) -> Any:
    return batch


def _trainable(recipe: Recipe) -> Prepared:
    prepared = prepare(recipe)
    if fits(prepared.recipe):
        what = (
            f"decoder {prepared.recipe.model.decoder.name!r} is fitted to all features at once: "
            "there are no steps for a Lightning Trainer."
        )
        hint = "Train it with iterate fit, or choose a decoder that is trained, such as linear."
        raise RequestError(Problem("model.decoder.name", what, hint))
    return prepared

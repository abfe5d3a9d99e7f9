"""What of a recipe does less than it says; told without importing PyTorch."""

from __future__ import annotations

import math

from iterate_core.engine.resolved import Prepared
from iterate_core.plurals import counted


def idle_notes(prepared: Prepared) -> list[str]:
    """What is set to no effect: each in a sentence without its full stop."""
    found = (_accumulate(prepared), _micro_batch(prepared), _features(prepared))
    return [note for note in found if note is not None]


def _accumulate(prepared: Prepared) -> str | None:
    data, together = prepared.recipe.data, prepared.recipe.trainer.accumulate
    samples = min(prepared.info.sizes["train"], data.epoch_samples or math.inf)
    batches = math.ceil(samples / data.batch_size)
    if together <= batches:
        return None
    of = counted(batches, "batch", "batches")
    return f"trainer.accumulate is {together}, but an epoch has {of}: it takes one step of them"


def _micro_batch(prepared: Prepared) -> str | None:
    at_once, batch = prepared.recipe.trainer.micro_batch, prepared.recipe.data.batch_size
    if not isinstance(at_once, int) or at_once < batch:
        return None
    return f"trainer.micro_batch is {at_once}, and a batch is of {batch}: it is taken whole"


def _features(prepared: Prepared) -> str | None:
    kept, recipe = prepared.recipe.trainer.features, prepared.recipe
    if kept in ("auto", "off"):
        return None
    if not recipe.tuning.constant:
        return f"trainer.features is {kept}, but the backbone trains: none are kept"
    if recipe.augmentation.members:
        return f"trainer.features is {kept}, but no sample is augmented alike twice: none are kept"
    return None

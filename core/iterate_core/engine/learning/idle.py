"""What of a recipe does less than it says; told without importing PyTorch."""

from __future__ import annotations

import math

from iterate_core.engine.resolved import Prepared
from iterate_core.plurals import counted


def idle_note(prepared: Prepared) -> str | None:
    """That a step takes more batches than an epoch has; None where it does not."""
    data, together = prepared.recipe.data, prepared.recipe.trainer.accumulate
    samples = min(prepared.info.sizes["train"], data.epoch_samples or math.inf)
    batches = math.ceil(samples / data.batch_size)
    if together <= batches:
        return None
    of = counted(batches, "batch", "batches")
    return f"trainer.accumulate is {together}, but an epoch has {of}: it takes one step of them"

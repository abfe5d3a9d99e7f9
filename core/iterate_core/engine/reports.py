"""What a training run tells whoever drives it, and what it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field

LAST, BEST = "last.ckpt", "best.safetensors"
"""Beside its recipe: all that it takes to go on, and the weights of its best epoch."""
MODEL_FILE = "model.json"
"""Beside the weights of a training, or of an exported model: what they are the weights of."""


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch.

    Attributes:
        epoch: Counted from 1.
        metrics: ``"split/metric"`` → value, such as ``"val/accuracy"``, ``"train/loss"``; and
            ``"lr"``, or what a fitted decoder tells of its fit.
        value: The objective's value at this epoch, finite.
        best: The objective's best value so far; the checkpoint kept is that epoch's.
        seconds: Wall time of training and validating this epoch.
        done: No epoch follows (all trained, or early stopping).
    """

    epoch: int
    metrics: dict[str, float] = field(hash=False)
    value: float
    best: float
    seconds: float
    done: bool

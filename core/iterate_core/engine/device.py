"""The device that a recipe trains on."""

from __future__ import annotations

from typing import Literal

import torch

from iterate_core.recipe import TrainerSection


def device_kind(trainer: TrainerSection) -> Literal["cuda", "cpu"]:
    """``cuda`` where a GPU is seen by this process, unless the recipe says ``cpu``."""
    return "cuda" if trainer.accelerator != "cpu" and torch.cuda.is_available() else "cpu"


def device_name(trainer: TrainerSection) -> str:
    """The device for people: ``CPU``, or the GPU's name."""
    return "CPU" if device_kind(trainer) == "cpu" else str(torch.cuda.get_device_name(0))

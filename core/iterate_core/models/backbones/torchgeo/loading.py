"""Published weights in the networks that TorchGeo builds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from iterate_core.models.backbones.checkpoints import load_strictly, without


def load(
    model: nn.Module,
    tensors: Mapping[str, Tensor],
    source: str,
    *,
    first: str | None = None,
    added: int = 0,
    left_over: Sequence[str] = (),
) -> None:
    """Fill a network strictly.

    Args:
        model: What to fill.
        tensors: As published.
        source: The file they came from, for messages.
        first: The weight that each band has a slice of, if channels may be added.
        added: So many bands come after those the weights are for; they get random weights.
        left_over: What the published file holds for training alone: names, or their beginnings.

    Raises:
        RequestError: A weight is missing, left over or of another shape.
    """
    kept = without(tensors, *left_over) if left_over else dict(tensors)
    if first is not None and added and first in kept:
        kept[first] = widened(kept[first], added)
    load_strictly(model, kept, source)


def widened(weight: Tensor, added: int) -> Tensor:
    """Filters (out, bands, …) with further bands, drawn with the others' spread."""
    fresh = torch.empty(len(weight), added, *weight.shape[2:])
    nn.init.normal_(fresh, std=float(weight.float().std()))
    return torch.cat([weight, fresh.to(weight.dtype)], dim=1)

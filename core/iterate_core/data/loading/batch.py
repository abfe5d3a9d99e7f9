"""What one step sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from iterate_core.data.loading.tensors import placed


@dataclass(frozen=True)
class Context:
    """Where and when images were taken, for backbones that take it into account.

    Attributes:
        dates: (n, frames, 2) year and day of the year; None, or NaN for a sample, where unknown.
        places: (n, 2) latitude and longitude in degrees; likewise.
    """

    dates: Tensor | None = None
    places: Tensor | None = None

    def to(self, device: torch.device) -> Context:
        """The same on a device."""
        both = (self.dates, self.places)
        return Context(*(None if part is None else part.to(device) for part in both))


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of one step.

    Attributes:
        inputs: Normalised images (n, bands, height, width) or, with several dates, (n, bands,
            frames, height, width); or their features if `encoded`: one tensor (n, width) or a list
            of maps.
        targets: As `iterate_core.data.target.Target.prepared` gives them: a tensor (n, …), or of
            ragged ones a list of n dictionaries of tensors.
        encoded: Whether the backbone has done its part.
        size: (height, width) of the images, or of those the features were computed from.
        context: When and where they were taken; None where nothing is known, or if `encoded`.
    """

    inputs: Any
    targets: Any
    encoded: bool
    size: tuple[int, int]
    context: Context | None = None

    def to(self, device: torch.device) -> Batch:
        """The same on a device, as Lightning moves whatever has a method of this name."""
        inputs, targets = placed((self.inputs, self.targets), device)
        context = None if self.context is None else self.context.to(device)
        return replace(self, inputs=inputs, targets=targets, context=context)

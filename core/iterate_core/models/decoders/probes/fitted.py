"""The base of decoders that are fitted to all training features at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor, nn


class Fitted(nn.Module, ABC):
    """A decoder of vectors that is fitted once instead of trained in steps.

    What it learns is kept in buffers, whose sizes may follow from the data: a checkpoint sets
    them. Until it is fitted, it predicts every class alike. It computes in float32 whatever
    arithmetic the recipe asks for, which is the backbone's.

    Its entry in the registry says so too: ``facts={"fitted": True}``.

    Args:
        classes: Number of classes.

    Attributes:
        scores_training: Whether its scores on what it was fitted to are worth their time.
        refits: Whether it is fitted to the validation split too, once that has been scored.
        validating: Whether the training or the validation split is being scored.
        exclusive: Whether a sample has exactly one class; else it has any number. The engine says
            so of the dataset's target.
    """

    scores_training: ClassVar[bool] = True
    refits: ClassVar[bool] = False
    validating: bool = False
    exclusive: bool = True

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    @abstractmethod
    def fit(self, features: Tensor, targets: Tensor) -> dict[str, float]:
        """Fit to the whole training split.

        Args:
            features: (n, width).
            targets: (n,) class indices, or if they are not `exclusive` (n, classes) of 0 and 1.

        Returns:
            What is worth reporting of the fit, by name.
        """

    def refit(self, features: Tensor, targets: Tensor) -> None:
        """Fit to the training and validation splits together, where it `refits`; see `fit`."""

    @abstractmethod
    def logits(self, features: Tensor) -> Tensor:
        """Logits (n, classes) of float32 features (n, width)."""

    def forward(self, features: Tensor) -> Tensor:
        """Logits (n, classes) of features (n, width) of any type."""
        with _full_precision(features.device):
            return self.logits(features.float())

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name, buffer in self.named_buffers(recurse=False):
            saved = state_dict.get(prefix + name)
            if saved is not None and saved.shape != buffer.shape:
                setattr(self, name, buffer.new_empty(saved.shape, dtype=saved.dtype))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class Refitted(Fitted):
    """A decoder that is chosen on the validation split, then fitted to that split as well.

    Scores of the training and validation splits are those of the first fit, which never saw the
    validation split; everything else is predicted by the second.

    Args:
        first: Fitted to the training split.
        second: A like one, fitted to the training and validation splits.
    """

    refits: ClassVar[bool] = True

    def __init__(self, first: Fitted, second: Fitted) -> None:
        super().__init__(first.classes)
        self.first = first
        self.second = second

    def fit(self, features: Tensor, targets: Tensor) -> dict[str, float]:
        """Fit the first; see `Fitted.fit`."""
        return self.first.fit(features, targets)

    def refit(self, features: Tensor, targets: Tensor) -> None:
        """Fit the second; see `Fitted.refit`."""
        self.second.fit(features, targets)

    def logits(self, features: Tensor) -> Tensor:
        """See `Fitted.logits`."""
        return (self.first if self.validating else self.second).logits(features)


def _full_precision(device: torch.device) -> AbstractContextManager[Any]:
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)

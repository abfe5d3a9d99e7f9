"""The seam that every way to fine-tune implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.options import TuningOptions

# Operations of a backward pass over those of its forward pass, about: half for the gradients of
# what passes through, half for those of weights.
_BACKWARD = 2.0


class Tuning(ABC):
    """What of a backbone trains, and how that is grouped, saved and merged.

    A subclass says which modules train (`parts`), or which parameters (`trains`); whatever else it
    does otherwise it overrides.
    One that changes the backbone (adapters, prompts) does so in `prepare`, and hears of the
    backbone only as it was returned there.

    Args:
        options: As the recipe has them; `TuningOptions.constant` is read from them.
    """

    def __init__(self, options: TuningOptions) -> None:
        self.options = options

    @abstractmethod
    def parts(self, backbone: Backbone) -> Sequence[nn.Module]:
        """The modules of a prepared backbone that train. All others stay in evaluation mode.

        So normalisation there goes by the statistics of pretraining, which do not drift, and
        dropout is off.
        """

    def trains(self, backbone: Backbone) -> set[str]:
        """Names of the parameters that train: those of `parts`, but for what is `fixed`."""
        trained = {value for part in self.parts(backbone) for value in part.parameters()}
        named = backbone.named_parameters()
        return {name for name, value in named if value in trained and name not in backbone.fixed}

    def prepare(self, backbone: Backbone) -> Backbone:
        """The backbone, ready to train: changed in place, or another in its place.

        Its parameters take gradients as they are to at the first step; those that it calls
        `fixed` never do. A backbone that others share (`constant`) must stay as it is otherwise.

        Raises:
            RequestError: The backbone cannot be tuned so.
        """
        trained = self.trains(backbone)
        for name, value in backbone.named_parameters():
            value.requires_grad_(name in trained)
        return backbone

    def added(self, backbone: Backbone) -> dict[str, nn.Module]:
        """What `prepare` has put into the backbone, by name.

        A recipe whose backbone passes some of it by is refused before it trains.
        """
        del backbone
        return {}

    def train(self, backbone: Backbone, mode: bool) -> None:
        """Training or evaluation mode, for what trains."""
        backbone.eval()
        for part in self.parts(backbone):
            part.train(mode)

    def begin_epoch(self, backbone: Backbone, epoch: int, epochs: int) -> None:
        """Change what trains with the epoch, counted from 1, of so many, and with these alone."""
        del backbone, epoch, epochs

    def pace(self, epoch: int, epochs: int) -> float:
        """The share of the schedule's learning rate, for all that trains, decoder included.

        Args:
            epoch: Counted from 1; nothing else may decide.
            epochs: Of the whole training.
        """
        del epoch, epochs
        return 1.0

    def penalty(self, backbone: Backbone) -> Tensor | None:
        """What is added to the mean loss of each training batch, a scalar; None adds nothing.

        Training goes by it, and no score tells it.
        """
        del backbone
        return None

    def step_ended(self, backbone: Backbone, step: int, steps: int) -> None:
        """Change what trains after a step of the optimiser.

        Parameters have their new values, and still the gradients that the step went along.

        Args:
            backbone: Prepared.
            step: Counted from 1.
            steps: Of the whole training.
        """
        del backbone, step, steps

    def groups(self, backbone: Backbone) -> list[tuple[float, list[nn.Parameter]]]:
        """Everything that ever takes a gradient, by its learning rate as a share of the usual."""
        return [(1.0, [value for value in backbone.parameters() if value.requires_grad])]

    def state(self, backbone: Backbone) -> dict[str, Tensor]:
        """What training changes, by its name in ``backbone.state_dict()``: checkpoints hold it."""
        parts, trained = set(self.parts(backbone)), self.trains(backbone)
        named = [name for name, module in backbone.named_modules() if module in parts]
        below = tuple(f"{name}." if name else "" for name in named)
        state = backbone.state_dict().items()
        return {name: value for name, value in state if name in trained or name.startswith(below)}

    def averaged(self, backbone: Backbone, averages: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What averages over steps come to, which are scored and kept in the place of `state`.

        Args:
            backbone: Holds what the last step came to.
            averages: Of each tensor of `state` by itself, by its name there.
        """
        del backbone
        return dict(averages)

    def progress(self) -> dict[str, Any]:
        """What decides later steps beside `state`, the recipe and the step's number.

        Tensors and plain values of Python, in dictionaries and lists.
        """
        return {}

    def restore(self, progress: Mapping[str, Any]) -> None:
        """Take up what `progress` gave; tensors may lie on another device than the backbone."""
        del progress

    def merge(self, backbone: Backbone) -> Backbone:
        """The trained backbone for use elsewhere: what was added is folded into its weights.

        It gives the features that it gave before, with the modules of the network as it was
        loaded, where what was added can be folded in. An exported model is made so.
        """
        return backbone

    def backward_cost(self, backbone: Backbone) -> float:
        """Operations of the backward pass, as a multiple of the forward pass's.

        Estimated by the share of the parameters that are in trained parts.
        """
        trained = {value for part in self.parts(backbone) for value in part.parameters()}
        total = sum(value.numel() for value in backbone.parameters())
        return _BACKWARD * sum(value.numel() for value in trained) / max(1, total)

    def cost_throughout(self, backbone: Backbone) -> float:
        """`backward_cost` where little trains, but from the first block on.

        Gradients pass through all of the backbone, and are taken of that little's weights alone.
        """
        trained = self.trains(backbone)
        sizes = {name: value.numel() for name, value in backbone.named_parameters()}
        share = sum(sizes[name] for name in trained) / max(1, sum(sizes.values()))
        return _BACKWARD / 2 * (1.0 + share)

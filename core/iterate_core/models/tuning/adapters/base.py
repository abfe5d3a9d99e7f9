"""What ways to tune by adapters share."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.adapters.options import AdapterOptions
from iterate_core.models.tuning.adapters.targets import linear_layers
from iterate_core.models.tuning.base import Tuning

_NAME = "default"  # of the one adapter that a layer has, as peft calls it


class Adapters(Tuning):
    """Adapters of peft stand in for linear layers of the backbone's blocks, which stay frozen.

    A subclass makes peft's tuner of its kind (`inject`). Of the backbone that it is given, modules
    are exchanged and weights stay as they are.
    """

    options: AdapterOptions

    @property
    def purposes(self) -> tuple[str, ...]:
        """What the layers that are adapted are for."""
        targets = self.options.targets
        return ("attention", "mlp") if targets == "all" else (targets,)

    @abstractmethod
    def inject(self, peft: Any, backbone: Backbone, layers: list[str]) -> None:
        """Exchange layers of the backbone for adapted ones.

        Args:
            peft: The library.
            backbone: On the CPU, or without weights on the meta device.
            layers: Their names.
        """

    def prepare(self, backbone: Backbone) -> Backbone:
        """See `Tuning.prepare`.

        Raises:
            RequestError: The backbone has no layers to adapt, or peft is not installed.
        """
        layers = linear_layers(backbone, self.purposes)
        device = next(backbone.parameters()).device
        # Drawn on the CPU in any case: VeRA's generator is of there.
        with torch.device("cpu"):
            self.inject(_peft(), backbone, layers)
        return super().prepare(backbone.to(device))

    def parts(self, backbone: Backbone) -> Sequence[nn.Module]:
        """See `Tuning.parts`: what adapted layers have beside the frozen one."""
        return [
            part
            for layer in self.added(backbone).values()
            for name, part in layer.named_children()
            if name != "base_layer"
        ]

    def train(self, backbone: Backbone, mode: bool) -> None:
        """See `Tuning.train`."""
        super().train(backbone, mode)
        for layer in self.added(backbone).values():
            layer.training = mode  # DoRA asks the layer itself whether to drop

    def added(self, backbone: Backbone) -> dict[str, nn.Module]:
        """See `Tuning.added`: the adapted layers."""
        kind = _peft().tuners.tuners_utils.BaseTunerLayer
        return {name: one for name, one in backbone.named_modules() if isinstance(one, kind)}

    def state(self, backbone: Backbone) -> dict[str, Tensor]:
        """See `Tuning.state`: what trains. Whatever else peft draws follows from the seed."""
        trained = self.trains(backbone)
        return {name: value for name, value in backbone.state_dict().items() if name in trained}

    def merge(self, backbone: Backbone) -> Backbone:
        """See `Tuning.merge`: a copy, for others may share the weights."""
        merged = copy.deepcopy(backbone)
        for name, layer in self.added(merged).items():
            adapted: Any = layer
            adapted.merge()
            merged.set_submodule(name, adapted.get_base_layer())
        return merged

    def backward_cost(self, backbone: Backbone) -> float:
        """See `Tuning.backward_cost`."""
        return self.cost_throughout(backbone)


def _peft() -> ModuleType:
    """The library, which takes seconds to import.

    Raises:
        RequestError: It cannot be imported.
    """
    try:
        import peft
        import peft.tuners.tuners_utils
    except ImportError as error:
        what = f"the library peft cannot be imported ({error})."
        hint = "pip install 'geo-iterate[adapters]'"
        raise RequestError(Problem("tuning.name", what, hint)) from error
    return peft

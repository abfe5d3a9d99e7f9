"""A way to fine-tune of your own: copy this file, change it, and name it in a recipe (in one line).

    iterate fit search_spaces/recipe.yaml model.backbone.weights=none
        tuning.name=docs/examples/own_tuning.py:Norms

It says which modules of a backbone train. What does not train takes no gradient and stays in
evaluation mode, and checkpoints hold what trains; search, resume and testing then work. Whatever
else `iterate_core.models.tuning.base.Tuning` does (preparing the backbone, learning rates of its
own, changes from epoch to epoch) can be done otherwise too.
"""

from collections.abc import Sequence

from torch import nn

from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.base import Tuning
from iterate_core.models.tuning.options import TuningOptions


class NormsOptions(TuningOptions):
    """What the YAML may say; each field can be searched, as `tuning.first`."""

    first: bool = True


class Norms(Tuning):
    """The layers of normalisation train, and the first convolution if asked to."""

    options = NormsOptions

    def __init__(self, options: NormsOptions) -> None:
        super().__init__(options)
        self._first = options.first

    def parts(self, backbone: Backbone) -> Sequence[nn.Module]:
        """The modules that train."""
        modules = list(backbone.modules())
        norms = [part for part in modules if isinstance(part, nn.BatchNorm2d | nn.LayerNorm)]
        convolutions = [part for part in modules if isinstance(part, nn.Conv2d)]
        return [*norms, *convolutions[: int(self._first)]]

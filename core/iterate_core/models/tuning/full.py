"""Full fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.base import Tuning


class Full(Tuning):
    """All of the backbone trains."""

    def parts(self, backbone: Backbone) -> Sequence[nn.Module]:
        """See `Tuning.parts`."""
        return [backbone]

"""A frozen backbone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.base import Tuning


class Frozen(Tuning):
    """The decoder alone trains."""

    def parts(self, backbone: Backbone) -> Sequence[nn.Module]:  # noqa: ARG002
        """See `Tuning.parts`."""
        return []

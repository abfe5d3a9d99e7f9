"""The last blocks of a backbone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.base import Tuning
from iterate_core.models.tuning.blocks import named_blocks
from iterate_core.models.tuning.options import LastKOptions


class LastK(Tuning):
    """The last k blocks train, and what follows them; gradients end at the first of them."""

    def __init__(self, options: LastKOptions) -> None:
        super().__init__(options)
        self._k = options.k

    def parts(self, backbone: Backbone) -> Sequence[nn.Module]:
        """See `Tuning.parts`.

        Raises:
            RequestError: The backbone has not as many blocks, or names none.
        """
        blocks = named_blocks(backbone, "of which the last could train")
        if self._k > len(blocks):
            what = f"the backbone has {len(blocks)} blocks, but got {self._k}."
            raise RequestError(Problem("tuning.k", what, "Lower it, or choose full."))
        return [module for block in blocks[-self._k :] for module in block]

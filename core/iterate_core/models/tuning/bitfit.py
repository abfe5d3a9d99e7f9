"""Biases alone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.base import Tuning


class BitFit(Tuning):
    """The biases of the backbone train, those of its norms included: Zaken et al., "BitFit", 2022.

    The backbone stays in evaluation mode.
    """

    def parts(self, backbone: Backbone) -> Sequence[nn.Module]:  # noqa: ARG002
        """See `Tuning.parts`: no module trains as a whole."""
        return []

    def trains(self, backbone: Backbone) -> set[str]:
        """See `Tuning.trains`.

        Raises:
            RequestError: There is none.
        """
        # Also `q_bias` and `in_proj_bias`, but not the table of `relative_position_bias_table`.
        named = {name for name, _ in backbone.named_parameters() if name.endswith("bias")}
        if not named - backbone.fixed:
            what = "the backbone has no biases that could train."
            raise RequestError(Problem("tuning.name", what, "Choose full or frozen."))
        return named - backbone.fixed

    def backward_cost(self, backbone: Backbone) -> float:
        """See `Tuning.backward_cost`."""
        return self.cost_throughout(backbone)

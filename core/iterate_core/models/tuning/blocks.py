"""The blocks of a backbone, for ways to tune that go by them."""

from __future__ import annotations

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.backbones.blocks import Blocks


def named_blocks(backbone: Backbone, purpose: str) -> Blocks:
    """`Backbone.blocks`, of which there are some.

    Args:
        backbone: Whose.
        purpose: What they are asked for, as it ends the message: ``of which the last could train``.

    Raises:
        RequestError: The backbone names none.
    """
    blocks = backbone.blocks()
    if not blocks:
        what = f"the backbone names no blocks, {purpose}."
        raise RequestError(Problem("tuning.name", what, "Choose full or frozen."))
    return blocks

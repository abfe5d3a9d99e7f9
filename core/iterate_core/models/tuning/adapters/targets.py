"""The linear layers of a backbone's blocks, by what they are for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from torch import nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.blocks import named_blocks

Purpose = Literal["attention", "mlp"]

# Parts of names, as timm's, TorchGeo's, TerraTorch's and our own networks call them.
_ATTENTION = re.compile(
    r"[a-z_]*(?:attn|attention)\d*|(?:to_)?(?:q|k|v|kv|qkv|out|query|key|value)(?:_proj)?"
)
_MLP = re.compile(r"(?:mlp|ffn|ff|feed_?forward|net)\d*|(?:fc|linear|w)\d+")
_POSITIONS = re.compile(r".*(?:cpb|pos).*")  # networks of biases by place
_MIXED = re.compile(r"(?:to_)?(?:k|v|kv|qkv|key|value)(?:_proj)?")
# Their own forward reads the weights of the layers within, and calls none of these.
_OPAQUE = (nn.MultiheadAttention, nn.TransformerEncoderLayer)


def linear_layers(backbone: Backbone, purposes: Sequence[str]) -> list[str]:
    """Names of the linear layers within the backbone's blocks that serve one of some purposes.

    Raises:
        RequestError: The backbone names no blocks, or they have no such layer.
    """
    within = {
        module
        for block in named_blocks(backbone, "whose linear layers adapters go to")
        for top in block
        for module in _reached(top)
    }
    found = [
        name
        for name, module in backbone.named_modules()
        if isinstance(module, nn.Linear) and module in within and purpose(name) in purposes
    ]
    if not found:
        what = f"the backbone's blocks have no linear layers of {' or '.join(purposes)}."
        hint = "Adapters suit transformers; choose layerwise or full for a convolutional network."
        raise RequestError(Problem("tuning.targets", what, hint))
    return found


def purpose(name: str) -> Purpose | None:
    """What a layer within a block is for, by the parts of its name; None of neither."""
    parts = name.split(".")
    if any(_POSITIONS.fullmatch(part) for part in parts):
        return None
    if any(_ATTENTION.fullmatch(part) for part in parts):
        return "attention"
    return "mlp" if any(_MLP.fullmatch(part) for part in parts) else None


def makes_keys_or_values(name: str) -> bool:
    """Whether a layer of the attention makes keys or values, perhaps beside queries."""
    return _MIXED.fullmatch(name.rpartition(".")[2]) is not None


def _reached(module: nn.Module) -> list[nn.Module]:
    """A module and those within it, but for what is within opaque ones."""
    if isinstance(module, _OPAQUE):
        return []
    return [module, *(inner for child in module.children() for inner in _reached(child))]

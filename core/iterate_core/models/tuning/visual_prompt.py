"""Further tokens in a plain vision transformer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from timm.layers.attention import Attention
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.base import Tuning
from iterate_core.models.tuning.blocks import named_blocks
from iterate_core.models.tuning.options import VisualPromptOptions

_PATCH = 3 * 16**2  # numbers in a patch, by which the authors draw prompts


class Prompts(nn.Module):
    """Tokens that are learnt.

    Args:
        count: How many.
        width: Length of each.
        dropout: Share of their numbers that is dropped in training.
    """

    def __init__(self, count: int, width: int, dropout: float) -> None:
        super().__init__()
        bound = math.sqrt(6.0 / (_PATCH + width))
        self.tokens = nn.Parameter(torch.empty(1, count, width).uniform_(-bound, bound))
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: int) -> Tensor:
        """(batch, count, width)."""
        dropped: Tensor = self.dropout(self.tokens.expand(batch, -1, -1))
        return dropped


class Prompted(nn.Module):
    """A block that sees prompts behind the tokens of the image, and gives back the latter.

    Attention without positions of its own does not care where in the sequence they stand.

    Args:
        block: The block.
        prompts: Its own prompts; None where it takes what the block before made of its.
        carried: Holds what a block made of prompts until the next takes it; all share it.
        carries: Whether the next block takes it.
    """

    def __init__(
        self, block: nn.Module, prompts: Prompts | None, carried: list[Tensor], carries: bool
    ) -> None:
        super().__init__()
        self.block = block
        self.prompts = prompts
        self.carried = carried
        self.carries = carries

    def forward(self, tokens: Tensor, **others: Any) -> Tensor:
        """(n, tokens, width) to (n, tokens, width).

        Raises:
            RequestError: The network masks tokens, and knows nothing of prompts.
        """
        if any(value is not None and value is not False for value in others.values()):
            raise _refused("masks some tokens of each image")
        prompts = self.carried.pop() if self.prompts is None else self.prompts(tokens.shape[0])
        whole = self.block(torch.cat([tokens, prompts.to(tokens.dtype)], dim=1))
        if self.carries:
            self.carried[:] = [whole[:, tokens.shape[1] :]]
        return whole[:, : tokens.shape[1]]  # type: ignore[no-any-return]


class VisualPrompt(Tuning):
    """Prompts train: Jia et al., "Visual Prompt Tuning", 2022.

    Deep ones are new before each block; shallow ones enter the first and go through all.
    """

    def __init__(self, options: VisualPromptOptions) -> None:
        super().__init__(options)
        self._chosen = options

    def prepare(self, backbone: Backbone) -> Backbone:
        """See `Tuning.prepare`.

        Raises:
            RequestError: The backbone is no plain vision transformer.
        """
        count = len(named_blocks(backbone, "before which prompts could stand"))
        found = [(name, one) for name, one in backbone.named_modules() if _plain(one)]
        if len(found) != count:
            raise _refused("has blocks of another kind")
        carried: list[Tensor] = []
        for number, (name, block) in enumerate(found):
            own = self._chosen.deep or not number
            prompted = Prompted(
                block,
                self._prompts(block) if own else None,
                carried,
                carries=not self._chosen.deep and number < count - 1,
            )
            backbone.set_submodule(name, prompted)
        return super().prepare(backbone)

    def _prompts(self, block: Any) -> Prompts:
        device = block.attn.proj.weight.device
        width: int = block.attn.proj.out_features
        return Prompts(self._chosen.prompts, width, self._chosen.dropout).to(device)

    def parts(self, backbone: Backbone) -> Sequence[nn.Module]:
        """See `Tuning.parts`."""
        return [module for module in backbone.modules() if isinstance(module, Prompts)]

    def added(self, backbone: Backbone) -> dict[str, nn.Module]:
        """See `Tuning.added`."""
        modules = backbone.named_modules()
        return {name: module for name, module in modules if isinstance(module, Prompted)}

    def merge(self, backbone: Backbone) -> Backbone:
        """See `Tuning.merge`: prompts are tokens, which no weight can take in, and stay."""
        return backbone

    def backward_cost(self, backbone: Backbone) -> float:
        """See `Tuning.backward_cost`."""
        return self.cost_throughout(backbone)


def _plain(module: nn.Module) -> bool:
    """Whether it is a block whose attention goes by the tokens alone, from each to all."""
    return type(module) is Block and type(module.attn) is Attention


def _refused(why: str) -> RequestError:
    what = f"prompts are tokens of a plain vision transformer, and this backbone {why}."
    return RequestError(Problem("tuning.name", what, "Choose lora, bitfit or layerwise."))

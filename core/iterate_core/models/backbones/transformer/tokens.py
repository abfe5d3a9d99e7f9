"""What all encoders share: blocks, the grid of an image, and maps and vectors of tokens."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from timm.models.vision_transformer import Block
from torch import Tensor, nn

from iterate_core.errors import Problem, RequestError

WHERE = "model.backbone"
Pooling = Literal["cls", "mean"]


def vit_blocks(
    width: int, depth: int, heads: int, eps: float, drop_path: float = 0.0
) -> nn.ModuleList:
    """Blocks of a plain vision transformer (Dosovitskiy et al., 2021), as timm has them.

    Args:
        width: Length of a token.
        depth: Number of blocks.
        heads: Attention heads.
        eps: Of the layer norms.
        drop_path: Rate of stochastic depth at the last block, rising linearly from 0.
    """
    norm: Any = partial(nn.LayerNorm, eps=eps)
    return nn.ModuleList(
        Block(width, heads, qkv_bias=True, norm_layer=norm, drop_path=rate)
        for rate in drop_rates(drop_path, depth)
    )


def drop_rates(last: float, depth: int) -> list[float]:
    """Rates of stochastic depth (Huang et al., 2016) that rise linearly from 0 to `last`."""
    return [last * index / max(1, depth - 1) for index in range(depth)]


def run_blocks(blocks: nn.ModuleList, norm: nn.Module | None, tokens: Tensor) -> list[Tensor]:
    """The tokens after every block, those of the last block normed if there is a `norm`."""
    outputs: list[Tensor] = []
    for block in blocks:
        tokens = block(tokens)
        outputs.append(tokens)
    if norm is not None:
        outputs[-1] = norm(tokens)
    return outputs


def grid_of(size: tuple[int, int], patch: int) -> tuple[int, int]:
    """Rows and columns of patches in an image of `size` (height, width) pixels.

    Raises:
        RequestError: A side is no multiple of the patch.
    """
    height, width = size
    if height % patch or width % patch or not height or not width:
        what = (
            f"an image of {height}×{width} pixels does not divide into patches of {patch}×{patch}."
        )
        hint = f"Pad or crop it to multiples of {patch}."
        raise RequestError(Problem(WHERE, what, hint))
    return height // patch, width // patch


def check_channels(images: Tensor, expected: int, what: str) -> None:
    """Refuse images with another number of channels than the encoder's.

    Raises:
        RequestError: The second dimension of `images` is not `expected`.
    """
    if images.shape[1] != expected:
        found = f"{what} takes {expected} channels and was given {images.shape[1]}."
        raise RequestError(Problem(WHERE, found))


def to_map(tokens: Tensor, grid: tuple[int, int], prefix: int = 0) -> Tensor:
    """Lay tokens out as the image they came from.

    Args:
        tokens: (n, prefix + layers·rows·columns, width); layers are frames or groups of bands.
        grid: Rows and columns of patches.
        prefix: Tokens in front that belong to no place.

    Returns:
        (n, layers·width, rows, columns), the layer varying slowest.
    """
    count, _, width = tokens.shape
    places = tokens[:, prefix:].reshape(count, -1, *grid, width)
    return places.permute(0, 1, 4, 2, 3).flatten(1, 2)


def pool(tokens: Tensor, pooling: Pooling, prefix: int = 1) -> Tensor:
    """One vector an image: the class token, or the mean of the tokens behind the prefix.

    Args:
        tokens: (n, tokens, width), the class token first where `prefix` is 1.
        pooling: Which.
        prefix: Tokens in front that belong to no place.

    Returns:
        (n, width).
    """
    return tokens[:, 0] if pooling == "cls" else tokens[:, prefix:].mean(dim=1)

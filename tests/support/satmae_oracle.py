"""SatMAE's multispectral encoder in NumPy, written from its published description.

Independent of the encoder under test: it shares no code with it and computes in double precision.
Cong et al. (2022), section 3.3 and appendix; position codes as in MAE (He et al., 2022).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import erf

Array = npt.NDArray[np.float64]
GROUPS = ([0, 1, 2, 6], [3, 4, 5, 7], [8, 9])
PATCH = 8


def encode(images: Array, weights: Mapping[str, Array], depth: int, heads: int) -> list[Array]:
    """The tokens (n, 1 + 3·L, width) after each block, the last normed.

    The place's code is of the images' own grid, which is the trained one at 96 pixels.
    """
    width = weights["cls_token"].shape[-1]
    count, _, height, _ = images.shape
    side = height // PATCH
    tokens = []
    for index, group in enumerate(GROUPS):
        kernel = weights[f"patch_embed.{index}.proj.weight"].reshape(width, -1)
        for row in range(side):
            for column in range(side):
                rows = slice(row * PATCH, (row + 1) * PATCH)
                columns = slice(column * PATCH, (column + 1) * PATCH)
                pixels = images[:, group, rows, columns].reshape(count, -1)
                embedded = pixels @ kernel.T + weights[f"patch_embed.{index}.proj.bias"]
                half = (width - 256) // 2
                place = [*code(column, half), *code(row, half), *code(index, 256)]
                tokens.append(embedded + np.array(place))
    first = np.broadcast_to(weights["cls_token"][0], (count, 1, width))
    stream = np.concatenate([first, np.stack(tokens, axis=1)], axis=1)
    outputs = []
    for index in range(depth):
        stream = block(stream, weights, f"blocks.{index}.", heads)
        outputs.append(stream)
    outputs[-1] = norm(stream, weights, "norm")
    return outputs


def code(position: int, width: int) -> list[float]:
    half = width // 2
    angles = [position / 10000 ** (index / half) for index in range(half)]
    return [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]


def block(stream: Array, weights: Mapping[str, Array], at: str, heads: int) -> Array:
    stream = stream + attention(norm(stream, weights, f"{at}norm1"), weights, f"{at}attn", heads)
    inner = linear(norm(stream, weights, f"{at}norm2"), weights, f"{at}mlp.fc1")
    activated = inner * 0.5 * (1 + erf(inner / math.sqrt(2)))
    return stream + linear(activated, weights, f"{at}mlp.fc2")


def attention(stream: Array, weights: Mapping[str, Array], at: str, heads: int) -> Array:
    width = stream.shape[-1]
    head = width // heads
    query, key, value = np.split(linear(stream, weights, f"{at}.qkv"), 3, axis=-1)
    parts = []
    for index in range(heads):
        cut = slice(index * head, (index + 1) * head)
        scores = query[..., cut] @ key[..., cut].swapaxes(1, 2) / math.sqrt(head)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        parts.append(shares / shares.sum(axis=-1, keepdims=True) @ value[..., cut])
    return linear(np.concatenate(parts, axis=-1), weights, f"{at}.proj")


def linear(stream: Array, weights: Mapping[str, Array], at: str) -> Array:
    return stream @ weights[f"{at}.weight"].T + weights[f"{at}.bias"]


def norm(stream: Array, weights: Mapping[str, Array], at: str) -> Array:
    centred = stream - stream.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt(variance + 1e-6)
    return scaled * weights[f"{at}.weight"] + weights[f"{at}.bias"]

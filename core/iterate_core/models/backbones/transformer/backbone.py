"""What the encoders that give tokens have in common as backbones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from iterate_core.errors import Problem, RequestError
from iterate_core.hub.files import fetch
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.blocks import (
    BLOCK,
    Blocks,
    chosen_taps,
    transformer_blocks,
)
from iterate_core.models.backbones.card import Card
from iterate_core.models.backbones.options import WHERE, MatchedOptions
from iterate_core.models.backbones.transformer.card import Configuration
from iterate_core.models.backbones.transformer.options import EncoderOptions
from iterate_core.models.backbones.weights import read_weights
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled


class TokenEncoder(Protocol):
    """What an encoder offers, whose `forward` gives the tokens after each of its blocks."""

    configuration: Any

    def feature_map(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """(n, channels, rows, columns) from one block's tokens of images of `size`."""


E = TypeVar("E", bound=nn.Module)
C = TypeVar("C", bound=Configuration)


class TokenBackbone(Backbone):
    """An encoder's feature maps after some of its blocks, or its pooled vector.

    Args:
        encoder: The encoder.
        inputs: What it is built for.
        taps: The blocks whose maps are given.
        channels: Of a feature map.
        width: Of the pooled vector.
    """

    def __init__(
        self,
        encoder: TokenEncoder,
        inputs: Inputs,
        taps: Sequence[int],
        channels: int,
        width: int,
    ) -> None:
        patch = encoder.configuration.patch
        maps = Maps((channels,) * len(taps), (patch,) * len(taps))
        super().__init__(maps if inputs.dense else Pooled(width), patch)
        self.encoder = encoder
        self.taps = tuple(taps)

    def blocks(self) -> Blocks:
        """See `Backbone.blocks`."""
        blocks = transformer_blocks(self.get_submodule("encoder"))
        # What lies behind the last map is not asked for.
        return blocks if isinstance(self.shape, Pooled) else blocks[: max(self.taps) + 1]

    def forward(
        self, images: Tensor | Mapping[str, Tensor], context: Context | None = None
    ) -> Tensor | list[Tensor]:
        """See `Backbone.forward`; images may also come by modality."""
        padded = (
            self.pad(images)
            if isinstance(images, Tensor)
            else {name: self.pad(image) for name, image in images.items()}
        )
        some = padded if isinstance(padded, Tensor) else next(iter(padded.values()))
        outputs = self.tokens(padded, context)
        if isinstance(self.shape, Pooled):
            return self.vector(outputs[-1])
        size = (some.shape[-2], some.shape[-1])
        return [self.map(outputs[tap], size) for tap in self.taps]

    @abstractmethod
    def tokens(self, images: Any, context: Context | None) -> list[Tensor]:
        """The encoder's tokens after each block."""

    @abstractmethod
    def vector(self, tokens: Tensor) -> Tensor:
        """(n, width) from the last block's tokens."""

    def map(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """(n, channels, rows, columns) from one block's tokens of images of `size`."""
        return self.encoder.feature_map(tokens, size)


def taps_within(options: EncoderOptions, depth: int) -> tuple[int, ...]:
    """The blocks whose maps are decoded; see `chosen_taps`."""
    return chosen_taps(options.taps, depth)


def configured(options: EncoderOptions, configurations: Mapping[str, C]) -> C:
    """The size of the encoder that the options name, with as many blocks as they keep.

    Raises:
        RequestError: More blocks are asked for than there are.
    """
    configuration = configurations[options.name]
    return replace(configuration, depth=kept_depth(options, configuration.depth))


def kept_depth(options: EncoderOptions, depth: int) -> int:
    """How many of `depth` blocks the options keep.

    Raises:
        RequestError: More than there are.
    """
    if options.depth is not None and options.depth > depth:
        what = f"{options.name} has {depth} blocks, but got {options.depth}."
        raise RequestError(Problem("model.backbone.depth", what))
    return options.depth or depth


def metres_of(asked: float | None, inputs: Inputs, title: str) -> float:
    """The ground size of a pixel, for a model that takes it.

    Raises:
        RequestError: Neither the recipe nor the dataset tells it.
    """
    metres = asked or inputs.metres
    if metres is None:
        what = f"{title} needs the ground size of a pixel, which the dataset does not tell."
        raise RequestError(Problem("model.backbone.metres", what, "Set it, in metres."))
    return metres


def ready(
    make: Callable[[], E],
    load: Callable[[E, Mapping[str, Tensor], str], None],
    options: MatchedOptions,
    card: Card,
    *,
    meta: bool,
) -> E:
    """Make an encoder and fill it with the weights that the options ask for.

    Args:
        make: Makes it, on whatever device is current.
        load: Fills it strictly from a published checkpoint's tensors.
        options: Say which weights, and how many blocks if they are `EncoderOptions`.
        card: Says where they are published.
        meta: Leave it empty, on PyTorch's meta device.

    Raises:
        RequestError: The weights are not published, not at hand, damaged, or another model's.
    """
    with torch.device("meta" if meta or options.pretrained else "cpu"):
        encoder = make()
    if meta or not options.pretrained:
        return encoder
    path = options.file
    if path is None:
        if card.file is None:
            what = f"no weights of {card.title} are published."
            raise RequestError(Problem(WHERE, what, "Name a file, or 'none'."))
        path = fetch(card.file)
    tensors = read_weights(path)
    depth = options.depth if isinstance(options, EncoderOptions) else None
    if depth is not None:
        tensors = {name: tensor for name, tensor in tensors.items() if _block(name) < depth}
    in_single = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    load(encoder, in_single, str(path))
    return encoder


def _block(name: str) -> int:
    """The block that a weight belongs to; −1 where it belongs to none."""
    found = BLOCK.search(name)
    return int(found["number"]) if found else -1

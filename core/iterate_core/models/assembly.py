"""A recipe's model: its backbone, its neck and its decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.necks.base import Neck
from iterate_core.models.necks.pyramid import resized
from iterate_core.models.shapes import padded
from iterate_core.models.tuning.base import Tuning

_BACKBONE = "backbone."  # before the names of its tensors


class Quantity(nn.Module):
    """From standardised predictions to the quantities a regression is of.

    Args:
        mean: Of the training targets, in their unit; of several quantities, one each.
        std: Their standard deviations, above 0.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))

    def forward(self, standardised: Tensor) -> Tensor:
        """The quantities (n, quantities, …) in their units, float32."""
        tall = (-1, *[1] * (standardised.ndim - 2)) if self.std.ndim else ()
        return standardised.float() * self.std.reshape(tall) + self.mean.reshape(tall)


class Model(nn.Module):
    """Backbone, neck and decoder.

    Args:
        backbone: None where only features computed earlier are decoded. `tuning` prepares it.
        decoder: Turns features into logits; for maps it also takes the padded image's size.
        multiple: To what the backbone pads.
        tuning: What of the backbone trains.
        neck: Makes other maps of the backbone's; None where those are decoded, or a vector.

    Attributes:
        multiple: To multiples of this the image is padded that decoded maps cover.
        finer: Cells of predicted maps along the side of a pixel: the decoder predicts all cells of
            a pixel as channels, from which they are laid out (Shi et al., "Real-Time Single Image
            and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network",
            2016).
        grid: (height, width) of predicted maps, where it is not that; None where it is.
        quantity: What a regression predicts; None where outputs are logits.
    """

    quantity: Quantity | None

    def __init__(
        self,
        backbone: Backbone | None,
        decoder: nn.Module,
        multiple: int,
        tuning: Tuning,
        neck: Neck | None = None,
    ) -> None:
        super().__init__()
        self.tuning = tuning
        self.backbone = None if backbone is None else tuning.prepare(backbone)
        self.neck = neck
        self.decoder = decoder
        covered = None if neck is None else neck.multiple
        self.multiple = covered or multiple
        self.finer = 1
        self.grid: tuple[int, int] | None = None
        self.quantity = None
        self.train()

    @property
    def head(self) -> dict[str, nn.Module]:
        """Everything but the backbone: what trains whatever the tuning."""
        return {name: child for name, child in self.named_children() if child is not self.backbone}

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode; of the backbone, what trains alone is in training mode."""
        super().train(mode)
        if self.backbone is not None:
            self.tuning.train(self.backbone, mode)
        return self

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Tell the tuning that an epoch of training begins, counted from 1, of so many."""
        if self.backbone is not None:
            self.tuning.begin_epoch(self.backbone, epoch, epochs)

    def penalty(self) -> Tensor | None:
        """What the tuning adds to a training batch's mean loss; None adds nothing."""
        return None if self.backbone is None else self.tuning.penalty(self.backbone)

    def step_ended(self, step: int, steps: int) -> None:
        """Tell the tuning that the optimiser has taken a step, counted from 1, of so many."""
        if self.backbone is not None:
            self.tuning.step_ended(self.backbone, step, steps)

    def averaged(self, averages: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Averages of `trained`, each by itself, as the tuning has them."""
        if self.backbone is None:
            return dict(averages)
        ours = {name for name in averages if name.startswith(_BACKBONE)}
        own = {name.removeprefix(_BACKBONE): averages[name] for name in ours}
        settled = self.tuning.averaged(self.backbone, own)
        return {**averages, **{f"{_BACKBONE}{name}": value for name, value in settled.items()}}

    def trained(self) -> dict[str, Tensor]:
        """What training changes, by its name in `state_dict`."""
        parts = {} if self.backbone is None else {"backbone": self.tuning.state(self.backbone)}
        parts |= {name: module.state_dict() for name, module in self.head.items()}
        return {
            f"{part}.{name}": value for part, kept in parts.items() for name, value in kept.items()
        }

    def forward(self, images: Tensor, context: Context | None = None) -> Any:
        """Logits, or a quantity, of images, or what a decoder of another kind gives.

        Args:
            images: (n, bands, height, width) or (n, bands, frames, height, width).
            context: When and where they were taken.

        Returns:
            (n, classes), or (n, classes, height, width) for dense tasks. What is no tensor has the
            methods ``float``, ``detach`` and ``cropped``, as
            `iterate_core.models.decoders.detectors.pyramid.Scene` has.
        """
        return self.decode(self.encode(images, context), (images.shape[-2], images.shape[-1]))

    def encode(self, images: Tensor, context: Context | None = None) -> Any:
        """The backbone's features of images; see `forward`."""
        if self.backbone is None:
            raise RuntimeError("this model was assembled without its backbone")
        constant = self.tuning.options.constant
        with torch.set_grad_enabled(torch.is_grad_enabled() and not constant):
            features = laid_out(self.backbone(images, context))
        return as_kept(features) if constant else features

    def decode(self, features: Any, size: tuple[int, int]) -> Any:
        """Logits, or a quantity, of features; see `forward`.

        Args:
            features: (n, width) or a list of maps, of which a decoder may make one vector.
            size: (height, width) of the images before padding.
        """
        outputs = self._decoded(features, size)
        return outputs if self.quantity is None else self.quantity(outputs)

    def _decoded(self, features: Any, size: tuple[int, int]) -> Any:
        if isinstance(features, Tensor):
            pooled: Tensor = self.decoder(features)
            return pooled
        whole, given = padded(size, self.multiple), list(features)
        if self.neck is not None:
            given = self.neck(given, whole)
        maps: Any = self.decoder(given, whole)
        if not isinstance(maps, Tensor):
            return maps.cropped(size)
        if maps.ndim == 2:
            return maps
        if tuple(maps.shape[-2:]) != whole:
            maps = resized(maps, whole)
        if self.finer > 1:
            maps = functional.pixel_shuffle(maps, self.finer)
        maps = maps[..., : size[0] * self.finer, : size[1] * self.finer]
        return maps if self.grid is None else resized(maps, self.grid)


def as_kept(features: Any) -> Any:
    """Features as `iterate_core.engine.features` keeps them, float32: decoders see the same."""
    if isinstance(features, Tensor):
        return features.float()
    return [level.float() for level in features]


def laid_out(features: Any) -> Any:
    """Feature maps with their channels together in memory; vectors as they are."""
    if isinstance(features, Tensor):
        return features
    return [level.contiguous(memory_format=torch.channels_last) for level in features]

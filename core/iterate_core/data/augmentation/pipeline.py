"""All that a recipe's augmentation does to a batch, beside flips and quarter turns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from iterate_core.data.augmentation.base import Augmentation, Mix, Move, Touch
from iterate_core.data.augmentation.draws import Draws, Uniform
from iterate_core.data.augmentation.mixing import Mixing
from iterate_core.data.augmentation.options import AugmentationOptions, AugmentationSection
from iterate_core.data.augmentation.warp import Warp
from iterate_core.registry import registries

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Part:
    """One augmentation, under its name."""

    name: str
    probability: float
    made: Augmentation

    def drawn(self, draws: Draws, samples: Indices, numbers: int) -> tuple[Uniform, Indices]:
        """(changed, numbers) of the samples that it changes, and which of them these are."""
        drawn = draws.uniform(self.name, samples, 1 + numbers)
        changed = np.flatnonzero(drawn[:, 0] < self.probability)
        return drawn[changed, 1:], changed


class Augmentations:
    """Moves, touches and mixes samples.

    Args:
        section: The recipe's.
        mean: (bands,) of each band over the training split.
        std: (bands,) its deviation there.
        size: (height, width) of the images.
    """

    def __init__(
        self,
        section: AugmentationSection,
        mean: npt.NDArray[np.float64],
        std: npt.NDArray[np.float64],
        size: tuple[int, int],
    ) -> None:
        self._parts = sorted(_parts(section), key=lambda part: (part.made.place, part.name))
        self._mean, self._std = (torch.from_numpy(each).float() for each in (mean, std))
        self._aspect = size[1] / size[0]

    def warp(self, samples: Indices, draws: Draws | None) -> Warp | None:
        """Where the pixels of some samples come from; None moves none of them.

        Args:
            samples: Indices in their split.
            draws: Of the epoch; None changes nothing.
        """
        if draws is None:
            return None
        maps, moved = np.tile(np.eye(3), (len(samples), 1, 1)), np.zeros(len(samples), np.bool_)
        for part in self._parts:
            if isinstance(part.made, Move):
                numbers = part.made.numbers(len(self._mean))
                drawn, changed = part.drawn(draws, samples, numbers)
                maps[changed] = maps[changed] @ part.made.maps(drawn, self._aspect)
                moved[changed] = True
        if not moved.any():
            return None
        wide = np.diag([self._aspect, 1, 1])
        return Warp(np.linalg.inv(wide) @ maps @ wide, moved)

    def warped(self, warp: Warp | None, images: Tensor) -> Tensor:
        """Images (n, bands, …, height, width) in the files' units, moved."""
        return images if warp is None else warp.images(images, self._mean)

    def touched(self, images: Tensor, samples: Indices, draws: Draws | None) -> Tensor:
        """Images (n, bands, …, height, width) in the files' units, with other values.

        Args:
            images: Moved already.
            samples: See `warp`.
            draws: See `warp`.
        """
        if draws is None:
            return images
        wide = (-1, *[1] * (images.ndim - 2))
        mean, std = (each.to(images.device).view(wide) for each in (self._mean, self._std))
        for part in self._parts:
            if isinstance(part.made, Touch):
                numbers = part.made.numbers(len(self._mean))
                drawn, changed = part.drawn(draws, samples, numbers)
                if len(changed):
                    rows = torch.from_numpy(changed).to(images.device)
                    standard = (images[rows].float() - mean) / std
                    images = images.float().clone()
                    images[rows] = part.made.touched(standard, drawn) * std + mean
        return images

    def mixing(self, samples: Indices, draws: Draws | None, size: tuple[int, int]) -> Mixing | None:
        """How a batch is mixed; None mixes none of it.

        Args:
            samples: See `warp`; what is drawn follows from the first, which stands for its batch.
            draws: See `warp`.
            size: (height, width) of the images that are mixed.
        """
        if draws is None:
            return None
        for part in self._parts:
            if isinstance(part.made, Mix):
                rng = draws.generator(part.name, int(samples[0]))
                if rng.random() < part.probability:
                    return part.made.mixing(rng, size)
        return None


def _parts(section: AugmentationSection) -> Iterator[_Part]:
    for name, options in section.members.items():
        assert isinstance(options, AugmentationOptions)  # noqa: S101 - the registry's contract
        made = registries.augmentations.get(name).load()(options)
        yield _Part(name, options.probability, made)

"""The seam that every augmentation implements.

An augmentation's entry in the registry names a callable ``build(options)`` that returns a `Move`, a
`Touch` or a `Mix`. What it does to a sample follows from numbers that it is given: it has no random
state of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from torch import Tensor

from iterate_core.data.augmentation.draws import Uniform
from iterate_core.data.augmentation.mixing import Mixing


class Augmentation:
    """A random change of samples.

    Attributes:
        place: Among others of its kind in a recipe: lower ones come first.
    """

    place: ClassVar[int] = 100


class _OfSamples(Augmentation, ABC):
    """Changes each sample by itself."""

    @abstractmethod
    def numbers(self, bands: int) -> int:
        """How many numbers it takes for a sample of so many bands."""


class Move(_OfSamples):
    """Changes where things lie, in images and targets alike.

    All moves of a sample are one map, so that its pixels are interpolated once.
    """

    @abstractmethod
    def maps(self, drawn: Uniform, aspect: float) -> Uniform:
        """(n, 3, 3) affine maps, homogeneous: from a point of the new image to one of the old.

        Points are (x, y) from the image's middle, right and down, in halves of its height.

        Args:
            drawn: (n, numbers) in [0, 1).
            aspect: The images' width over their height.
        """


class Touch(_OfSamples):
    """Changes the values of pixels, and nothing of where they lie or of targets."""

    @abstractmethod
    def touched(self, images: Tensor, drawn: Uniform) -> Tensor:
        """Images, changed.

        Args:
            images: (n, bands, …, height, width), each band less its mean over the training split
                and by its deviation there; between bands and rows there may be an axis of dates.
            drawn: (n, numbers) in [0, 1).
        """


class Mix(Augmentation, ABC):
    """Mixes each sample of a batch with another one, all by the same share.

    A batch is mixed once: by the first whose probability has it so.
    """

    @abstractmethod
    def mixing(self, rng: np.random.Generator, size: tuple[int, int]) -> Mixing:
        """How a batch is mixed.

        Args:
            rng: The batch's.
            size: (height, width) of its images.
        """

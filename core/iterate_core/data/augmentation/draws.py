"""Random numbers of a sample, an epoch and a seed alone. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iterate_core.fingerprint import seed_for

Uniform = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """What is drawn in an epoch.

    Whatever batch a sample is in, and whatever came before, its numbers are the same: so training
    that continues draws what it would have drawn.

    Attributes:
        seed: The recipe's.
        epoch: The first is 1.
    """

    seed: int
    epoch: int

    def uniform(self, what: str, samples: npt.NDArray[np.int64], count: int) -> Uniform:
        """(samples, count) numbers in [0, 1).

        Args:
            what: What they are for: other work draws other numbers.
            samples: Indices in their split.
            count: Numbers a sample.
        """
        return np.stack([self.generator(what, sample).random(count) for sample in samples.tolist()])

    def generator(self, what: str, sample: int) -> np.random.Generator:
        """Of a sample's numbers; see `uniform`."""
        key = seed_for(self.seed, "augmentation", what, self.epoch)
        return np.random.Generator(np.random.Philox(key=np.array([key, sample], np.uint64)))

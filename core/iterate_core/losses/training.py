"""What a loss may know of the targets that it is for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iterate_core.data.selection import class_counts
from iterate_core.data.store.pack import Pack


@dataclass(frozen=True)
class TrainingTargets:
    """The targets that a recipe trains on.

    Attributes:
        pack: The dataset.
        samples: Indices of the training samples.
    """

    pack: Pack
    samples: npt.NDArray[np.int64]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, or of the quantities."""
        return self.pack.info.classes

    @property
    def exclusive(self) -> bool:
        """Whether each sample, or pixel, is of one class."""
        return self.pack.target.exclusive

    @property
    def ignore_index(self) -> int:
        """The class index that does not count."""
        return self.pack.info.ignore_index

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """(classes,) how much of each class there is: samples, or pixels that count."""
        return np.asarray(class_counts(self.pack)[self.samples].sum(axis=0))

    @property
    def deviations(self) -> npt.NDArray[np.float64]:
        """(quantities,) standard deviations of what the whole training split knows of each."""
        return self.pack.target_std

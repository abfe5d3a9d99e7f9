"""What each sample of a split adds to its scores: kept, so that intervals need no model."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.errors import DataError, Problem
from iterate_core.storage.files import replacing


@dataclass(frozen=True)
class SampleSums:
    """The sums that a split's scores are functions of, sample by sample.

    Attributes:
        task: Whose metrics are the functions.
        sums: (n, terms), in the order of the split's samples.
    """

    task: str
    sums: npt.NDArray[Any]

    def write(self, path: Path) -> None:
        """Keep them in an .npz file."""
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(file, task=self.task, sums=self.sums)

    @classmethod
    def read(cls, path: Path) -> SampleSums:
        """From a file that `write` made.

        Raises:
            DataError: It is absent, damaged or foreign.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                task, sums = str(found["task"]), np.asarray(found["sums"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(Problem(str(path), f"holds no sums of samples ({error}).")) from None
        if sums.ndim != 2:
            raise DataError(Problem(str(path), f"holds sums of shape {sums.shape}."))
        return cls(task, sums)

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

KINDS = ("confusion", "labels", "errors")


@dataclass(frozen=True)
class Outcomes:
    """The sums that a split's scores are functions of, sample by sample.

    Attributes:
        kind: ``"confusion"``: (n, classes²) counts of true and predicted class; ``"labels"``:
            (n, 3 × classes) true positives, false positives and false negatives of each class;
            ``"errors"``: (n, 3) squared error, absolute error and number of known pixels.
        sums: In the order of the split's samples.
        ignored: A class that no score counts; None for none.
    """

    kind: str
    sums: npt.NDArray[Any]
    ignored: int | None = None

    def write(self, path: Path) -> None:
        """Keep them in an .npz file."""
        ignored = -1 if self.ignored is None else self.ignored
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(file, kind=self.kind, sums=self.sums, ignored=ignored)

    @classmethod
    def read(cls, path: Path) -> Outcomes:
        """From a file that `write` made.

        Raises:
            DataError: It is absent, damaged or foreign.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                kind, ignored = str(found["kind"]), int(found["ignored"])
                sums = np.asarray(found["sums"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(Problem(str(path), f"holds no outcomes ({error}).")) from None
        if kind not in KINDS or sums.ndim != 2:
            raise DataError(Problem(str(path), f"holds outcomes of no known kind: {kind!r}."))
        return cls(kind, sums, None if ignored < 0 else ignored)

"""Targets in the files of a packed split: one array, or ragged ones as rows of several arrays.

Of ragged targets all samples' rows lie one after another, an array a name, and the array ``ends``
says before which row each sample's end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from iterate_core.data.target import Array, Packed
from iterate_core.storage.growing import GrowingArray, growing

PLAIN = "targets"
ENDS = f"{PLAIN}-ends"


class Ragged:
    """Targets of which each sample has as many rows as it has objects.

    Args:
        rows: (all samples' objects, …) by name.
        ends: (samples,) before which row each sample's end.
    """

    def __init__(self, rows: Mapping[str, Array], ends: npt.NDArray[np.int64]) -> None:
        self._rows = rows
        self._bounds = np.concatenate(([0], ends))

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __getitem__(self, chunk: npt.NDArray[np.int64]) -> list[dict[str, Array]]:
        """A copy of the rows of some samples, sample by sample."""
        spans = [slice(*self._bounds[index : index + 2]) for index in chunk]
        return [{name: np.array(rows[span]) for name, rows in self._rows.items()} for span in spans]


Targets = Array | Ragged


def nbytes(packed: Packed) -> int:
    """Bytes of what `Target.packed` made of a sample."""
    arrays = packed.values() if isinstance(packed, Mapping) else [packed]
    return sum(array.nbytes for array in arrays)


def targets_in(arrays: Mapping[str, Array]) -> Targets:
    """The targets among a packed split's arrays.

    Raises:
        ValueError: Ragged ones are not as long as their ends say.
    """
    if ENDS not in arrays:
        return arrays[PLAIN]
    prefix, ends = f"{PLAIN}-", arrays[ENDS]
    rows = {
        kind.removeprefix(prefix): array
        for kind, array in arrays.items()
        if kind.startswith(prefix) and kind != ENDS
    }
    if any(len(array) != (ends[-1] if len(ends) else 0) for array in rows.values()):
        raise ValueError("the rows of ragged targets are not as many as their ends say")
    return Ragged(rows, ends)


class GrowingTargets:
    """Targets that are written sample by sample.

    Args:
        make: Begins the array of a name, of so many rows or of nobody knows how many.
        samples: How many there will be.
    """

    def __init__(self, make: Callable[[str, int | None], GrowingArray], samples: int) -> None:
        self._make = make
        self._samples = samples
        self._arrays: dict[str, GrowingArray] = {}
        self._end = 0

    @property
    def kinds(self) -> list[str]:
        """Names of the arrays that were begun."""
        return list(self._arrays)

    def add(self, packed: Packed) -> None:
        """Write what `Target.packed` made of a sample."""
        if not isinstance(packed, Mapping):
            self._array(PLAIN, self._samples).extend(packed[None])
            return
        (count,) = {len(rows) for rows in packed.values()}
        self.extend([count], packed)

    def extend(self, counts: Sequence[int] | Array, rows: Mapping[str, Array]) -> None:
        """Write the rows of some samples, of which each has so many."""
        ends = self._end + np.cumsum(counts)
        self._array(ENDS, self._samples).extend(ends)
        self._end = int(ends[-1])
        for name, some in rows.items():
            self._array(f"{PLAIN}-{name}", None).extend(some)

    def _array(self, kind: str, rows: int | None) -> GrowingArray:
        if kind not in self._arrays:
            self._arrays[kind] = self._make(kind, rows)
        return self._arrays[kind]


@contextmanager
def growing_targets(folder: Path, split: str, samples: int) -> Iterator[GrowingTargets]:
    """The targets of so many samples, in files of a folder that are whole or absent."""
    with ExitStack() as files:

        def make(kind: str, rows: int | None) -> GrowingArray:
            return files.enter_context(growing(folder / f"{split}-{kind}.npy", rows))

        yield GrowingTargets(make, samples)


def join_targets(
    parts: Iterable[Path], names: Iterable[str], folder: Path, split: str, samples: int
) -> list[str]:
    """Put ragged targets that were written in parts into files of a folder.

    Args:
        parts: Paths of the parts, less what tells their arrays apart; in the samples' order.
        names: Of what each sample has rows of.
        folder: Where they are put.
        split: What they are called by there.
        samples: How many there are in all.

    Returns:
        Names of the arrays.
    """
    with growing_targets(folder, split, samples) as targets:
        for part in parts:
            ends = np.load(_beside(part, ENDS))
            rows = {
                name: np.load(_beside(part, f"{PLAIN}-{name}"), mmap_mode="r") for name in names
            }
            targets.extend(np.diff(ends, prepend=0), rows)
        return targets.kinds


def _beside(part: Path, kind: str) -> Path:
    return part.with_name(f"{part.name}-{kind}.npy")

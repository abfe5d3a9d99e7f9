"""Packing and keeping features take the memory of a few samples, however many there are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from engine_support import RGB

from iterate_core.data.dataset import DatasetInfo, Sample, Split
from iterate_core.data.store.pack import pack
from iterate_core.storage.shared_rows import SharedRows

SAMPLES, SIDE = 160, 256


@dataclass
class Maps:
    """A reader that makes each sample when it is asked for, and holds none."""

    info: DatasetInfo

    def names(self, split: Split) -> Sequence[str]:
        return [f"{split}-{index}" for index in range(self.info.sizes[split])]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        number = int(name.partition("-")[2])
        kind = np.float64 if self.info.task == "regression" else np.int64
        target = np.full((SIDE, SIDE), number % 3, kind)
        return Sample(name, np.full((1, SIDE, SIDE), number, np.uint8), target)

    def fingerprint(self) -> str:
        return self.info.task


def peak(work: Callable[[], object]) -> int:
    """Most bytes that were held at once meanwhile, beyond those held before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("task", "width"), [("segmentation", 1), ("regression", 4)])
def test_packing_never_holds_the_dense_targets_of_a_split(
    task: str, width: int, tmp_path: Path
) -> None:
    sizes: dict[Split, int] = {"train": SAMPLES, "val": 1, "test": 1}
    classes = ("a", "b", "c") if task == "segmentation" else ("height",)
    info = DatasetInfo("maps", task, classes, RGB[:1], sizes, SIDE, SIDE)
    packed = pack(Maps(info), None, tmp_path)
    packed.images("val")  # imports are no part of it
    taken = peak(lambda: packed.images("train"))
    targets = packed.targets("train")
    assert targets.nbytes == SAMPLES * SIDE * SIDE * width
    assert [int(one[0, 0]) for one in targets] == [index % 3 for index in range(SAMPLES)]
    # A handful of float64 copies of one sample, where all targets together are more than that.
    assert taken < 10 * 8 * SIDE * SIDE < targets.nbytes


def test_features_are_written_as_they_are_computed(tmp_path: Path) -> None:
    chunk, chunks = 8, 32
    part = SharedRows(tmp_path / "train-0", ("0", "1"), chunk * chunks, least=chunk * chunks)

    def computed(span: range) -> Iterator[list[np.ndarray]]:
        assert span == range(chunk * chunks)
        for number in range(chunks):
            yield [
                np.full((chunk, 16, 16, 8), number, np.float32),
                np.full((chunk, 32), number, np.float32),
            ]

    whole = 4 * chunk * chunks * (16 * 16 * 8 + 32)
    taken = peak(lambda: part.claim(0, computed))
    found = part.whole()
    assert found is not None
    assert sum(array.nbytes for array in found) == whole
    assert taken < whole / 4
    assert found[0][:, 0, 0, 0].tolist() == [n for n in range(chunks) for _ in range(chunk)]

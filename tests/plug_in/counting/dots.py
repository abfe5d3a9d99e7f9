"""Drawn images, each with some bright dots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from counting import Dots
from iterate_core.data.dataset import SPLITS, Band, DatasetInfo, Sample, Split
from iterate_core.fingerprint import fingerprint, seed_for

SIDE = 16


class DotsReader:
    """See `iterate_core.data.dataset.Reader`; a name is a split and a number."""

    def __init__(self, section: Dots) -> None:
        self._most = section.most
        self.info = DatasetInfo(
            name="dots",
            task="counting",
            classes=("dot",),
            bands=tuple(Band(name, name, unit="uint8") for name in ("red", "green", "blue")),
            sizes=dict(zip(SPLITS, section.samples, strict=True)),
            height=SIDE,
            width=SIDE,
        )

    def names(self, split: Split) -> Sequence[str]:
        return [f"{split}-{index}" for index in range(self.info.sizes[split])]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        rng = np.random.default_rng(seed_for("dots", name))
        count = int(rng.integers(self._most + 1))
        image = rng.integers(0, 60, (len(bands), SIDE, SIDE), dtype=np.uint8)
        rows, columns = np.divmod(rng.choice(SIDE * SIDE, count, replace=False), SIDE)
        image[:, rows, columns] = 250
        return Sample(name, image, np.float32(count))

    def fingerprint(self) -> str:
        return fingerprint([self._most, self.info.sizes])

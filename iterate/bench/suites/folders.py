"""Where a suite's datasets lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from iterate.bench.suites.suite import SuiteDataset

VARIABLE = "GEO_BENCH_DIR"


def data_root(given: Path | None) -> Path:
    """The folder of all datasets: the one given, ``$GEO_BENCH_DIR``, ``~/dataset/geobench``."""
    if given is not None:
        return given.expanduser()
    told = os.environ.get(VARIABLE)
    return Path(told or "~/dataset/geobench").expanduser()


def dataset_folder(dataset: SuiteDataset, name: str, root: Path) -> tuple[Path | None, str]:
    """A dataset's folder below the root, or else None; and where it was looked for."""
    places = [root / place for place in dict.fromkeys((dataset.folder or name, name))]
    found = next((place for place in places if place.is_dir()), None)
    return found, " and ".join(map(str, places))

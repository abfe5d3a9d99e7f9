"""Generated datasets: 13 Sentinel-2 bands of plausible land cover, the same bytes for one seed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from iterate.core.data.cache import cache_folder
from iterate.core.data.dataset import SPLITS, DatasetInfo, Reader, Sample, Split
from iterate.core.data.geobench_v1 import GeoBenchV1, GeoBenchV1Data
from iterate.core.data.geobench_v1_writer import NewDataset, writing
from iterate.core.data.scenes import COVERS, mosaic, scene, with_intrusion
from iterate.core.data.spectra import BANDS, observe
from iterate.core.errors import Problem, RequestError, WorkError
from iterate.core.files import Locked, lock
from iterate.core.identity import fingerprint, seed_for
from iterate.core.recipe import DataSection, Positive

EDITION = 1
"""Raised when the same section would give other pixels."""

_MOSAIC_COVERS = (
    "water",
    "broadleaf forest",
    "grassland",
    "cropland",
    "bare ground",
    "built-up",
)
_INTRUSION = 0.35
_PATIENCE_SECONDS = 600.0


_LICENCE = "CC0-1.0"


class GeneratedData(DataSection):
    """A dataset that is drawn when it is first used.

    Attributes:
        kind: The task: whole scenes of one land cover, or mosaics with a mask.
        samples: Numbers of training, validation and test samples.
        size: Height and width in pixels of 10 m.
        seed: Fixes every pixel.
        root: Where to keep it; None keeps it in the cache folder, named by its content.
    """

    name: Literal["generated"] = "generated"
    kind: Literal["classification", "segmentation"] = "classification"
    samples: tuple[Positive, Positive, Positive] = (240, 80, 80)
    size: Annotated[int, Field(ge=16, le=512)] = 64
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    root: Path | None = None


def open_generated(section: GeneratedData) -> Reader:
    """Open a generated dataset; one that is not there yet is drawn when it is first read.

    Processes that want the same dataset at once wait for the one that draws it.

    Raises:
        RequestError: The folder cannot be written, or holds another dataset.
        DataError: The folder's files are damaged.
    """
    root = section.root.expanduser() if section.root is not None else _default_root(section)
    if not (root / "dataset.json").exists():
        return _Undrawn(section, root)
    return _drawn(section, root)


def _drawn(section: GeneratedData, root: Path) -> Reader:
    options = section.model_dump(include=set(DataSection.model_fields) - {"name"})
    reader = GeoBenchV1(GeoBenchV1Data(root=root, **options))
    if reader.info.name != dataset_name(section):
        what = f"holds {reader.info.name!r}, not {dataset_name(section)!r}."
        raise RequestError(Problem(str(root), what, "Name another folder in data.root."))
    return reader


class _Undrawn:
    """A dataset that is declared and not drawn yet: a plan needs no pixels."""

    def __init__(self, section: GeneratedData, root: Path) -> None:
        self._section, self._root = section, root
        self.info = DatasetInfo(
            name=dataset_name(section),
            task=section.kind,
            classes=tuple(COVERS if section.kind == "classification" else _MOSAIC_COVERS),
            bands=BANDS,
            sizes=dict(zip(SPLITS, section.samples, strict=True)),
            height=section.size,
            width=section.size,
            licence=_LICENCE,
            source=_source(section),
        )

    @cached_property
    def _reader(self) -> Reader:
        _generate_once(self._section, self._root)
        return _drawn(self._section, self._root)

    def names(self, split: Split) -> Sequence[str]:
        return self._reader.names(split)

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        return self._reader.read(name, bands)

    def fingerprint(self) -> str:
        return self._reader.fingerprint()


def _source(section: GeneratedData) -> str:
    return f"generated, edition {EDITION}, seed {section.seed}"


def dataset_name(section: GeneratedData) -> str:
    """The name that the dataset is declared under; it tells all that decides the pixels."""
    return f"generated-{section.kind}-{_identity(section)}"


def generate(section: GeneratedData, out: Path) -> None:
    """Draw the dataset into a new folder in GeoBench v1 format.

    Raises:
        RequestError: The folder is taken or cannot be written.
    """
    covers = COVERS if section.kind == "classification" else _MOSAIC_COVERS
    dataset = NewDataset(
        name=dataset_name(section),
        task=section.kind,
        classes=covers,
        bands=BANDS,
        licence=_LICENCE,
        source=_source(section),
    )
    with writing(out, dataset, section.seed) as writer:
        for split, count in zip(SPLITS, section.samples, strict=True):
            for index in range(count):
                image, target = _draw(section, covers, split, index)
                writer.add(split, f"{split}_{index:05d}", image, target)


def _draw(
    section: GeneratedData, covers: tuple[str, ...], split: Split, index: int
) -> tuple[Any, Any]:
    """One sample, fixed by seed, split and index alone; classes take turns."""
    rng = np.random.default_rng(seed_for("generated", EDITION, section.seed, split, index))
    if section.kind == "segmentation":
        abundances, mask = mosaic(covers, rng, section.size)
        return observe(abundances, rng), mask
    label = index % len(covers)
    other = int(rng.choice([cover for cover in range(len(covers)) if cover != label]))
    abundances = scene(covers[label], rng, section.size)
    neighbour = scene(covers[other], rng, section.size)
    return observe(with_intrusion(abundances, neighbour, rng, _INTRUSION), rng), label


def _identity(section: GeneratedData) -> str:
    content = section.model_dump(mode="json", include={"kind", "samples", "size", "seed"})
    return fingerprint({"edition": EDITION, **content})


def _default_root(section: GeneratedData) -> Path:
    return cache_folder() / "generated" / dataset_name(section)


def _generate_once(section: GeneratedData, root: Path) -> None:
    try:
        with lock(root.parent / f".{root.name}.lock", _PATIENCE_SECONDS):
            if not (root / "dataset.json").exists():
                generate(section, root)
    except Locked as error:
        raise WorkError(f"{root}: {error} has been generating it for too long.") from None
    except OSError as error:
        hint = "Set data.root or ITERATE_CACHE to a folder that can be written."
        raise RequestError(
            Problem(str(root), f"cannot be written ({error.strerror}).", hint)
        ) from None

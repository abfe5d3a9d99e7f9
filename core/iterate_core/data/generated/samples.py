"""One generated sample: what lies there, what the sensor sees of it, and what is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import Sample, Split
from iterate_core.data.generated.scenes import COVERS, changes, mosaic, scene, with_intrusion
from iterate_core.data.generated.seasons import days_of, on_day
from iterate_core.data.generated.spectra import (
    BANDS,
    MATERIALS,
    Array,
    block_mean,
    material_spectra,
    observe,
)
from iterate_core.fingerprint import seed_for

EDITION = 1
"""Raised when the same plan would give other pixels."""

Kind = Literal[
    "classification",
    "multilabel",
    "segmentation",
    "change_detection",
    "semantic_change",
    "scalar_regression",
    "regression",
    "downscaling",
]

_MOSAIC = ("water", "broadleaf forest", "grassland", "cropland", "bare ground", "built-up")
_BECOMES = ("water", "bare ground", "built-up")
"""What floods, clearings and building leave."""

_WOODED = (
    "coniferous forest",
    "broadleaf forest",
    "orchard",
    "grassland",
    "cropland",
    "built-up",
)
_CROWNS = [list(MATERIALS).index(name) for name in ("conifer", "broadleaf")]
_REFINED = [
    index for index, band in enumerate(BANDS) if band.common in ("blue", "green", "red", "nir")
]
"""The bands of 10 m that show the ground."""

_INTRUSION = 0.35
_PRESENT = 0.05
"""The share of a scene from which on a land cover is one of its labels."""


@dataclass(frozen=True)
class SampleSpec:
    """What decides a generated dataset's pixels, beside how many samples there are.

    Attributes:
        kind: The task.
        size: Height and width in pixels of 10 m.
        frames: Dates of a sample.
        seed: Fixes every pixel.
        finer: Of downscaling: cells of the target along the side of a pixel, which is as much
            larger.
    """

    kind: Kind
    size: int
    frames: int
    seed: int
    finer: int = 1

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, or of the quantities."""
        return _SUBJECTS[self.kind].classes

    @property
    def task(self) -> str:
        """The task that it is for."""
        return _SUBJECTS[self.kind].task or self.kind

    @property
    def unit(self) -> str | None:
        """The unit of the quantity."""
        return _SUBJECTS[self.kind].unit

    @property
    def dated(self) -> bool:
        """Whether its samples know when and where they were seen."""
        return is_dated(self.kind, self.frames)


def is_dated(kind: Kind, frames: int) -> bool:
    """Whether samples of a kind and so many frames know when and where they were seen."""
    return frames > 1 or _SUBJECTS[kind].dated


def compares(kind: Kind) -> bool:
    """Whether samples of a kind have two dates, of which the second may show another ground."""
    return _SUBJECTS[kind].compares


def refines(kind: Kind) -> bool:
    """Whether what is asked of samples of a kind lies on a finer grid than their images."""
    return _SUBJECTS[kind].refines


def sample_name(split: Split, index: int) -> str:
    """The name of a split's sample."""
    return f"{split}_{index:05d}"


def draw(plan: SampleSpec, split: Split, index: int) -> Sample:
    """One sample, fixed by plan, split and index alone; the classes of images take turns."""
    rng = np.random.default_rng(seed_for("generated", EDITION, plan.seed, split, index))
    abundances, target = _SUBJECTS[plan.kind].ground(plan, rng, index)
    name = sample_name(split, index)
    if plan.finer > 1:
        seen = observe(abundances, rng)
        return Sample(name, _coarse(seen, plan.finer), _seen_finely(seen, rng))
    if not plan.dated:
        return Sample(name, observe(abundances, rng), target)
    if compares(plan.kind):
        return _pair(name, abundances, target, rng)
    days = days_of(rng, plan.frames)
    year = int(rng.integers(2018, 2024))
    place = _place(rng)
    spectra = material_spectra(rng)
    images = [observe(on_day(abundances, day), rng, spectra) for day in days]
    image = images[0] if plan.frames == 1 else np.stack(images, axis=1)
    return Sample(name, image, target, tuple((year, day) for day in days), place)


def _coarse(image: npt.NDArray[Any], factor: int) -> npt.NDArray[Any]:
    """Means over squares of pixels, as a sensor of as much larger ones records them."""
    means = np.stack([block_mean(band, factor) for band in image])
    return np.asarray(np.rint(means).astype(image.dtype))


def _seen_finely(image: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """The bands that are asked for as the finer sensor saw them, as far as its swath went."""
    chosen = image[_REFINED].astype(np.float32)
    return np.where(np.isnan(_surveyed(image[0], rng)), np.float32(np.nan), chosen)


def _pair(name: str, grounds: Array, target: Any, rng: np.random.Generator) -> Sample:
    """Two grounds, each seen in a summer, some years apart."""
    year = int(rng.integers(2016, 2020))
    years = (year, year + int(rng.integers(1, 5)))
    dates = tuple((year, days_of(rng, 1)[0]) for year in years)
    place, spectra = _place(rng), material_spectra(rng)
    images = [
        observe(on_day(ground, day), rng, spectra)
        for ground, (_, day) in zip(grounds, dates, strict=True)
    ]
    return Sample(name, np.stack(images, axis=1), target, dates, place)


def _place(rng: np.random.Generator) -> tuple[float, float]:
    return round(rng.uniform(42.0, 58.0), 4), round(rng.uniform(-5.0, 25.0), 4)


def _scene(plan: SampleSpec, rng: np.random.Generator, index: int) -> tuple[Array, Any]:
    """A scene of one land cover, into which another reaches."""
    label = index % len(COVERS)
    other = int(rng.choice([cover for cover in range(len(COVERS)) if cover != label]))
    abundances = scene(COVERS[label], rng, plan.size)
    neighbour = scene(COVERS[other], rng, plan.size)
    return with_intrusion(abundances, neighbour, rng, _INTRUSION), label


def _mask(plan: SampleSpec, rng: np.random.Generator, index: int) -> tuple[Array, Any]:
    """A mosaic, and the cover of each pixel."""
    del index
    return mosaic(_MOSAIC, rng, plan.size)


def _became(plan: SampleSpec, rng: np.random.Generator, index: int) -> tuple[Array, Any]:
    """A mosaic before and after, and what each changed pixel became: 0 is no change."""
    del index
    before, covers = mosaic(_MOSAIC, rng, plan.size)
    after, became = changes(before, _BECOMES, rng)
    before_of = np.array([_MOSAIC.index(cover) for cover in _BECOMES])
    stayed = (became == 0) | (before_of[became - 1] == covers)
    return np.stack((before, after)), np.where(stayed, 0, became).astype(np.uint8)


def _changed(plan: SampleSpec, rng: np.random.Generator, index: int) -> tuple[Array, Any]:
    """A mosaic before and after, and which pixels changed."""
    grounds, became = _became(plan, rng, index)
    return grounds, np.minimum(became, 1)


def _covers(plan: SampleSpec, rng: np.random.Generator, index: int) -> tuple[Array, Any]:
    """A mosaic, and which covers it shows."""
    abundances, mask = _mask(plan, rng, index)
    shares = np.bincount(mask.ravel(), minlength=len(_MOSAIC)) / mask.size
    return abundances, (shares >= _PRESENT).astype(np.uint8)


def _shares(plan: SampleSpec, rng: np.random.Generator, index: int) -> tuple[Array, Any]:
    """A wooded mosaic; how much of it is canopy and built-up, each unknown of every tenth."""
    del index
    abundances, mask = mosaic(_WOODED, rng, plan.size)
    canopy = 100 * abundances[_CROWNS].sum(axis=0).mean()
    built = 100 * (mask == _WOODED.index("built-up")).mean()
    return abundances, np.where(rng.uniform(size=2) < 0.1, np.nan, (canopy, built))


def _canopy(plan: SampleSpec, rng: np.random.Generator, index: int) -> tuple[Array, Any]:
    """A wooded mosaic, and each pixel's canopy cover in percent."""
    del index
    abundances, _ = mosaic(_WOODED, rng, plan.size)
    return abundances, _surveyed(100 * abundances[_CROWNS].sum(axis=0), rng)


def _mosaic_finely(plan: SampleSpec, rng: np.random.Generator, index: int) -> tuple[Array, Any]:
    """A mosaic on the finer grid; what is asked for is what is seen of it."""
    del index
    return mosaic(_MOSAIC, rng, plan.size * plan.finer)[0], None


def _surveyed(cover: Array, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A map as far as the survey went: every fourth scene reaches over its edge."""
    known = cover.astype(np.float32)
    if rng.uniform() < 0.25:
        known[: int(rng.uniform(0.1, 0.4) * len(known))] = np.nan
    return known


@dataclass(frozen=True)
class _Subject:
    """What is drawn and asked of a kind of dataset.

    Attributes:
        classes: Names of its classes, or of its quantities.
        ground: Draws what lies in a sample, as shares of materials in full leaf, and its target.
        dated: Whether samples of one date know when and where they were seen too.
        unit: Of its quantity.
        task: What it is for; None: its name says so.
        compares: Whether there are two grounds, of two dates, and what is asked lies between them.
        refines: Whether what is asked lies on a finer grid.
    """

    classes: tuple[str, ...]
    ground: Callable[[SampleSpec, np.random.Generator, int], tuple[Array, Any]]
    dated: bool = False
    unit: str | None = None
    task: str | None = None
    compares: bool = False
    refines: bool = False


_SUBJECTS: dict[Kind, _Subject] = {
    "classification": _Subject(COVERS, _scene),
    "multilabel": _Subject(_MOSAIC, _covers),
    "segmentation": _Subject(_MOSAIC, _mask),
    "change_detection": _Subject(("no change", "change"), _changed, dated=True, compares=True),
    "semantic_change": _Subject(
        ("no change", *(f"to {cover}" for cover in _BECOMES)),
        _became,
        dated=True,
        task="change_detection",
        compares=True,
    ),
    "scalar_regression": _Subject(("canopy cover in percent", "built-up in percent"), _shares),
    "regression": _Subject(("canopy cover in percent",), _canopy, dated=True, unit="%"),
    "downscaling": _Subject(
        tuple(BANDS[index].name for index in _REFINED), _mosaic_finely, refines=True
    ),
}

"""Land cover as patterns: what each class is made of, and how that is arranged in space.

Some classes share their materials and differ by arrangement alone (forest and orchard, cropland
and grassland, built-up land and bare ground); others share the arrangement and differ by spectrum
(coniferous and broadleaf forest). A mean colour therefore cannot tell all of them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from iterate_core.data.generated.spectra import MATERIALS, Array, block_mean

_INDEX = {name: index for index, name in enumerate(MATERIALS)}


def scene(cover: str, rng: np.random.Generator, size: int) -> Array:
    """(materials, size, size) shares of each pixel for a whole scene of one land cover."""
    mixture = _COVERS[cover](rng, size)
    abundances = np.zeros((len(MATERIALS), size, size))
    for name, share in mixture.items():
        abundances[_INDEX[name]] += share
    shares: Array = abundances / abundances.sum(axis=0)
    return shares


def with_intrusion(
    abundances: Array, other: Array, rng: np.random.Generator, largest: float
) -> Array:
    """The scene with a neighbour's land cover reaching in from one side, over a share of it."""
    size = abundances.shape[-1]
    across = _direction(rng, size) + 0.15 * random_field(rng, size, 8.0)
    share = rng.uniform(0.0, largest)
    edge = np.quantile(across, 1.0 - share)
    inside = 1.0 / (1.0 + np.exp(np.clip(-(across - edge) * size, -60, 60)))
    mixed: Array = abundances * (1.0 - inside) + other * inside
    return mixed


def mosaic(
    covers: tuple[str, ...], rng: np.random.Generator, size: int
) -> tuple[Array, npt.NDArray[np.uint8]]:
    """Parcels of land cover with irregular borders, whose pixels mix what lies on both sides.

    It is drawn at twice the resolution and averaged.

    Returns:
        (materials, size, size) shares, and (size, size) indices of the largest cover.
    """
    fine = 2 * size
    count = int(rng.integers(4, 9))
    centres = rng.uniform(0, fine, (count, 2))
    kinds = rng.integers(0, len(covers), count)
    rows, columns = np.mgrid[0:fine, 0:fine].astype(np.float64)
    rows += fine * 0.05 * random_field(rng, fine, fine / 10)
    columns += fine * 0.05 * random_field(rng, fine, fine / 10)
    squared = [(rows - row) ** 2 + (columns - column) ** 2 for row, column in centres]
    owner = kinds[np.argmin(squared, axis=0)]
    shares = np.zeros((len(covers), size, size))
    abundances = np.zeros((len(MATERIALS), fine, fine))
    for kind in np.unique(kinds):
        inside = (owner == kind).astype(np.float64)
        shares[kind] = block_mean(inside, 2)
        abundances += scene(covers[kind], rng, fine) * inside
    coarse = np.stack([block_mean(share, 2) for share in abundances])
    return coarse, shares.argmax(axis=0).astype(np.uint8)


def changes(
    before: Array, covers: tuple[str, ...], rng: np.random.Generator
) -> tuple[Array, npt.NDArray[np.int64]]:
    """What a mosaic is after up to two patches of it became another cover; often it stays.

    Args:
        before: (materials, size, size) shares.
        covers: What patches may become.
        rng: The source of chance.

    Returns:
        Shares afterwards, and (size, size) numbers of the new covers, counted from 1; 0 elsewhere.
    """
    size, after = before.shape[-1], before
    became = np.zeros((size, size), dtype=np.int64)
    for _ in range(int(rng.integers(0, 3))):
        cover = int(rng.integers(len(covers)))
        field = random_field(rng, size, size / 8)
        inside = field > np.quantile(field, 1 - rng.uniform(0.1, 0.3))
        after = np.where(inside, scene(covers[cover], rng, size), after)
        became = np.where(inside, cover + 1, became)
    return after, became


def random_field(rng: np.random.Generator, size: int, length: float) -> Array:
    """(size, size) Gaussian field of mean 0 and variance 1, correlated over `length` pixels."""
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * _filter(size, length)
    field: Array = np.fft.irfft2(spectrum, (size, size))
    field -= field.mean()
    return field / max(float(field.std()), 1e-12)


@cache
def _filter(size: int, length: float) -> Array:
    squared = np.fft.fftfreq(size)[:, None] ** 2 + np.fft.rfftfreq(size)[None, :] ** 2
    smooth: Array = np.exp(-2.0 * (np.pi * length) ** 2 * squared)
    return smooth


def _share(field: Array, mean: float, contrast: float) -> Array:
    """A field as a share of the pixel: about `mean`, between 0 and 1."""
    return np.clip(mean + contrast * field, 0.0, 1.0)


def _direction(rng: np.random.Generator, size: int) -> Array:
    """Position along a random direction, in units of the scene's size."""
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:size, 0:size] / size
    position: Array = np.cos(angle) * rows + np.sin(angle) * columns
    return position


def _rows(rng: np.random.Generator, size: int) -> Array:
    """Parallel stripes of a random direction, 4 to 7 pixels apart; mean 0, variance 1."""
    period = rng.uniform(4.0, 7.0)
    phase = _direction(rng, size) * size / period + rng.uniform()
    stripes: Array = np.sqrt(2.0) * np.sin(2 * np.pi * phase)
    return stripes


def _grid_cells(
    rng: np.random.Generator, size: int, low: float, high: float
) -> tuple[Array, Array]:
    """A rotated grid: an index of each pixel's cell, and the distance to the cell's edge."""
    angle = rng.uniform(0, np.pi / 2)
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float64)
    along = (np.cos(angle) * rows + np.sin(angle) * columns) / rng.uniform(low, high)
    across = (-np.sin(angle) * rows + np.cos(angle) * columns) / rng.uniform(low, high)
    along, across = along + rng.uniform(), across + rng.uniform()
    cell = np.floor(along) * 1009 + np.floor(across)
    edge = np.minimum(*(0.5 - np.abs(value - np.floor(value) - 0.5) for value in (along, across)))
    return cell, edge


def _water(rng: np.random.Generator, size: int) -> dict[str, Array]:
    turbid = _share(random_field(rng, size, 12.0), rng.uniform(0.0, 0.8), 0.12)
    return {"turbid water": turbid, "clear water": 1.0 - turbid}


def _forest(leaves: str) -> Callable[[np.random.Generator, int], dict[str, Array]]:
    def make(rng: np.random.Generator, size: int) -> dict[str, Array]:
        return _trees(leaves, random_field(rng, size, 1.6), rng)

    return make


def _orchard(rng: np.random.Generator, size: int) -> dict[str, Array]:
    pattern = 0.8 * _rows(rng, size) + 0.6 * random_field(rng, size, 1.0)
    return _trees("broadleaf", pattern, rng)


def _trees(leaves: str, pattern: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Crowns where the pattern is high; between them, grass and the crowns' shade."""
    crowns = _share(pattern, rng.uniform(0.55, 0.8), 0.25)
    shaded = rng.uniform(0.3, 0.6)
    return {leaves: crowns, "shade": (1 - crowns) * shaded, "grass": (1 - crowns) * (1 - shaded)}


def _grassland(rng: np.random.Generator, size: int) -> dict[str, Array]:
    grass = _share(random_field(rng, size, 5.0), rng.uniform(0.4, 0.8), 0.2)
    return {"grass": grass, "soil": 1.0 - grass}


def _cropland(rng: np.random.Generator, size: int) -> dict[str, Array]:
    """Rectangular fields, each as green as its crop is grown."""
    cell, _ = _grid_cells(rng, size, 9.0, 18.0)
    _, field = np.unique(cell, return_inverse=True)
    greenness = rng.standard_normal(field.max() + 1)[field.reshape(cell.shape)]
    pattern = 0.9 * greenness + 0.4 * random_field(rng, size, 1.0)
    grass = _share(pattern, rng.uniform(0.4, 0.8), 0.2)
    return {"grass": grass, "soil": 1.0 - grass}


def _bare(rng: np.random.Generator, size: int) -> dict[str, Array]:
    green = _share(random_field(rng, size, 3.0), rng.uniform(0.05, 0.3), 0.12)
    gravel = _share(random_field(rng, size, 6.0), rng.uniform(0.3, 0.7), 0.25) * (1 - green)
    return {"grass": green, "gravel": gravel, "soil": 1.0 - green - gravel}


def _built(rng: np.random.Generator, size: int) -> dict[str, Array]:
    """Streets around blocks; in the blocks, roofs in gardens."""
    _, edge = _grid_cells(rng, size, 9.0, 15.0)
    street = (edge < rng.uniform(0.07, 0.13)).astype(np.float64)
    roof = (random_field(rng, size, 1.2) > rng.uniform(-0.9, -0.2)).astype(np.float64)
    garden = rng.uniform(0.3, 0.8)
    block = 1.0 - street
    return {
        "asphalt": street,
        "roof": block * roof,
        "grass": block * (1 - roof) * garden,
        "gravel": block * (1 - roof) * (1 - garden),
    }


_COVERS: dict[str, Callable[[np.random.Generator, int], dict[str, Array]]] = {
    "water": _water,
    "coniferous forest": _forest("conifer"),
    "broadleaf forest": _forest("broadleaf"),
    "orchard": _orchard,
    "grassland": _grassland,
    "cropland": _cropland,
    "bare ground": _bare,
    "built-up": _built,
}
COVERS = tuple(_COVERS)
"""The land covers that can be drawn."""

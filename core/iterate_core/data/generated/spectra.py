"""Land-cover materials as Sentinel-2 sees them: spectra, atmosphere, resolution and noise.

Reflectances are rounded, typical values of the materials' published spectra (red edge of leaves,
chlorophyll and water absorption, clay feature near 2.2 µm); they stand for no measured sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.bands import KNOWN, SENTINEL_2
from iterate_core.data.dataset import Band

Array = npt.NDArray[np.float64]

BANDS = tuple(
    Band(known.name, known.common, known.wavelength, "dn")
    for known in KNOWN
    if known.sensor == SENTINEL_2
)
"""The 13 bands of Sentinel-2 in the order B01 … B08, B8A, B09 … B12."""

METRES = 10.0
"""Ground size of a pixel."""

MATERIALS: dict[str, tuple[int, ...]] = {
    # B01, B02, B03, B04, B05, B06, B07, B08, B8A, B09, B10, B11, B12
    "clear water": (35, 35, 30, 15, 10, 6, 5, 4, 4, 3, 0, 2, 1),
    "turbid water": (50, 60, 85, 70, 55, 30, 28, 22, 18, 14, 0, 4, 3),
    "conifer": (15, 19, 34, 22, 48, 130, 162, 180, 190, 190, 0, 85, 38),
    "broadleaf": (18, 24, 55, 28, 80, 250, 325, 350, 370, 370, 0, 175, 78),
    "grass": (25, 35, 75, 50, 110, 250, 295, 315, 335, 340, 0, 215, 115),
    "soil": (75, 95, 130, 170, 190, 210, 230, 245, 265, 275, 0, 345, 295),
    "gravel": (110, 130, 160, 185, 200, 205, 215, 225, 235, 240, 0, 280, 250),
    "roof": (95, 115, 145, 185, 200, 210, 225, 235, 250, 255, 0, 305, 275),
    "asphalt": (70, 78, 88, 98, 105, 110, 118, 122, 128, 130, 0, 150, 140),
    "shade": (10, 11, 14, 10, 14, 35, 42, 45, 46, 46, 0, 22, 11),
}
"""Reflectance × 1000 of each material in each band; B10 sees no ground."""

# Light scattered into the sensor's path, and the share of the ground's that reaches it.
_PATH = np.array(
    [0.095, 0.068, 0.040, 0.024, 0.019, 0.015, 0.012, 0.010, 0.008, 0.006, 0.0012, 0.002, 0.001]
)
_TRANSMITTANCE = np.array(
    [0.80, 0.85, 0.89, 0.92, 0.90, 0.93, 0.94, 0.93, 0.96, 0.38, 0.002, 0.94, 0.93]
)
# Native pixel of each band in units of 10 m.
_PIXEL = (6, 1, 1, 1, 2, 2, 2, 1, 2, 6, 6, 2, 2)
_READ_NOISE, _SHOT_NOISE = 8.0, 0.35


def material_spectra(rng: np.random.Generator) -> Array:
    """(materials, 13) reflectances of one scene: the table's, each a little brighter or darker.

    The change is smooth over the spectrum (a gain and a tilt), as age and moisture make it.
    """
    table = np.array(list(MATERIALS.values())) / 1000
    gain = rng.normal(1.0, 0.10, (len(table), 1))
    tilt = rng.normal(0.0, 0.08, (len(table), 1)) * np.linspace(-1.0, 1.0, table.shape[1])
    return np.clip(table * (gain + tilt), 0.0, 1.0)


def observe(
    abundances: Array, rng: np.random.Generator, spectra: Array | None = None
) -> npt.NDArray[np.int16]:
    """What the sensor records of a scene.

    Args:
        abundances: (materials, height, width) shares of each pixel that sum to 1, at 10 m.
        rng: The source of chance: spectra, illumination, haze and noise.
        spectra: The scene's own `material_spectra`; None draws them.

    Returns:
        (13, height, width) reflectance at the top of the atmosphere × 10,000.
    """
    spectra = material_spectra(rng) if spectra is None else spectra
    ground = np.einsum("mb,mhw->bhw", spectra, abundances)
    illumination = rng.uniform(0.75, 1.15)
    haze = rng.uniform(0.8, 1.3)
    signal = 10_000 * (
        haze * _PATH[:, None, None] + illumination * _TRANSMITTANCE[:, None, None] * ground
    )
    bands = [_sample(band, pixel, rng) for band, pixel in zip(signal, _PIXEL, strict=True)]
    return np.clip(np.rint(np.stack(bands)), 1, 20_000).astype(np.int16)


def _sample(band: Array, pixel: int, rng: np.random.Generator) -> Array:
    """A band at its native resolution, with noise, brought back to 10 m by repetition."""
    native: Array = block_mean(band, pixel)
    noise = rng.standard_normal(native.shape) * np.sqrt(_READ_NOISE**2 + _SHOT_NOISE * native)
    coarse: npt.NDArray[Any] = native + noise
    repeated = coarse.repeat(pixel, axis=0).repeat(pixel, axis=1)
    return repeated[: band.shape[0], : band.shape[1]]


def block_mean(image: Array, pixel: int) -> Array:
    """Means over squares of `pixel` × `pixel`; those at the far edges may be smaller."""
    if pixel == 1:
        return image
    rows, columns = (np.arange(0, length, pixel) for length in image.shape)
    sums = np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1)
    height = np.diff(np.append(rows, image.shape[0]))
    width = np.diff(np.append(columns, image.shape[1]))
    means: Array = sums / (height[:, None] * width[None, :])
    return means

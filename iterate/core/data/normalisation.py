"""How a recipe's pixels are normalised."""

from __future__ import annotations

import numpy as np

from iterate.core.data.scaling import Scaling
from iterate.core.errors import Problem, RequestError
from iterate.core.models.backbones.base import Backbone
from iterate.core.models.backbones.inflation import RGB
from iterate.core.prepared import Prepared

WHERE = "data.normalisation"


def scaling_of(prepared: Prepared, backbone: Backbone) -> Scaling:
    """What `data.normalisation` asks for.

    Raises:
        RequestError: It is ``backbone``, and the bands are not 8-bit or the backbone declares
            nothing.
    """
    how = prepared.recipe.data.normalisation
    bands = len(prepared.bands)
    if how == "dataset":
        return Scaling.affine(prepared.pack.mean, prepared.pack.std, prepared.size)
    if how == "none":
        return Scaling.affine(np.zeros(bands), np.ones(bands), prepared.size)
    return _of_backbone(prepared, backbone)


def _of_backbone(prepared: Prepared, backbone: Backbone) -> Scaling:
    hint = "Choose normalisation: dataset."
    if backbone.normalisation is None:
        what = "the backbone does not declare how its training images were normalised."
        raise RequestError(Problem(WHERE, what, hint))
    foreign = [band for band in prepared.bands if band.unit != "uint8"]
    if foreign:
        units = ", ".join(f"{band.name!r} ({band.unit})" for band in foreign[:5])
        what = f"the backbone's normalisation is one of 8-bit pixels, but bands are not: {units}."
        raise RequestError(Problem(WHERE, what, hint))
    mean, std = (_by_band(prepared, values) for values in
                 (backbone.normalisation.mean, backbone.normalisation.std))  # fmt: skip
    return Scaling.affine(255 * mean, 255 * std, prepared.size)


def _by_band(
    prepared: Prepared, values: tuple[float, float, float]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A red, green or blue band takes its own value, any other the mean of the three."""
    mean = float(np.mean(values))
    return np.array(
        [values[RGB.index(b.common)] if b.common in RGB else mean for b in prepared.bands]
    )

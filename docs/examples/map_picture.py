"""Draw a scene beside its mask, its predicted map and how unsure the models were.

python docs/examples/map_picture.py scenes maps landsat7 map.png

The scenes are those of `scenes_of_chips.py`; the maps have classes and entropy.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from matplotlib import pyplot as plt
from rasterio.errors import NotGeoreferencedWarning

RED_GREEN_BLUE = (3, 2, 1)  # band numbers of these scenes
Array = npt.NDArray[Any]


def stretched(pixels: Array) -> Array:
    """Bands (3, height, width) as a picture, each from its 2nd to its 98th percentile."""
    low, high = np.percentile(pixels, (2, 98), axis=(1, 2), keepdims=True)
    return np.moveaxis(np.clip((pixels - low) / (high - low), 0, 1), 0, -1)


def coloured(classes: Array, colours: dict[int, tuple[int, ...]]) -> Array:
    """A class map in the colours of its file."""
    table = np.array([colours[value] for value in range(256)], dtype=np.uint8)
    return table[classes]


def main(scenes: Path, maps: Path, scene: str, picture: Path) -> None:
    """Draw one scene."""
    with rasterio.open(scenes / f"images/{scene}.tif") as file:
        image = file.read(RED_GREEN_BLUE).astype(float)
    with rasterio.open(scenes / f"masks/{scene}.tif") as file:
        truth = file.read(1)
    with rasterio.open(maps / f"{scene}_classes.tif") as file:
        predicted, colours = file.read(1), file.colormap(1)
    with rasterio.open(maps / f"{scene}_entropy.tif") as file:
        entropy = file.read(1)
    figure, axes = plt.subplots(1, 4, figsize=(16, 4.4), layout="constrained")
    for axis, drawn, title in zip(
        axes,
        (stretched(image), coloured(truth, colours), coloured(predicted, colours), entropy),
        (scene, "labelled by hand", "predicted", "entropy of the prediction"),
        strict=True,
    ):
        axis.imshow(drawn, cmap="magma", interpolation="nearest")
        axis.set_title(title)
        axis.axis("off")
    figure.savefig(picture, dpi=70)


if __name__ == "__main__":
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))

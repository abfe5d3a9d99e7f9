"""The datasets whose samples are one image with objects."""

from __future__ import annotations

from iterate_core.data.geobench_v2.datasets.published import statistics
from iterate_core.data.geobench_v2.datasets.schema import (
    Declaration,
    JsonBoxes,
    Raster,
    TableBoxes,
    one,
)
from iterate_core.data.geobench_v2.datasets.sensors import (
    AERIAL,
    SENTINEL_2_L1C,
    colours,
    sentinel_2,
)

_IMAGE, _ANNOTATIONS = one("image", 0), one("annotations", 1)
_RGB = (Raster("image", _IMAGE, colours("red green blue", AERIAL)),)
_BIRDS = (
    "background", "White Ibis", "Great Egret", "Great Blue Heron", "Snowy Egret", "Wood Stork",
    "Roseate Spoonbill", "Anhinga", "Unknown White",
)  # fmt: skip

EVERWATCH = Declaration(
    name="everwatch",
    files="geobench_everwatch",
    task="detection",
    classes=_BIRDS,
    rasters=_RGB,
    # By name: the table's own numbers follow another order.
    target=TableBoxes(
        _ANNOTATIONS, {name: index for index, name in enumerate(_BIRDS) if index}, unnamed=8
    ),
    statistics=statistics("everwatch"),
    sizes=None,
    pixels=512,
)

NZCATTLE = Declaration(
    name="nzcattle",
    files="geobench_nzcattle",
    task="detection",
    classes=("background", "cattle"),
    rasters=_RGB,
    target=JsonBoxes(_ANNOTATIONS, "boxes"),
    statistics=statistics("nzcattle"),
    sizes=None,
    pixels=500,
    metres=0.1,
)

SUBSTATION = Declaration(
    name="substation",
    files="geobench_substation",
    task="instance",
    classes=("background", "power station"),
    rasters=(
        Raster(
            "image",
            _IMAGE,
            sentinel_2("B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B10 B11 B12", SENTINEL_2_L1C),
            dtype="int16",
        ),
    ),
    target=JsonBoxes(_ANNOTATIONS, "sample_annotations", outlined=True),
    statistics=statistics("substation"),
    sizes=None,
    pixels=228,
    metres=10.0,
)

WIND_TURBINE = Declaration(
    name="wind_turbine",
    files="geobench_wind_turbine",
    task="detection",
    classes=("background", "wind turbine"),
    rasters=_RGB,
    target=TableBoxes(_ANNOTATIONS, {"windTurbine": 1}, unnamed=1),
    statistics={},
    sizes=None,
    pixels=512,
)

OBJECTS = (EVERWATCH, NZCATTLE, SUBSTATION, WIND_TURBINE)

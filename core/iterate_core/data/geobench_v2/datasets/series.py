"""The datasets whose samples are images of several dates."""

from __future__ import annotations

import math

from iterate_core.data.dataset import Band
from iterate_core.data.geobench_v2.datasets.images import TEN, TWELVE
from iterate_core.data.geobench_v2.datasets.published import statistics
from iterate_core.data.geobench_v2.datasets.schema import (
    Dates,
    Declaration,
    Mask,
    Monthly,
    Parcels,
    Quantity,
    Raster,
    Series,
    one,
    several,
)
from iterate_core.data.geobench_v2.datasets.sensors import PLANETSCOPE, colours, radar, sentinel_2

EARTHNET_PUBLISHED = TWELVE.replace("B09", "B10").split()
"""What the reference loader calls the twelve channels."""

EARTHNET_STORED = "B02 B03 B04 B08 B05 B06 B07 B8A B11 B12 B01 B09"
"""The order of native resolutions. Only in it are the published means those of Sentinel-2 bands:
blue, green and red rise gently, B08 lies beside B8A above the red edge, and B11 and B12 fall."""


def _earthnet() -> dict[str, tuple[float, float]]:
    found = statistics("dynamic_earthnet")
    kept = {name: row for name, row in found.items() if name not in EARTHNET_PUBLISHED}
    stored = zip(EARTHNET_STORED.split(), EARTHNET_PUBLISHED, strict=True)
    return kept | {true: found[published] for true, published in stored}


DYNAMIC_EARTHNET = Declaration(
    name="dynamic_earthnet",
    files="geobench_dynamic_earthnet",
    task="segmentation",
    classes=(
        "Impervious surfaces",
        "Agriculture",
        "Forest & other vegetation",
        "Wetlands",
        "Soil",
        "Water",
        "Snow & ice",
    ),
    rasters=(
        Raster(
            "planet",
            Series("planet_"),
            colours("blue green red nir", PLANETSCOPE, "dn"),
            dtype="int16",
        ),
        Raster(
            "s2",
            one("s2", -2),
            sentinel_2(EARTHNET_STORED, "sentinel-2"),
            dtype="int16",
            optional=True,
        ),
        Raster("s1", one("s1", -3), (None,) * 8, dtype="float32", optional=True),
    ),
    target=Mask(one("label", -1), {index: index for index in range(7)}),
    statistics=_earthnet(),
    sizes={"train": 700, "val": 100, "test": 200},
    pixels=512,
    metres=3.0,
    dates=Dates(default=1, most=28, choice="day_30"),
)

FOTW = Declaration(
    name="fotw",
    files="geobench_fotw",
    task="segmentation",
    classes=("background", "field", "field-boundary"),
    rasters=(
        Raster(
            "s2",
            several({"win_a": 0, "win_b": 1}),
            tuple(
                Band(band.common or band.name, band.common, band.wavelength, "dn", band.sensor)
                for band in sentinel_2("B04 B03 B02 B08")
            ),
            dtype="uint16",
        ),
    ),
    target=Mask(one("semantic_3class_mask", 3, "semantic"), {index: index for index in range(3)}),
    statistics=statistics("fotw"),
    sizes={"train": 4000, "val": 1000, "test": 2000},
    pixels=256,
    metres=10.0,
    dates=Dates(default=2, most=2, choice="first"),
    unused=(one("instance_mask", 2, "instance"),),
)

KURO_SIWO = Declaration(
    name="kuro_siwo",
    files="geobench_kuro_siwo",
    task="segmentation",
    classes=("No Data", "No Water", "Permanent Water", "Flood"),
    rasters=(
        Raster(
            "sar",
            several({"pre_event_1": 0, "pre_event_2": 1, "post_event": 2}),
            radar("vv vh", "linear"),
            missing=(math.nan,),
            dtype="float32",
        ),
        Raster(
            "dem",
            one("dem", 3),
            (Band("dem", "elevation", None, "metre"),),
            missing=(math.nan,),
            dtype="float32",
        ),
    ),
    target=Mask(one("mask", 4), {0: 1, 1: 2, 2: 3, 3: 0}),
    statistics=statistics("kuro_siwo"),
    sizes={"train": 4000, "val": 1000, "test": 2000},
    pixels=224,
    metres=10.0,
    dates=Dates(default=3, most=3, choice="last", shared=True),
    valid=one("invalid_data", 5),
)

_PARCELS = (
    "background", "meadow", "soft winter wheat", "corn", "winter barley", "winter rapeseed",
    "spring barley", "sunflower", "grapevine", "beet", "winter triticale", "winter durum wheat",
    "fruits, vegetables, flowers", "potatoes", "leguminous fodder", "soybeans", "orchard",
    "mixed cereal", "sorghum", "void label",
)  # fmt: skip
_PASTIS_RASTERS = (
    Raster("s2", one("s2", 0), sentinel_2(TEN), "HDF5", dtype="int16"),
    Raster(
        "s1_asc", one("s1a", 1), radar("VV_asc VH_asc VV/VH_asc", "db"), "HDF5", dtype="float16"
    ),
    Raster(
        "s1_desc", one("s1d", 2), radar("VV_desc VH_desc VV/VH_desc", "db"), "HDF5", dtype="float16"
    ),
)
_PASTIS_DATES = Dates(default=3, most=None, choice="evenly")

PASTIS = Declaration(
    name="pastis",
    files="geobench_pastis",
    task="segmentation",
    classes=_PARCELS,
    rasters=_PASTIS_RASTERS,
    target=Mask(one("semantic", 3), {index: index for index in range(20)}, "HDF5"),
    statistics=statistics("pastis"),
    sizes={"train": 1455, "val": 482, "test": 496},
    pixels=128,
    metres=10.0,
    dates=_PASTIS_DATES,
    unused=(one("instance", 4),),
)

PASTIS_R = Declaration(
    name="pastis_r",
    files="geobench_pastis",
    task="instance",
    classes=_PARCELS,
    rasters=_PASTIS_RASTERS,
    target=Parcels(one("instance", 4), one("semantic", 3)),
    statistics=statistics("pastis"),
    sizes=None,
    pixels=128,
    metres=10.0,
    dates=_PASTIS_DATES,
)

BIOMASSTERS = Declaration(
    name="biomassters",
    files="geobench_biomassters",
    task="regression",
    classes=("above-ground biomass",),
    rasters=(
        Raster(
            "s1",
            Monthly("S1", "S1"),
            radar("VV_asc VH_asc VV_desc VH_desc", "db"),
            missing=(-9999.0,),
            dtype="float32",
        ),
        # Behind the ten bands lies a cloud probability, which the benchmark does not offer.
        Raster("s2", Monthly("S2", "S1"), (*sentinel_2(TEN), None), dtype="uint16", optional=True),
    ),
    target=Quantity(one("AGBM", -1), 289.89, "t/ha"),
    statistics=statistics("biomassters"),
    sizes={"train": 4000, "val": 1000, "test": 2000},
    pixels=256,
    metres=10.0,
    dates=Dates(default=3, most=12, choice="last"),
)

SERIES = (DYNAMIC_EARTHNET, FOTW, KURO_SIWO, PASTIS, PASTIS_R, BIOMASSTERS)

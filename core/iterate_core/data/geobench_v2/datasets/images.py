"""The datasets whose samples are one image with classes: of the image, or of its pixels."""

from __future__ import annotations

from iterate_core.data.dataset import Band
from iterate_core.data.geobench_v2.datasets.published import statistics
from iterate_core.data.geobench_v2.datasets.schema import (
    ClassLabel,
    ClassLabels,
    Declaration,
    Mask,
    Raster,
    one,
)
from iterate_core.data.geobench_v2.datasets.sensors import (
    AERIAL,
    PLANETSCOPE,
    colours,
    landsat_8,
    radar,
    sentinel_2,
    worldview,
)

TWELVE = "B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B11 B12"
TEN = "B02 B03 B04 B05 B06 B07 B08 B8A B11 B12"


def _swapped(dataset: str) -> dict[str, tuple[float, float]]:
    """Published statistics whose VV and VH carry each other's name."""
    found = statistics(dataset)
    return {**found, "VV": found["VH"], "VH": found["VV"]}


BENV2 = Declaration(
    name="benv2",
    files="geobench_benv2",
    task="multilabel",
    classes=(
        "Urban fabric",
        "Industrial or commercial units",
        "Arable land",
        "Permanent crops",
        "Pastures",
        "Complex cultivation patterns",
        "Land principally occupied by agriculture, with significant areas of natural vegetation",
        "Agro-forestry areas",
        "Broad-leaved forest",
        "Coniferous forest",
        "Mixed forest",
        "Natural grassland and sparsely vegetated areas",
        "Moors, heathland and sclerophyllous vegetation",
        "Transitional woodland, shrub",
        "Beaches, dunes, sands",
        "Inland wetlands",
        "Coastal wetlands",
        "Inland waters",
        "Marine waters",
    ),
    rasters=(
        Raster("s2", one("s2", 1), sentinel_2(TWELVE), dtype="uint16"),
        Raster("s1", one("s1", 0), radar("VH VV", "db"), dtype="float32"),
    ),
    target=ClassLabels("labels"),
    statistics=_swapped("benv2"),
    sizes={"train": 20000, "val": 4000, "test": 4000},
    pixels=120,
    metres=10.0,
)

TREESATAI = Declaration(
    name="treesatai",
    files="geobench_treesatai",
    task="multilabel",
    classes=(
        "Abies",
        "Acer",
        "Alnus",
        "Betula",
        "Cleared",
        "Fagus",
        "Fraxinus",
        "Larix",
        "Picea",
        "Pinus",
        "Populus",
        "Prunus",
        "Pseudotsuga",
        "Quercus",
        "Tilia",
    ),
    rasters=(
        Raster("aerial", one("aerial", 0), colours("nir green blue red", AERIAL)),
        Raster(
            "s2",
            one("s2", 2),
            sentinel_2("B02 B03 B04 B08 B05 B06 B07 B8A B11 B12 B01 B09"),
            dtype="uint16",
        ),
        Raster("s1", one("s1", 1), radar("vv vh vv/vh", "db"), dtype="uint16", signed=True),
    ),
    target=ClassLabels("species_labels", "dist_labels"),
    statistics=statistics("treesatai"),
    sizes={"train": 4000, "val": 1000, "test": 2000},
    pixels=304,
    metres=0.2,
)

SO2SAT = Declaration(
    name="so2sat",
    files="geobench_so2sat",
    task="classification",
    classes=(
        "Compact high-rise",
        "Compact middle-rise",
        "Compact low-rise",
        "Open high-rise",
        "Open middle-rise",
        "Open low-rise",
        "Lightweight low-rise",
        "Large low-rise",
        "Sparsely built",
        "Heavy industry",
        "Dense Trees",
        "Scattered trees",
        "Bush, scrub",
        "Low plants",
        "Bare rock or paved",
        "Bare soil or sand",
        "Water",
    ),
    rasters=(
        Raster("s2", one("s2", 1), sentinel_2(TEN, "sentinel-2", "reflectance"), dtype="float32"),
        # Real parts of the backscattered wave, neither power nor decibel.
        Raster("s1", one("s1", 0), radar("VH VV", "unknown"), dtype="float32"),
    ),
    target=ClassLabel("labels"),
    statistics=statistics("so2sat"),
    sizes={"train": 19992, "val": 986, "test": 986},
    pixels=32,
    metres=10.0,
)

FORESTNET = Declaration(
    name="forestnet",
    files="geobench_forestnet",
    task="classification",
    classes=(
        "Oil palm plantation",
        "Timber plantation",
        "Other large-scale plantations",
        "Grassland/shrubland",
        "Small-scale agriculture",
        "Small-scale mixed plantation",
        "Small-scale oil palm plantation",
        "Mining",
        "Fish pond",
        "Logging road",
        "Secondary forest",
        "Other",
    ),
    rasters=(Raster("image", one("image", 0, "img"), landsat_8("uint8")),),
    target=ClassLabel("labels"),
    statistics=statistics("forestnet"),
    sizes={"train": 6464, "val": 989, "test": 993},
    pixels=332,
    metres=15.0,
)

BURN_SCARS = Declaration(
    name="burn_scars",
    files="geobench_burn_scars",
    task="segmentation",
    classes=("Background", "Burn Scar"),
    rasters=(
        Raster(
            "image",
            one("image", 0, "img"),
            sentinel_2("B02 B03 B04 B8A B11 B12", "hls", "reflectance"),
            missing=(-9999.0,),
            dtype="float32",
        ),
    ),
    target=Mask(one("label", 1, "mask"), {-1: 2, 0: 0, 1: 1}),
    statistics=statistics("burn_scars"),
    sizes={"train": 524, "val": 160, "test": 120},
    pixels=512,
    metres=30.0,
    ignore_index=2,
)

CAFFE = Declaration(
    name="caffe",
    files="geobench_caffe",
    task="segmentation",
    classes=("N/A", "rock", "glacier", "ocean/ice melange"),
    rasters=(Raster("image", one("img", 0, "image"), (Band("gray", None, None, "uint8"),)),),
    target=Mask(one("mask", 1), {index: index for index in range(4)}),
    statistics=statistics("caffe"),
    sizes={"train": 4000, "val": 1000, "test": 2000},
    pixels=512,
)

CLOUDSEN12 = Declaration(
    name="cloudsen12",
    files="geobench_cloudsen12",
    task="segmentation",
    classes=("clear", "thick cloud", "thin cloud", "cloud shadow"),
    rasters=(Raster("l2a", one("l2a", 0, "s2l2a"), sentinel_2(TWELVE), dtype="uint16"),),
    target=Mask(one("target", 1), {index: index for index in range(4)}),
    statistics=statistics("cloudsen12"),
    sizes={"train": 4000, "val": 535, "test": 975},
    pixels=512,
    metres=10.0,
)

FLAIR2 = Declaration(
    name="flair2",
    files="geobench_flair2",
    task="segmentation",
    classes=(
        "building",
        "pervious surface",
        "impervious surface",
        "bare soil",
        "water",
        "coniferous",
        "deciduous",
        "brushwood",
        "vineyard",
        "herbaceous vegetation",
        "agricultural land",
        "plowed land",
        "other",
    ),
    rasters=(
        Raster(
            "aerial",
            one("aerial", 0),
            (
                *colours("red green blue nir", AERIAL),
                # Heights above ground packed into eight bits.
                Band("elevation", "elevation", None, "unknown", AERIAL),
            ),
        ),
    ),
    target=Mask(one("mask", 1), {value: min(value, 13) - 1 for value in range(1, 20)}),
    statistics=statistics("flair2"),
    sizes={"train": 4049, "val": 1022, "test": 3022},
    pixels=512,
    metres=0.2,
)

SPACENET2 = Declaration(
    name="spacenet2",
    files="geobench_spacenet2",
    task="segmentation",
    classes=("no-building", "building"),
    rasters=(
        Raster(
            "multi",
            one("ps-ms", 0, "multi"),
            worldview("coastal blue green yellow red red_edge nir1 nir2"),
            dtype="uint16",
        ),
        Raster("pan", one("pan", 1), worldview("pan"), dtype="uint16"),
    ),
    target=Mask(one("semantic_mask", 2, "seg"), {0: 0, 1: 1}),
    unused=(one("instance_mask", 3, "inst"),),
    statistics=statistics("spacenet2"),
    sizes={"train": 5186, "val": 1461, "test": 2961},
    pixels=512,
    metres=0.3,
)

SPACENET7 = Declaration(
    name="spacenet7",
    files="geobench_spacenet7",
    task="segmentation",
    classes=("no-building", "building"),
    rasters=(Raster("images", one("images", 0), (*colours("red green blue", PLANETSCOPE), None)),),
    target=Mask(one("mask", 1), {0: 0, 1: 1}),
    statistics={band: row for band, row in statistics("spacenet7").items() if band != "nir"},
    sizes={"train": 3500, "val": 652, "test": 1152},
    pixels=512,
    metres=4.0,
)

IMAGES = (
    BENV2, TREESATAI, SO2SAT, FORESTNET, BURN_SCARS, CAFFE, CLOUDSEN12, FLAIR2, SPACENET2, SPACENET7
)  # fmt: skip

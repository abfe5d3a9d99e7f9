"""What the reference loaders get wrong, each corrected by default and kept under ``compat``.

The loaders are those of the package GeoBenchV2, release 0.9. A declaration says what a dataset
truly is; `Defect.publish` turns it into what the loader takes it for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from iterate_core.data.dataset import Band
from iterate_core.data.geobench_v2.datasets.all import DATASETS
from iterate_core.data.geobench_v2.datasets.published import statistics
from iterate_core.data.geobench_v2.datasets.schema import Choice, Declaration, Mask, Raster
from iterate_core.data.geobench_v2.datasets.sensors import PLANETSCOPE, colours, radar, sentinel_2
from iterate_core.data.geobench_v2.datasets.series import EARTHNET_PUBLISHED


@dataclass(frozen=True)
class Defect:
    """One defect of one loader.

    Attributes:
        dataset: Whose.
        corrected: What is done about it, for the record.
        kept: What is done under ``compat``.
        publish: The declaration as the loader has it; None where ``compat`` changes nothing.
    """

    dataset: str
    corrected: str
    kept: str
    publish: Callable[[Declaration], Declaration] | None = None


def declared(dataset: str, compat: bool) -> tuple[Declaration, tuple[str, ...]]:
    """A dataset's declaration, corrected or as the reference loader has it, and what was done.

    Raises:
        KeyError: There is no such dataset.
    """
    declaration = DATASETS[dataset]
    found = [defect for defect in DEFECTS if defect.dataset == dataset]
    if not compat:
        return declaration, tuple(defect.corrected for defect in found)
    for defect in found:
        if defect.publish is not None:
            declaration = defect.publish(declaration)
    return declaration, tuple(f"compat: {defect.kept}" for defect in found)


def _with_raster(declaration: Declaration, changed: Raster) -> Declaration:
    rasters = tuple(
        changed if raster.name == changed.name else raster for raster in declaration.rasters
    )
    return replace(declaration, rasters=rasters, statistics=statistics(declaration.name))


def _renamed(
    raster: str, channels: tuple[Band | None, ...]
) -> Callable[[Declaration], Declaration]:
    def publish(declaration: Declaration) -> Declaration:
        return _with_raster(declaration, replace(declaration.raster(raster), channels=channels))

    return publish


def _unsigned(declaration: Declaration) -> Declaration:
    unknown = tuple(replace(band, unit="unknown") for band in radar("vv vh vv/vh", "db"))
    raster = replace(declaration.raster("s1"), signed=False, channels=unknown)
    return _with_raster(declaration, raster)


def _chosen(choice: Choice) -> Callable[[Declaration], Declaration]:
    def publish(declaration: Declaration) -> Declaration:
        return replace(declaration, dates=replace(declaration.dates, choice=choice))

    return publish


def _phantom_class(declaration: Declaration) -> Declaration:
    if not isinstance(declaration.target, Mask):
        raise TypeError(declaration.name)
    values = {stored: index + 1 for stored, index in declaration.target.values.items()}
    target = replace(declaration.target, values=values)
    return replace(declaration, classes=("background", *declaration.classes), target=target)


def _raw(declaration: Declaration) -> Declaration:
    return replace(declaration, normalisation="none")


_SWAPPED = "the files hold VH before VV"

DEFECTS = (
    Defect(
        "cloudsen12",
        "normalised like every dataset: the reference loader drops what it normalised "
        "(compat: true makes data.normalisation 'none', as it trains)",
        "data.normalisation is 'none' unless it is given: the reference loader drops what it "
        "normalised",
        _raw,
    ),
    Defect(
        "treesatai",
        "aerial bands corrected: the files hold near infrared, green, blue, red, the reference "
        "loader takes the first for red and the last for near infrared (compat: true does so)",
        "aerial red and near infrared carry each other's name",
        _renamed("aerial", colours("red green blue nir", "aerial")),
    ),
    Defect(
        "treesatai",
        "Sentinel-1 restored: negative decibels were written as unsigned numbers; what is left "
        "are whole decibels, and of the ratio its whole part (compat: true keeps the numbers)",
        "Sentinel-1 keeps negative decibels as numbers near 65,536",
        _unsigned,
    ),
    Defect(
        "benv2",
        f"Sentinel-1 corrected: {_SWAPPED}, the reference loader and its statistics name them the "
        "other way round (compat: true keeps that)",
        "Sentinel-1 VV and VH carry each other's name",
        _renamed("s1", radar("VV VH", "db")),
    ),
    Defect(
        "so2sat",
        f"Sentinel-1 corrected: {_SWAPPED}, by the order of names in the generating script and "
        "by the published standard deviations (compat: true names them VV, VH)",
        "Sentinel-1 VV and VH carry each other's name",
        _renamed("s1", radar("VV VH", "unknown")),
    ),
    Defect(
        "biomassters",
        "bands in one fixed order: the reference loader's default order differs from process to "
        "process",
        "bands in one fixed order all the same: an order that changes from process to process "
        "cannot be kept",
    ),
    Defect(
        "biomassters",
        "the last months are taken, as documented; the reference loader takes the first (compat: "
        "true does so)",
        "the first months are taken",
        _chosen("first"),
    ),
    Defect(
        "dynamic_earthnet",
        "one date is the 30th day, as documented; the reference loader takes the first (compat: "
        "true does so)",
        "one date is the first day",
        _chosen("day_1"),
    ),
    Defect(
        "dynamic_earthnet",
        "Sentinel-2 bands corrected: the published means fit only the order B02 B03 B04 B08 B05 "
        "B06 B07 B8A B11 B12 B01 B09 (compat: true keeps the published names)",
        "Sentinel-2 bands keep the published names B01 … B8A, B10, B11, B12",
        _renamed("s2", sentinel_2(" ".join(EARTHNET_PUBLISHED), "sentinel-2")),
    ),
    Defect(
        "dynamic_earthnet",
        "the eight channels of the Sentinel-1 file are not offered: nothing says what they are",
        "the eight channels of the Sentinel-1 file are not offered",
    ),
    Defect(
        "spacenet2",
        "two classes: the reference loader counts a third, number 0, which never occurs (compat: "
        "true does so)",
        "three classes, of which the first never occurs",
        _phantom_class,
    ),
    Defect(
        "spacenet7",
        "two classes: the reference loader counts a third, number 0, which never occurs (compat: "
        "true does so)",
        "three classes, of which the first never occurs",
        _phantom_class,
    ),
    Defect(
        "spacenet7",
        "the fourth channel is not offered: it is called near infrared, with statistics (0, 255) "
        "that belong to no image (compat: true offers it)",
        "the fourth channel is offered as near infrared, with the statistics (0, 255)",
        _renamed("images", colours("red green blue nir", PLANETSCOPE)),
    ),
    Defect(
        "everwatch",
        "eight kinds of birds and the background: the loader's documents say seven",
        "eight kinds of birds and the background, as the loader's code has it",
    ),
)
"""Every known defect that concerns what is read. Where a loader only stops (fields of the world
stacked, a substation without objects, the default bands of TreeSatAI) there is nothing to keep."""

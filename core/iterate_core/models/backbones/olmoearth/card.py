"""OlmoEarth's sizes, sensors and statistics, and the cards made of them. Imports no torch.

Sizes, bands and statistics are those of the library olmoearth-pretrain-minimal, which is not
imported. Parameter counts are those of the encoder with the bands of Sentinel-2 alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace

from iterate_core.data.bands import LANDSAT_8, family_of
from iterate_core.errors import Problem, RequestError
from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import Card, Modality, entries_of
from iterate_core.models.backbones.transformer.card import (
    BASE,
    LARGE,
    SMALL,
    TINY,
    Configuration,
    encoder_card,
    modality_of,
)
from iterate_core.registry.registry import Entry

LIBRARY = "olmoearth_pretrain_minimal"
_PREFIX = "olmoearth_"
_NANO = (128, 4, 8)


@dataclass(frozen=True)
class OlmoEarthConfiguration(Configuration):
    """An OlmoEarth encoder; `parameters` counts it with Sentinel-2 alone.

    Attributes:
        version: As the library calls it: ``v1``, ``v1.1`` or ``v1.2``.
        scale: How the library calls the size.
    """

    version: str
    scale: str


@dataclass(frozen=True)
class Part:
    """What of a sensor a modality is.

    Attributes:
        sensor: As the library calls it.
        counts: Bands of each of the sensor's groups that are taken, the first ones; each group
            gives a token a patch and date.
        groups: How many the sensor has.
    """

    sensor: str
    counts: tuple[int, ...]
    groups: int


_GROUPED = {
    "sentinel2_l2a": Part("sentinel2_l2a", (4, 6, 2), 3),
    "sentinel2_l2a_10m_20m": Part("sentinel2_l2a", (4, 6), 3),
    "sentinel2_l2a_10m": Part("sentinel2_l2a", (4,), 3),
    "landsat": Part("landsat", (1, 10), 2),
    "sentinel1": Part("sentinel1", (2,), 1),
}
_WHOLE = {
    "sentinel2_l2a": Part("sentinel2_l2a", (12,), 1),
    "landsat": Part("landsat", (11,), 1),
    "sentinel1": Part("sentinel1", (2,), 1),
}
PARTS = {"v1": _GROUPED, "v1.1": _WHOLE, "v1.2": _WHOLE}
"""Of each version: what its modalities are. Only v1 has groups that may be absent."""


def _modality(name: str, bands: str, units: str, mean: str, std: str, sensor: str) -> Modality:
    """A sensor's bands; one unit for all of them, or one each."""
    known = modality_of(name, bands.split(), "", mean, std, sensor=family_of(sensor))
    each = units.split() if " " in units else [units] * len(known.bands)
    pairs = zip(known.bands, each, strict=True)
    # The library maps mean − 2 std to 0 and mean + 2 std to 1.
    low = tuple(m - 2 * s for m, s in zip(known.mean, known.std, strict=True))
    spread = tuple(4 * s for s in known.std)
    return replace(
        known,
        bands=tuple(replace(b, unit=u, sensor=sensor) for b, u in pairs),
        mean=low,
        std=spread,
        metres=10.0,
    )


_SENSORS = {
    "sentinel2_l2a": _modality(
        "sentinel2_l2a",
        "B02 B03 B04 B08 B05 B06 B07 B8A B11 B12 B01 B09",
        "dn",
        "1188.9412572078477 1407.7739105458452 1513.0573882432757 2755.481305028308 "
        "1890.9893042634167 2483.7812315422448 2722.728248756412 2885.570263047681 "
        "2562.852607796968 1914.1383249044113 1115.8494388252218 3269.812554170875",
        "1859.1923971769581 1727.7387413631088 1740.7757298757895 1612.2565699990187 "
        "1754.7320388511766 1622.1172720635755 1621.8226170190276 1611.3587521042082 "
        "1441.5471830655151 1328.8914382756407 1955.6991794280914 2651.088425085525",
        "sentinel-2-l2a",
    ),
    "sentinel1": _modality(
        "sentinel1",
        "VV VH",
        "db",
        "-11.648990747328444 -17.745436133270044",
        "10.840350299936597 10.216274681392647",
        "sentinel-1",
    ),
    "landsat": _modality(
        "landsat",
        "B8 B1 B2 B3 B4 B5 B6 B7 B9 B10 B11",
        " ".join(["landsat_toa"] * 9 + ["landsat_tir"] * 2),
        "10132.090998288624 11000.959519415692 10493.416292898208 10146.318478942761 "
        "10236.446029167704 14427.021492873682 12164.08145353199 9712.032951062303 "
        "4585.469566989013 21347.89356940543 19686.23205859348",
        "7788.7282476413675 7857.9205791510285 7872.392135393957 7676.2774595217115 "
        "8038.218121686258 9302.431605916356 7442.390533225441 6037.712185433222 "
        "2549.745355740949 10957.2815012006 9911.421224126807",
        LANDSAT_8,
    ),
}


def _modalities(version: str) -> tuple[Modality, ...]:
    return tuple(
        _first(_SENSORS[part.sensor], name, sum(part.counts))
        for name, part in PARTS[version].items()
    )


def _first(sensor: Modality, name: str, count: int) -> Modality:
    bands, mean, std = sensor.bands[:count], sensor.mean[:count], sensor.std[:count]
    return replace(sensor, name=name, bands=bands, mean=mean, std=std)


def _configuration(
    version: str, scale: str, size: tuple[int, int, int], parameters: int
) -> OlmoEarthConfiguration:
    repository = f"allenai/OlmoEarth-{version.replace('.', '_')}-{scale.capitalize()}"
    title = f"OlmoEarth {version} {scale}"
    file = HubFile(repository, "weights.pth")
    return OlmoEarthConfiguration(
        *(title, *size, 8, 128, parameters, file), version=version, scale=scale
    )


def _named(
    configurations: Sequence[OlmoEarthConfiguration],
) -> dict[str, OlmoEarthConfiguration]:
    return {f"{_PREFIX}{c.version.replace('.', '_')}_{c.scale}": c for c in configurations}


CONFIGURATIONS = _named(
    [
        _configuration("v1", "nano", _NANO, 892_512),
        _configuration("v1", "tiny", TINY, 5_487_504),
        _configuration("v1", "base", BASE, 85_651_008),
        _configuration("v1", "large", LARGE, 303_104_768),
        _configuration("v1.1", "nano", _NANO, 892_348),
        _configuration("v1.1", "tiny", TINY, 6_126_832),
        _configuration("v1.1", "base", BASE, 88_205_824),
        _configuration("v1.2", "nano", _NANO, 893_116),
        _configuration("v1.2", "tiny", TINY, 6_130_288),
        _configuration("v1.2", "small", SMALL, 22_876_576),
        _configuration("v1.2", "base", BASE, 88_219_648),
    ]
)
_REFERENCES = {
    "v1": "arXiv 2511.13655",
    "v1.1": "arXiv 2605.20804",
    "v1.2": "https://allenai.org/papers/olmoearth-v1-2",
}
_MISSING = {
    "v1": "for bands that a dataset lacks the authors take the nearest (missing: nearest)",
    "v1.1": "trained with bands left out: choose missing: zero for those that a dataset lacks",
    "v1.2": "trained with bands left out: choose missing: zero for those that a dataset lacks",
}


def _card(configuration: OlmoEarthConfiguration) -> Card:
    return encoder_card(
        configuration,
        reference=_REFERENCES[configuration.version],
        takes="declared",
        modalities=_modalities(configuration.version),
        licence="OlmoEarth Artifact License",
        frames=True,
        coordinates=True,
        notes=(
            "parameters are counted with Sentinel-2 alone",
            "up to 12 dates, a month apart, in pretraining",
            _MISSING[configuration.version],
        ),
    )


CARDS = {name: _card(configuration) for name, configuration in CONFIGURATIONS.items()}


def installed() -> bool:
    """Whether the library that builds the models is; it is not imported."""
    return importlib.util.find_spec(LIBRARY) is not None


def entries() -> tuple[Entry, ...]:
    """One entry a set of weights; none where the library is not installed."""
    return entries_of("olmoearth", "OlmoEarthOptions", CARDS if installed() else {})


def check_installed(name: str, where: str = "model.backbone.name") -> None:
    """Say what a name that is not registered lacks.

    Raises:
        RequestError: It is a model of this family, whose library is not installed.
    """
    if name in CARDS and not installed():
        what = f"{name!r} needs olmoearth-pretrain-minimal, which is not installed here."
        raise RequestError(Problem(where, what, "pip install 'geo-iterate[olmoearth]'"))

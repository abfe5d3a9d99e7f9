"""Prithvi-EO: published sizes, weights and statistics, and the cards made of them, as data.

Imports no torch. Parameter counts are those of the encoder as built here: without decoders and
classification heads, of all bands the weights were trained with. Statistics are those of the
model's own configuration files.
"""

from __future__ import annotations

from dataclasses import dataclass

from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import Card, entries_of
from iterate_core.models.backbones.transformer.card import (
    BASE,
    HUGE,
    LARGE,
    TINY,
    Configuration,
    encoder_card,
    modality_of,
)
from iterate_core.registry.registry import Entry


@dataclass(frozen=True)
class PrithviConfiguration(Configuration):
    """A Prithvi-EO encoder.

    Attributes:
        coordinates: Whether it was trained with acquisition dates and locations ("TL").
    """

    coordinates: bool


PRITHVI_BANDS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
"""Channels of every Prithvi-EO model, in the order of the weights."""


def _prithvi(
    name: str,
    size: tuple[int, int, int],
    patch: int,
    parameters: int,
    file: str,
    revision: str,
    sha256: str,
    file_size: int | None = None,
) -> PrithviConfiguration:
    return PrithviConfiguration(
        name,
        *size,
        patch=patch,
        size=224,
        parameters=parameters,
        file=HubFile(f"ibm-nasa-geospatial/{name}", file, revision, sha256, size=file_size),
        coordinates=name.endswith("-TL"),
    )


# Digests: commit and file pages of the Hugging Face repositories; of tiny-TL and 600M what others
# have published of their copies. Revisions: later commits with the same bytes that others have
# pinned, so that copies of the main branch are found; of 1.0 and 600M the file's own commit.
PRITHVI_V1_100 = _prithvi(
    *("Prithvi-EO-1.0-100M", BASE, 16, 86_237_184, "Prithvi_EO_V1_100M.pt"),
    "4d894e1487bab8bde27cb2f44b9b7c4b1535685e",
    "7fac0c8a8693198e32a055e0c5a967f8b005f382182b63df1b29fdcd5c880731",
    453_671_052,
)
PRITHVI_V2_TINY_TL = _prithvi(
    *("Prithvi-EO-2.0-tiny-TL", TINY, 16, 5_634_050, "Prithvi_EO_V2_tiny_TL.pt"),
    "335eadc2c45ad5abe7bd307223e1c48c5b60c41b",
    "d47326db9bad502b611f73e3e3f3a0e68b7b82640d67c22c795417f7209f8d70",
)
PRITHVI_V2_100_TL = _prithvi(
    *("Prithvi-EO-2.0-100M-TL", BASE, 16, 86_237_186, "Prithvi_EO_V2_100M_TL.pt"),
    "2c84e383194986040f883cc43d7869002c425e1b",
    "d45406d5fc51af1d9657d48f2e2c3ff077408a2e1113f9a242889a4fe4469b17",
    454_660_610,
)
PRITHVI_V2_300 = _prithvi(
    *("Prithvi-EO-2.0-300M", LARGE, 16, 303_886_336, "Prithvi_EO_V2_300M.pt"),
    "9eb1b1102806593963daa333bcc491b1c6f8562f",
    "faab2c8b776f0723f93431747603a7ec586a54fc45473613b4322c29752486e7",
    1_326_658_396,
)
PRITHVI_V2_300_TL = _prithvi(
    *("Prithvi-EO-2.0-300M-TL", LARGE, 16, 303_886_338, "Prithvi_EO_V2_300M_TL.pt"),
    "63adbd39c271da4c42f447e69b1a7c91a338cdc9",
    "3629cedfbb350faafcb0dac902ae0d3c927e25ce8d9e0024aa1276ec66956ddb",
    1_326_660_716,
)
PRITHVI_V2_600 = _prithvi(
    *("Prithvi-EO-2.0-600M", HUGE, 14, 631_188_480, "Prithvi_EO_V2_600M.pt"),
    "afe3b7083e0ea592b37c4c04700920fee8bb1d0e",
    "26a3f387ac6fc8e5eee8eb1986e6b9e99f36aa4d03aeb7fd5722feee5d5f88d0",
)
PRITHVI_V2_600_TL = _prithvi(
    *("Prithvi-EO-2.0-600M-TL", HUGE, 14, 631_188_482, "Prithvi_EO_V2_600M_TL.pt"),
    "3d72adc6dfc4cc3862bf4f41da8c83db267193c9",
    "7b92c53b0204a76bb775bd8930f045e05776251caa8c83f7367ed0b75b594702",
    2_638_217_218,
)
CONFIGURATIONS = {
    "prithvi_eo_v1_100": PRITHVI_V1_100,
    "prithvi_eo_v2_tiny_tl": PRITHVI_V2_TINY_TL,
    "prithvi_eo_v2_100_tl": PRITHVI_V2_100_TL,
    "prithvi_eo_v2_300": PRITHVI_V2_300,
    "prithvi_eo_v2_300_tl": PRITHVI_V2_300_TL,
    "prithvi_eo_v2_600": PRITHVI_V2_600,
    "prithvi_eo_v2_600_tl": PRITHVI_V2_600_TL,
}

_HLS = ("HLS", PRITHVI_BANDS, "dn")
_V1 = modality_of(
    *_HLS, "775 1081 1229 2497 2204 1611", "1282 1270 1399 1368 1292 1155", metres=30.0
)
_V2 = modality_of(
    *_HLS, "1087 1342 1433 2734 1958 1363", "2248 2179 2178 1850 1242 1049", metres=30.0
)


def _card(configuration: PrithviConfiguration) -> Card:
    first = configuration is PRITHVI_V1_100
    return encoder_card(
        configuration,
        reference="arXiv 2310.18660" if first else "arXiv 2412.02732",
        takes="declared",
        modalities=(_V1 if first else _V2,),
        licence="Apache-2.0",
        frames=True,
        coordinates=configuration.coordinates,
        widens=True,
    )


CARDS = {name: _card(configuration) for name, configuration in CONFIGURATIONS.items()}


def entries() -> tuple[Entry, ...]:
    """One entry a set of weights."""
    return entries_of("prithvi", "PrithviOptions", CARDS)

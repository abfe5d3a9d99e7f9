"""DOFA: published sizes, weights and statistics, and the cards made of them, as data.

Imports no torch. Parameter counts are those of the encoder as built here: without decoders and
classification heads, of all bands the weights were trained with.
"""

from __future__ import annotations

from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import entries_of
from iterate_core.models.backbones.transformer.card import (
    BASE,
    HUGE,
    LARGE,
    SMALL,
    Configuration,
    encoder_card,
)
from iterate_core.registry.registry import Entry

# Parameters are counted without the classification head.
# Commit page of the Hugging Face repository; torchgeo pins the same one.
_DOFA_COMMIT = "b8db318b64a90b9e085ec04ba8851233c5893666"
DOFA_SMALL = Configuration("DOFA-small", *SMALL, 16, 224, 34_743_680, file=None)
DOFA_BASE = Configuration(
    *("DOFA-base", *BASE, 16, 224, 111_312_128),
    file=HubFile(
        *("torchgeo/dofa", "dofa_base_patch16_224-a0275954.pth", _DOFA_COMMIT),
        sha256="a027595480a4b0641d0be330d876034439bcb6ead8b9ce10f4949227426856c6",
        size=445_295_690,
    ),
)
DOFA_LARGE = Configuration(
    *("DOFA-large", *LARGE, 16, 224, 337_105_408),
    file=HubFile(
        *("torchgeo/dofa", "dofa_large_patch16_224-0ff904d3.pth", _DOFA_COMMIT),
        sha256="0ff904d35418b0ae26e15812f2669f906a047f94517823bfbc3824eac9328291",
        size=1_348_512_262,
    ),
)
DOFA_HUGE = Configuration("DOFA-huge", *HUGE, 14, 224, 663_182_080, file=None)
CONFIGURATIONS = {
    "dofa_small": DOFA_SMALL,
    "dofa_base": DOFA_BASE,
    "dofa_large": DOFA_LARGE,
    "dofa_huge": DOFA_HUGE,
}
CARDS = {
    name: encoder_card(
        configuration,
        reference="arXiv 2403.15356",
        takes="wavelengths",
        modalities=(),
        licence=None if configuration.file is None else "CC-BY-4.0",
        stand_ins=(("vv", 5.405), ("vh", 5.405)),
        notes=("no weights are published",) if configuration.file is None else (),
    )
    for name, configuration in CONFIGURATIONS.items()
}


def entries() -> tuple[Entry, ...]:
    """One entry a set of weights."""
    return entries_of("dofa", "DofaOptions", CARDS)

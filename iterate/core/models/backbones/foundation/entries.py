"""Registry entries of the foundation models that are built here. Imports no torch."""

from __future__ import annotations

from iterate.core.models.backbones.foundation.cards import CARDS
from iterate.core.registry import Entry

_PACKAGE = "iterate.core.models.backbones.foundation"
_FAMILIES = {
    "prithvi": "PrithviOptions",
    "terramind": "TerraMindOptions",
    "clay": "ClayOptions",
    "dofa": "DofaOptions",
    "satmae": "SatMaeOptions",
}


def entries() -> tuple[Entry, ...]:
    """One entry a model; each family's module builds it from its name."""
    found = []
    for name, card in CARDS.items():
        family = name.partition("_")[0]
        options = f"{_PACKAGE}.options:{_FAMILIES[family]}"
        target = f"{_PACKAGE}.{family}:build"
        found.append(Entry(name, options, target, facts={"card": card, "family": family}))
    return tuple(found)

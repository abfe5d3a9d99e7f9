"""Registry entries of the foundation models that are built here. Imports no torch."""

from __future__ import annotations

from iterate_core.models.backbones.foundation.cards import CARDS
from iterate_core.registry.registry import Entry

_PACKAGE = "iterate_core.models.backbones.foundation"
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
        target = f"iterate_core.models.backbones.{family}.backbone:build"
        found.append(Entry(name, options, target, facts={"card": card, "family": family}))
    return tuple(found)

"""Registry entries of the encoders that TorchGeo builds. Imports no torch."""

from __future__ import annotations

from iterate_core.models.backbones.torchgeo.cards import CARDS, PUBLISHED
from iterate_core.registry.registry import Entry

_PACKAGE = "iterate_core.models.backbones.torchgeo"
_FAMILIES = {
    "resnet": ("PyramidOptions", "resnet:build"),
    "vit": ("VitOptions", "vit:build"),
    "swin": ("PyramidOptions", "swin:build"),
    "scalemae": ("ScaleMaeOptions", "vit:build_scalemae"),
    "croma": ("CromaOptions", "croma:build"),
    "panopticon": ("PanopticonOptions", "panopticon:build"),
    "copernicus": ("CopernicusOptions", "copernicus:build"),
    "earthloc": ("EarthLocOptions", "earthloc:build"),
}


def entries() -> tuple[Entry, ...]:
    """One entry a set of weights; each network's module builds it from its name."""
    found = []
    for name, published in PUBLISHED.items():
        options, builder = _FAMILIES[published.architecture.family]
        facts = {"card": CARDS[name], "family": name.partition("_")[0]}
        entry = Entry(name, f"{_PACKAGE}.options:{options}", f"{_PACKAGE}.{builder}", facts=facts)
        found.append(entry)
    return tuple(found)

"""The ways to fine-tune that ship. Imports none of them."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry

_TUNING = "iterate_core.models.tuning"


def register(tunings: Registry) -> None:
    """Add every way to fine-tune that ships."""
    for name, options, method in (
        ("full", "FullOptions", "full:Full"),
        ("frozen", "FrozenOptions", "frozen:Frozen"),
        ("last_k", "LastKOptions", "last_k:LastK"),
        ("layerwise", "LayerwiseOptions", "layerwise:Layerwise"),
        ("gradual", "GradualOptions", "gradual:Gradual"),
        ("bitfit", "BitFitOptions", "bitfit:BitFit"),
    ):
        tunings.register(Entry(name, f"{_TUNING}.options:{options}", f"{_TUNING}.{method}"))

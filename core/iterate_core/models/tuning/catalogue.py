"""The ways to fine-tune that ship. Imports none of them."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry

_TUNING = "iterate_core.models.tuning"
_ADAPTERS = f"{_TUNING}.adapters"


def register(tunings: Registry) -> None:
    """Add every way to fine-tune that ships."""
    for name, options, method in (
        ("full", "FullOptions", "full:Full"),
        ("frozen", "FrozenOptions", "frozen:Frozen"),
        ("last_k", "LastKOptions", "last_k:LastK"),
        ("layerwise", "LayerwiseOptions", "layerwise:Layerwise"),
        ("gradual", "GradualOptions", "gradual:Gradual"),
        ("bitfit", "BitFitOptions", "bitfit:BitFit"),
        ("visual_prompt", "VisualPromptOptions", "visual_prompt:VisualPrompt"),
    ):
        tunings.register(Entry(name, f"{_TUNING}.options:{options}", f"{_TUNING}.{method}"))
    for name, options, method in (
        ("lora", "LoraOptions", "methods:Lora"),
        ("dora", "DoraOptions", "methods:Dora"),
        ("adalora", "AdaLoraOptions", "adalora:AdaLora"),
        ("ia3", "Ia3Options", "methods:Ia3"),
        ("vera", "VeraOptions", "methods:Vera"),
    ):
        entry = Entry(name, f"{_ADAPTERS}.options:{options}", f"{_ADAPTERS}.{method}")
        tunings.register(entry)

"""The necks that ship. Imports none of them."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry

_NECKS = "iterate_core.models.necks"


def register(necks: Registry) -> None:
    """Add every neck that ships."""
    for name, options, builder in (
        ("resize", "ResizeOptions", "base:build_idle"),
        ("learned", "LearnedOptions", "plain:build_learned"),
        ("fpn", "FeaturePyramidOptions", "feature_pyramid:FeaturePyramid"),
    ):
        necks.register(Entry(name, f"{_NECKS}.options:{options}", f"{_NECKS}.{builder}"))

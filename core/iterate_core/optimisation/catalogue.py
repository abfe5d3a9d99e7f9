"""The optimisers and learning-rate schedules that ship. Imports none of them."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry

_ROOM = "iterate_core.optimisation"


def register_optimisers(optimisers: Registry) -> None:
    """Add every optimiser that ships."""
    for name, options, builder in (
        ("adamw", "AdamWOptions", "build_adamw"),
        ("sgd", "SgdOptions", "build_sgd"),
    ):
        optimisers.register(
            Entry(name, f"{_ROOM}.options:{options}", f"{_ROOM}.optimisers:{builder}")
        )


def register_schedules(schedulers: Registry) -> None:
    """Add every learning-rate schedule that ships."""
    for name, options, builder in (
        ("constant", "ConstantOptions", "build_constant"),
        ("cosine", "CosineOptions", "build_cosine"),
        ("plateau", "PlateauOptions", "build_plateau"),
    ):
        schedulers.register(
            Entry(name, f"{_ROOM}.options:{options}", f"{_ROOM}.schedules:{builder}")
        )

"""The optimisers and learning-rate schedules that ship. Imports none of them."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry

_ROOM = "iterate_core.optimisation"
# See `iterate_core.engine.together.optimiser.FACT`.
_APART, _WITHIN = {"elementwise": "apart"}, {"elementwise": "gradient"}


def register_optimisers(optimisers: Registry) -> None:
    """Add every optimiser that ships."""
    for name, options, builder, facts in (
        ("adamw", "AdamWOptions", "optimisers:build_adamw", _APART),
        ("adam", "AdamOptions", "optimisers:build_adam", _WITHIN),
        ("sgd", "SgdOptions", "optimisers:build_sgd", _WITHIN),
        ("lion", "LionOptions", "timm_optimisers:build_lion", _APART),
        ("lamb", "LambOptions", "timm_optimisers:build_lamb", {}),
        ("muon", "MuonOptions", "timm_optimisers:build_muon", {}),
    ):
        entry = Entry(name, f"{_ROOM}.options:{options}", f"{_ROOM}.{builder}", (), facts)
        optimisers.register(entry)


def register_schedules(schedulers: Registry) -> None:
    """Add every learning-rate schedule that ships."""
    for name, options, builder in (
        ("constant", "ConstantOptions", "closed_forms:build_constant"),
        ("cosine", "CosineOptions", "closed_forms:build_cosine"),
        ("cosine_restarts", "CosineRestartsOptions", "closed_forms:build_cosine_restarts"),
        ("polynomial", "PolynomialOptions", "closed_forms:build_polynomial"),
        ("one_cycle", "OneCycleOptions", "closed_forms:build_one_cycle"),
        ("plateau", "PlateauOptions", "schedules:build_plateau"),
    ):
        schedulers.register(Entry(name, f"{_ROOM}.options:{options}", f"{_ROOM}.{builder}"))

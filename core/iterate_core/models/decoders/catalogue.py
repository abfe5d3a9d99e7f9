"""The decoders and probes that ship. Imports none of them."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry

_DECODERS = "iterate_core.models.decoders"
_PROBES = f"{_DECODERS}.probes"
_VECTOR, _LABELS, _MAP = ("vector",), ("labels",), ("map",)  # see `data.target.Target.takes`
_FITTED, _MAPS = {"fitted": True}, {"maps": True}


def register(decoders: Registry) -> None:
    """Add every decoder and probe that ships."""
    for name, options, builder, tasks in (
        ("linear", "LinearOptions", "pooled:build_linear", _VECTOR + _MAP),
        ("mlp", "MlpOptions", "pooled:build_mlp", _VECTOR),
        ("unet", "UnetOptions", "dense:build_smp", _MAP),
        ("fpn", "FpnOptions", "dense:build_smp", _MAP),
        ("upernet", "UpernetOptions", "dense:build_smp", _MAP),
        ("deeplabv3plus", "DeepLabOptions", "dense:build_smp", _MAP),
        ("pspnet", "PspnetOptions", "dense:build_smp", _MAP),
    ):
        entry = Entry(name, f"{_DECODERS}.options:{options}", f"{_DECODERS}.{builder}", tasks)
        decoders.register(entry)
    for name, options, builder, tasks, facts in (
        ("knn", "KnnOptions", "knn:build_knn", _LABELS, _FITTED),
        ("logistic", "LogisticOptions", "logistic:build_logistic", _LABELS, _FITTED),
        ("attentive_pool", "AttentivePoolOptions", "attentive:build_pool", _VECTOR, _MAPS),
        ("attentive_maps", "AttentiveMapsOptions", "attentive:build_maps", _MAP, _MAPS),
    ):
        entry = Entry(name, f"{_PROBES}.options:{options}", f"{_PROBES}.{builder}", tasks, facts)
        decoders.register(entry)

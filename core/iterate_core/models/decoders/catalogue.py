"""The decoders and probes that ship. Imports none of them."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry

_DECODERS = "iterate_core.models.decoders"
_PROBES = f"{_DECODERS}.probes"
_POOLED, _DENSE = ("classification", "multilabel"), ("segmentation", "regression")
_FITTED, _MAPS = {"fitted": True}, {"maps": True}


def register(decoders: Registry) -> None:
    """Add every decoder and probe that ships."""
    for name, options, builder, tasks in (
        ("linear", "LinearOptions", "pooled:build_linear", _POOLED + _DENSE),
        ("mlp", "MlpOptions", "pooled:build_mlp", _POOLED),
        ("unet", "UnetOptions", "dense:build_smp", _DENSE),
        ("fpn", "FpnOptions", "dense:build_smp", _DENSE),
        ("upernet", "UpernetOptions", "dense:build_smp", _DENSE),
        ("deeplabv3plus", "DeepLabOptions", "dense:build_smp", _DENSE),
        ("pspnet", "PspnetOptions", "dense:build_smp", _DENSE),
    ):
        entry = Entry(name, f"{_DECODERS}.options:{options}", f"{_DECODERS}.{builder}", tasks)
        decoders.register(entry)
    for name, options, builder, tasks, facts in (
        ("knn", "KnnOptions", "knn:build_knn", _POOLED, _FITTED),
        ("logistic", "LogisticOptions", "logistic:build_logistic", _POOLED, _FITTED),
        ("attentive_pool", "AttentivePoolOptions", "attentive:build_pool", _POOLED, _MAPS),
        ("attentive_maps", "AttentiveMapsOptions", "attentive:build_maps", _DENSE, _MAPS),
    ):
        entry = Entry(name, f"{_PROBES}.options:{options}", f"{_PROBES}.{builder}", tasks, facts)
        decoders.register(entry)

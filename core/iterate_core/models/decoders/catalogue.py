"""The decoders and probes that ship. Imports none of them."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry

_DECODERS = "iterate_core.models.decoders"
_PROBES = f"{_DECODERS}.probes"
_DETECTORS = f"{_DECODERS}.detectors"
_VECTOR, _LABELS, _MAP = ("vector",), ("labels",), ("map",)  # see `data.target.Target.takes`
_BOXES, _MASKS = ("boxes",), ("masks",)
_SMP = "dense:build_smp"
_FITTED, _MAPS = {"fitted": True}, {"maps": True}


def register(decoders: Registry) -> None:
    """Add every decoder and probe that ships."""
    for name, options, builder, tasks in (
        ("linear", "options:LinearOptions", "pooled:build_linear", _VECTOR + _MAP),
        ("mlp", "options:MlpOptions", "pooled:build_mlp", _VECTOR + _MAP),
        ("identity", "options:IdentityOptions", "single:build_identity", _VECTOR + _MAP),
        ("fcn", "options:FcnOptions", "single:build_fcn", _MAP),
        ("bilinear_conv", "options:BilinearConvOptions", "single:build_bilinear_conv", _MAP),
        ("unet", "smp_options:UnetOptions", _SMP, _MAP),
        ("unetplusplus", "smp_options:UnetPlusPlusOptions", _SMP, _MAP),
        ("manet", "smp_options:ManetOptions", _SMP, _MAP),
        ("linknet", "smp_options:LinknetOptions", _SMP, _MAP),
        ("fpn", "smp_options:FpnOptions", _SMP, _MAP),
        ("upernet", "smp_options:UpernetOptions", _SMP, _MAP),
        ("deeplabv3plus", "smp_options:DeepLabOptions", _SMP, _MAP),
        ("pspnet", "smp_options:PspnetOptions", _SMP, _MAP),
        ("pan", "smp_options:PanOptions", _SMP, _MAP),
        ("segformer", "smp_options:SegformerOptions", _SMP, _MAP),
        ("dpt", "smp_options:DptOptions", "dpt:Dpt", _MAP),
    ):
        entry = Entry(name, f"{_DECODERS}.{options}", f"{_DECODERS}.{builder}", tasks)
        decoders.register(entry)
    for name, options, builder, tasks, facts in (
        ("knn", "KnnOptions", "knn:build_knn", _LABELS, _FITTED),
        ("logistic", "LogisticOptions", "logistic:build_logistic", _LABELS, _FITTED),
        ("attentive_pool", "AttentivePoolOptions", "attentive:build_pool", _VECTOR, _MAPS),
        ("attentive_maps", "AttentiveMapsOptions", "attentive:build_maps", _MAP, _MAPS),
    ):
        entry = Entry(name, f"{_PROBES}.options:{options}", f"{_PROBES}.{builder}", tasks, facts)
        decoders.register(entry)
    for name, options, builder, tasks in (
        ("faster_rcnn", "FasterRcnnOptions", "two_stage:build_faster_rcnn", _BOXES),
        ("retinanet", "RetinaNetOptions", "one_stage:build_retinanet", _BOXES),
        ("fcos", "FcosOptions", "one_stage:build_fcos", _BOXES),
        ("mask_rcnn", "MaskRcnnOptions", "two_stage:build_mask_rcnn", _MASKS),
    ):
        entry = Entry(
            name, f"{_DETECTORS}.options:{options}", f"{_DETECTORS}.{builder}", tasks, _MAPS
        )
        decoders.register(entry)

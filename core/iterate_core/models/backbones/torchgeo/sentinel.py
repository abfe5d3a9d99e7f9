"""ResNets and plain vision transformers of Sentinel-1, Sentinel-2 and photographs.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import Modality
from iterate_core.models.backbones.torchgeo import sensors
from iterate_core.models.backbones.torchgeo.architectures import BY_NAME
from iterate_core.models.backbones.torchgeo.published import Published

_CC_BY, _APACHE, _MIT, _OPEN_RAIL = "CC-BY-4.0", "Apache-2.0", "MIT", "OpenRAIL"
_MAE = ("wangyi111/SSL4EO-S12", "75c72195d35201dc1fb210818993518c25da566b")
_FGMAE = ("wangyi111/FGMAE", "24dd3077d7a99ecd454eaec7adb83d045d7fa122")
_SOFTCON_CNN = ("wangyi111/softcon", "62ff465b2e7467dbfc70758ec1e9d08ab87fc46b")
_SOFTCON_VIT = ("wangyi111/softcon", "bae909781911f8ec034b4b959992fae17b973c0c")
_CLOSP = ("DarthReca/CLOSP-Visual", "3bb8677c21dac56bea2dd7baa08d7871272db440")
_NO_RADAR = "how Sentinel-1 was normalised is not published: use normalisation: dataset"


@dataclass(frozen=True)
class _Family:
    title: str
    reference: str
    licence: str | None
    notes: tuple[str, ...] = ()


_FAMILIES = {
    "moco": _Family("SSL4EO-S12 MoCo", "arXiv 2211.07044", _CC_BY),
    "dino": _Family("SSL4EO-S12 DINO", "arXiv 2211.07044", _CC_BY),
    "mae": _Family("SSL4EO-S12 MAE", "arXiv 2211.07044", _CC_BY),
    "fgmae": _Family("FG-MAE", "arXiv 2310.18653", _CC_BY),
    "softcon": _Family("SoftCon", "arXiv 2405.20462", _CC_BY),
    "decur": _Family("DeCUR", "arXiv 2309.05300", _APACHE),
    "seco": _Family(
        "Seasonal Contrast (SeCo)",
        "arXiv 2103.16607",
        _APACHE,
        ("pixels are normalised as the authors' code does, which TorchGeo's transforms do not",),
    ),
    "seco_eco": _Family("SeCo-Eco", "arXiv 2504.18256", _MIT),
    "gassl": _Family("GASSL", "arXiv 2011.09980", None),
    "closp": _Family("CLOSP", "arXiv 2507.10403", _OPEN_RAIL),
    "geoclosp": _Family("GeoCLOSP", "arXiv 2507.10403", _OPEN_RAIL),
}
_SENSORS: dict[str, Callable[[], Modality]] = {
    "sentinel2": sensors.ten_thousandths,
    "sentinel2_rgb": partial(sensors.ten_thousandths, sensors.S2_RGB),
    "sentinel2_softcon": sensors.softcon,
    "sentinel2_seco": sensors.seco,
    "sentinel2_seco_eco": partial(sensors.ten_thousandths, sensors.S2_12, sensors.S2_L2A),
    "sentinel1": sensors.radar,
    "sentinel1_closp": sensors.plain_radar,
    "rgb": partial(sensors.photographs, "RGB"),
}
_SSL4EO = "ssl4eo_s12"
# Name, family, sensor, repository, revision, file; the network is the part of the name that
# `architectures.BY_NAME` knows.
_ROWS: tuple[tuple[str, str, str, tuple[str, str], str], ...] = (
    (
        *(f"{_SSL4EO}_resnet18_sentinel2_moco", "moco", "sentinel2"),
        ("torchgeo/resnet18_sentinel2_all_moco", "5b8cddc9a14f3844350b7f40b85bcd32aed75918"),
        "resnet18_sentinel2_all_moco-59bfdff9.pth",
    ),
    (
        *(f"{_SSL4EO}_resnet18_sentinel2_rgb_moco", "moco", "sentinel2_rgb"),
        ("torchgeo/resnet18_sentinel2_rgb_moco", "e1c032e7785fd0625224cdb6699aa138bb304eec"),
        "resnet18_sentinel2_rgb_moco-e3a335e3.pth",
    ),
    (
        *(f"{_SSL4EO}_resnet50_sentinel2_moco", "moco", "sentinel2"),
        ("torchgeo/resnet50_sentinel2_all_moco", "da4f3c9dbe09272eb902f3b37f46635fa4726879"),
        "resnet50_sentinel2_all_moco-df8b932e.pth",
    ),
    (
        *(f"{_SSL4EO}_resnet50_sentinel2_rgb_moco", "moco", "sentinel2_rgb"),
        ("torchgeo/resnet50_sentinel2_rgb_moco", "efd9723b59a88e9dc1420dc1e96afb25b0630a3c"),
        "resnet50_sentinel2_rgb_moco-2b57ba8b.pth",
    ),
    (
        *(f"{_SSL4EO}_resnet50_sentinel2_dino", "dino", "sentinel2"),
        ("torchgeo/resnet50_sentinel2_all_dino", "d7f14bf5530d70ac69d763e58e77e44dbecfec7c"),
        "resnet50_sentinel2_all_dino-d6c330e9.pth",
    ),
    (
        *(f"{_SSL4EO}_resnet50_sentinel1_moco", "moco", "sentinel1"),
        ("torchgeo/resnet50_sentinel1_all_moco", "e79862c667853c10a709bdd77ea8ffbad0e0f1cf"),
        "resnet50_sentinel1_all_moco-906e4356.pth",
    ),
    (
        *(f"{_SSL4EO}_resnet50_sentinel2_softcon", "softcon", "sentinel2_softcon"),
        *(_SOFTCON_CNN, "B13_rn50_softcon.pth"),
    ),
    (
        *(f"{_SSL4EO}_resnet50_sentinel1_softcon", "softcon", "sentinel1"),
        *(_SOFTCON_CNN, "B2_rn50_softcon.pth"),
    ),
    (
        *(f"{_SSL4EO}_vits16_sentinel2_moco", "moco", "sentinel2"),
        (
            "torchgeo/vit_small_patch16_224_sentinel2_all_moco",
            "1cb683f6c14739634cdfaaceb076529adf898c74",
        ),
        "vit_small_patch16_224_sentinel2_all_moco-67c9032d.pth",
    ),
    (
        *(f"{_SSL4EO}_vits16_sentinel2_dino", "dino", "sentinel2"),
        (
            "torchgeo/vit_small_patch16_224_sentinel2_all_dino",
            "5b41dd418a79de47ac9f5be3e035405a83818a62",
        ),
        "vit_small_patch16_224_sentinel2_all_dino-36bcc127.pth",
    ),
    *(
        (
            *(f"{_SSL4EO}_{network}_sentinel{sensor}_{method}", method, f"sentinel{sensor}"),
            *(place, f"B{bands}_{network}_{method}_ep{epochs}_enc.pth"),
        )
        for sensor, bands in ((2, 13), (1, 2))
        for method, place, epochs_of_huge in (("mae", _MAE, 199), ("fgmae", _FGMAE, 399))
        for network, epochs in (
            *(("vits16", 99), ("vitb16", 99), ("vitl16", 99), ("vith14", epochs_of_huge)),
        )
    ),
    *(
        (
            *(f"{_SSL4EO}_{network}_{sensor.partition('_')[0]}_softcon", "softcon", sensor),
            *(_SOFTCON_VIT, f"B{bands}_{network}_softcon_enc.pth"),
        )
        for sensor, bands in (("sentinel2_softcon", 13), ("sentinel1", 2))
        for network in ("vits14", "vitb14")
    ),
    (
        *("decur_resnet50_sentinel2", "decur", "sentinel2"),
        ("torchgeo/decur", "eba7ae5945d482a4319be046d34b552db5dd9950"),
        "rn50_ssl4eo-s12_ms_decur_ep100-fc6b09ff.pth",
    ),
    (
        *("decur_resnet50_sentinel1", "decur", "sentinel1"),
        ("torchgeo/decur", "9328eeb90c686a88b30f8526ed757b4bc0f12027"),
        "rn50_ssl4eo-s12_sar_decur_ep100-f0e69ba2.pth",
    ),
    (
        *("seco_resnet18_sentinel2_rgb", "seco", "sentinel2_seco"),
        ("torchgeo/resnet18_sentinel2_rgb_seco", "f8dcee692cf7142163b55a5c197d981fe0e717a0"),
        "resnet18_sentinel2_rgb_seco-cefca942.pth",
    ),
    (
        *("seco_resnet50_sentinel2_rgb", "seco", "sentinel2_seco"),
        ("torchgeo/resnet50_sentinel2_rgb_seco", "fbd07b02a8edb8fc1035f7957160deed4321c145"),
        "resnet50_sentinel2_rgb_seco-018bf397.pth",
    ),
    (
        *("seco_eco_resnet50_sentinel2", "seco_eco", "sentinel2_seco_eco"),
        ("torchgeo/seco-eco", "aea279ea46572cfca5876ac1f9d8d8595fcdeb3b"),
        "resnet50_sentinel2_all_seco_eco-90ec322f.pth",
    ),
    (
        *("gassl_resnet50_rgb", "gassl", "rgb"),
        ("torchgeo/resnet50_fmow_rgb_gassl", "fe8a91026cf9104f1e884316b8e8772d7af9052c"),
        "resnet50_fmow_rgb_gassl-da43d987.pth",
    ),
    *(
        (f"{family}_{network}_{sensor.partition('_')[0]}", family, sensor, _CLOSP, filename)
        for family, network, sensor, filename in (
            ("closp", "resnet50", "sentinel2", "closp-rn_s2_encoder-183922a5.pth"),
            ("closp", "resnet50", "sentinel1_closp", "closp-rn_s1_encoder-cacc90bc.pth"),
            ("closp", "vits16", "sentinel2", "closp-vs_s2_encoder-1a3ee5a5.pth"),
            ("closp", "vits16", "sentinel1_closp", "closp-vs_s1_encoder-180f1e6e.pth"),
            ("closp", "vitl16", "sentinel2", "closp-vl_s2_encoder-4a4f026a.pth"),
            ("closp", "vitl16", "sentinel1_closp", "closp-vl_s1_encoder-6f88d037.pth"),
            ("geoclosp", "resnet50", "sentinel2", "geoclosp-rn_s2_encoder-94c37f4a.pth"),
            ("geoclosp", "resnet50", "sentinel1_closp", "geoclosp-rn_s1_encoder-e63ae1af.pth"),
        )
    ),
)


def published() -> Iterator[Published]:
    """Every set of weights of these families."""
    for name, method, sensor, (repository, revision), filename in _ROWS:
        family = _FAMILIES[method]
        network = next(part for part in name.split("_") if part in BY_NAME)
        modality = _SENSORS[sensor]()
        told = f"{len(modality.bands)} bands of {modality.name}"
        yield Published(
            name=name,
            title=f"{family.title} {network} ({told if modality.name != 'RGB' else 'RGB'})",
            architecture=BY_NAME[network],
            modalities=(modality,),
            file=HubFile(repository, filename, revision),
            reference=family.reference,
            licence=family.licence,
            notes=(*family.notes, *(() if modality.mean else (_NO_RADAR,))),
        )

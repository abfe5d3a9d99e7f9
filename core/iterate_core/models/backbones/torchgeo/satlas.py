"""Satlas (Bastani et al., 2023): Swin v2 and ResNet of four sensors. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import Modality
from iterate_core.models.backbones.torchgeo import sensors
from iterate_core.models.backbones.torchgeo.architectures import BY_NAME
from iterate_core.models.backbones.torchgeo.published import Published

_REVISION = "081d6607431bf36bdb59c223777cbb267131b8f2"
_FILES = {
    "satlas_swinb_sentinel2_si_ms": "sentinel2_swinb_si_ms-fe22a12c.pth",
    "satlas_swinb_sentinel2_mi_ms": "sentinel2_swinb_mi_ms-39c86721.pth",
    "satlas_swinb_sentinel2_si_rgb": "sentinel2_swinb_si_rgb-156a98d5.pth",
    "satlas_swinb_sentinel2_mi_rgb": "sentinel2_swinb_mi_rgb-4efa210c.pth",
    "satlas_swint_sentinel2_si_ms": "sentinel2_swint_si_ms-bc68e396.pth",
    "satlas_swint_sentinel2_mi_ms": "sentinel2_swint_mi_ms-d8c659e3.pth",
    "satlas_swint_sentinel2_si_rgb": "sentinel2_swint_si_rgb-0c1a96e0.pth",
    "satlas_swint_sentinel2_mi_rgb": "sentinel2_swint_mi_rgb-424d91f4.pth",
    "satlas_resnet50_sentinel2_si_ms": "sentinel2_resnet50_si_ms-1f454cc6.pth",
    "satlas_resnet50_sentinel2_mi_ms": "sentinel2_resnet50_mi_ms-da5413d2.pth",
    "satlas_resnet50_sentinel2_si_rgb": "sentinel2_resnet50_si_rgb-45fc6972.pth",
    "satlas_resnet50_sentinel2_mi_rgb": "sentinel2_resnet50_mi_rgb-e79bb7fe.pth",
    "satlas_resnet152_sentinel2_si_ms": "sentinel2_resnet152_si_ms-4500c6cb.pth",
    "satlas_resnet152_sentinel2_mi_ms": "sentinel2_resnet152_mi_ms-fd35b4bb.pth",
    "satlas_resnet152_sentinel2_si_rgb": "sentinel2_resnet152_si_rgb-f4d24c3c.pth",
    "satlas_resnet152_sentinel2_mi_rgb": "sentinel2_resnet152_mi_rgb-67563ac5.pth",
    "satlas_swinb_landsat_si": "landsat_swinb_si-4af978f6.pth",
    "satlas_swinb_landsat_mi": "landsat_swinb_mi-6b4a1cda.pth",
    "satlas_swinb_sentinel1_si": "sentinel1_swinb_si-3981c153.pth",
    "satlas_swinb_sentinel1_mi": "sentinel1_swinb_mi-f6c43d97.pth",
    "satlas_swinb_aerial_si": "aerial_swinb_si-e4169eb1.pth",
    "satlas_swinb_aerial_mi": "aerial_swinb_mi-326d69e1.pth",
}
_MANY = "trained with the maximum over several images of a place; here it sees one at a time"


def _modality(sensor: str, bands: str) -> Modality:
    if sensor == "landsat":
        return sensors.satlas_landsat()
    if sensor == "sentinel1":
        return sensors.satlas_radar()
    if sensor == "aerial":
        return sensors.satlas_rgb("aerial")
    return sensors.satlas_multispectral() if bands == "ms" else sensors.satlas_rgb(sensors.S2_L1C)


def published() -> Iterator[Published]:
    """Every set of weights of the family."""
    for name, filename in _FILES.items():
        _, network, sensor, images, *bands = name.split("_")
        modality = _modality(sensor, *(bands or [""]))
        told = f"{modality.name}, {'several images' if images == 'mi' else 'single images'}"
        yield Published(
            name=name,
            title=f"Satlas {network} ({told})",
            architecture=BY_NAME[network],
            modalities=(modality,),
            file=HubFile("torchgeo/satlas", filename, _REVISION),
            reference="arXiv 2211.15660",
            licence="ODC-BY-1.0",
            notes=(_MANY,) if images == "mi" else (),
        )

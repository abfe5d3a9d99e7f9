"""Models that stand for themselves. Imports no torch."""

from __future__ import annotations

from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.torchgeo import architectures as networks
from iterate_core.models.backbones.torchgeo import sensors
from iterate_core.models.backbones.torchgeo.architectures import Architecture
from iterate_core.models.backbones.torchgeo.published import Published

_CC_BY = "CC-BY-4.0"
_C_BAND = 55_465.76
"""Sentinel-1's wavelength in µm."""
_RADAR = (("vv", _C_BAND), ("vh", _C_BAND), ("hh", _C_BAND), ("hv", _C_BAND))
_AS_THE_DATASET = "how pixels were normalised is not published: use normalisation: dataset"

_SCALE_MAE = Published(
    name="scalemae_large",
    title="Scale-MAE ViT-L/16",
    architecture=networks.SCALEMAE,
    modalities=(sensors.photographs("RGB"),),
    file=HubFile(
        "isaaccorley/vit_large_patch16_224_fmow_rgb_scalemae",
        "vit_large_patch16_224_fmow_rgb_scalemae-98ed9821.pth",
        "9dc7f569424baeb780698352cf6e87638c882123",
    ),
    reference="arXiv 2212.14532",
    licence="CC-BY-NC-4.0",
    notes=("takes the ground size of a pixel",),
)


def _croma(name: str, network: Architecture, file: HubFile) -> Published:
    return Published(
        name=name,
        title=f"CROMA {name.rpartition('_')[2]}",
        architecture=network,
        modalities=(sensors.croma_optical(), sensors.croma_radar()),
        file=file,
        reference="arXiv 2311.00566",
        licence=_CC_BY,
        widens=False,
        notes=("parameters are counted with both sensors", _AS_THE_DATASET),
    )


_CROMA_BASE = _croma(
    "croma_base",
    networks.CROMA_BASE,
    HubFile(
        "torchgeo/croma",
        "CROMA_base-0238d814.pt",
        "387883f08af79d777167519c57cd826eda89a16f",
    ),
)
_CROMA_LARGE = _croma(
    "croma_large",
    networks.CROMA_LARGE,
    HubFile(
        "torchgeo/croma",
        "CROMA_large-921e69ad.pt",
        "92cb1a0f4e34c6c01558baf070197c01255382f6",
    ),
)
_PANOPTICON = Published(
    name="panopticon_base",
    title="Panopticon ViT-B/14",
    architecture=networks.PANOPTICON,
    modalities=(),
    file=HubFile(
        "lewaldm/panopticon",
        "panopticon_vitb14_teacher.pth",
        "c8c2bb9555819e8b2bcedf5b3b00e3bf531554e7",
    ),
    reference="arXiv 2503.10845",
    licence="Apache-2.0",
    takes="wavelengths",
    stand_ins=_RADAR,
    widens=False,
    notes=("radar bands are told apart by polarisation, not by wavelength", _AS_THE_DATASET),
)
_COPERNICUS_FM = Published(
    name="copernicus_fm_base",
    title="Copernicus-FM ViT-B/16",
    architecture=networks.COPERNICUS_FM,
    modalities=(sensors.copernicus_optical(), sensors.copernicus_radar()),
    file=HubFile(
        "torchgeo/copernicus-fm",
        "CopernicusFM_ViT_base_varlang-085350e4.pth",
        "f395812cc990ba25a451dbb9c9e6d95c8482947e",
    ),
    reference="arXiv 2503.11849",
    licence=_CC_BY,
    takes="wavelengths",
    coordinates=True,
    stand_ins=tuple((name, 50_000.0) for name, _ in _RADAR),
    widens=False,
    notes=("takes spectral bands, not variables by their names",),
)
_EARTHLOC = Published(
    name="earthloc_resnet50",
    title="EarthLoc ResNet-50",
    architecture=networks.EARTHLOC,
    modalities=(sensors.photographs("Sentinel-2 true colour", sensors.S2_L1C),),
    file=HubFile(
        "torchgeo/earthloc",
        "earthloc-8b632e30.pth",
        "53a4bb90a7754b12f44986521ac7a711b4795959",
    ),
    reference="arXiv 2403.06758",
    licence="MIT",
    notes=("its vector takes images of 320 × 320 pixels, its maps any",),
)


def published() -> tuple[Published, ...]:
    """Every one of them."""
    return (_SCALE_MAE, _CROMA_BASE, _CROMA_LARGE, _PANOPTICON, _COPERNICUS_FM, _EARTHLOC)

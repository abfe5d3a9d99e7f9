"""SSL4EO-L (Stewart et al., 2023): encoders of five Landsat products. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.torchgeo.architectures import BY_NAME
from iterate_core.models.backbones.torchgeo.published import Published
from iterate_core.models.backbones.torchgeo.sensors import landsat

_REPOSITORY = "torchgeo/ssl4eo_landsat"
_REVISION = "1c88bb51b6e17a21dde5230738fa38b74bd74f76"
# Network, product, and the first digits of the digests of its MoCo and its SimCLR weights.
_DIGESTS = (
    ("resnet18", "tm_toa", "1c691b4f", "d2d38ace"),
    ("resnet18", "etm_toa", "bb88689c", "4d813f79"),
    ("resnet18", "etm_sr", "4f078acd", "8e8543b4"),
    ("resnet18", "oli_tirs_toa", "a3002f51", "b0635cc6"),
    ("resnet18", "oli_sr", "660e82ed", "7bced5be"),
    ("resnet50", "tm_toa", "ba1ce753", "a1c93432"),
    ("resnet50", "etm_toa", "e9a84d5a", "70b5575f"),
    ("resnet50", "etm_sr", "1266cde3", "e5d185d7"),
    ("resnet50", "oli_tirs_toa", "de7f5e0f", "030cebfe"),
    ("resnet50", "oli_sr", "ff580dad", "94f78913"),
    ("vits16", "tm_toa", "a1c967d8", "7c2d9799"),
    ("vits16", "etm_toa", "26d19bcf", "34fb12cb"),
    ("vits16", "etm_sr", "eaa4674e", "a14c466a"),
    ("vits16", "oli_tirs_toa", "c7c2cceb", "ad43e9a4"),
    ("vits16", "oli_sr", "c9b8898d", "4e8f6102"),
)
_SATELLITES = {"tm": "Landsat 4–5", "etm": "Landsat 7", "oli": "Landsat 8–9"}
_METHODS = (("moco", "MoCo"), ("simclr", "SimCLR"))


def published() -> Iterator[Published]:
    """Every set of weights of the family."""
    for network, product, *digests in _DIGESTS:
        satellite = _SATELLITES[product.partition("_")[0]]
        level = "top of atmosphere" if product.endswith("toa") else "surface reflectance"
        for (method, title), digest in zip(_METHODS, digests, strict=True):
            filename = f"{network}_landsat_{product}_{method}-{digest}.pth"
            yield Published(
                name=f"ssl4eo_l_{network}_{product}_{method}",
                title=f"SSL4EO-L {title} {network} ({satellite}, {level})",
                architecture=BY_NAME[network],
                modalities=(landsat(product),),
                file=HubFile(_REPOSITORY, filename, _REVISION),
                reference="arXiv 2306.09424",
                licence="CC0-1.0",
            )

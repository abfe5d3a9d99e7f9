"""The networks that TorchGeo's weights are of, as data. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """A network.

    Attributes:
        builder: What `torchgeo.models` calls the function that builds it.
        family: The module of this package that makes a backbone of it.
        size: Side of its training images in pixels.
        fixed: Parameters that do not depend on the bands; without a classifier.
        per_band: Parameters that every band adds.
        patch: Side of a patch in pixels; None for convolutional models.
        depth: Blocks, of a plain vision transformer.
        width: Length of a token, of a plain vision transformer.
    """

    builder: str
    family: str
    size: int
    fixed: int
    per_band: int
    patch: int | None = None
    depth: int = 0
    width: int = 0

    def parameters(self, bands: int) -> int:
        """What the network counts with so many bands."""
        return self.fixed + self.per_band * bands


RESNET18 = Architecture("resnet18", "resnet", 224, 11_167_104, 3_136)
RESNET50 = Architecture("resnet50", "resnet", 224, 23_498_624, 3_136)
RESNET152 = Architecture("resnet152", "resnet", 224, 58_134_400, 3_136)
VITS16 = Architecture(
    *("vit_small_patch16_224", "vit", 224, 21_370_752, 98_304), patch=16, depth=12, width=384
)
VITB16 = Architecture(
    *("vit_base_patch16_224", "vit", 224, 85_208_832, 196_608), patch=16, depth=12, width=768
)
VITL16 = Architecture(
    *("vit_large_patch16_224", "vit", 224, 302_515_200, 262_144), patch=16, depth=24, width=1024
)
VITH14 = Architecture(
    *("vit_huge_patch14_224", "vit", 224, 630_012_160, 250_880), patch=14, depth=32, width=1280
)
VITS14 = Architecture(
    *("vit_small_patch14_dinov2", "vit", 224, 21_403_008, 75_264), patch=14, depth=12, width=384
)
VITB14 = Architecture(
    *("vit_base_patch14_dinov2", "vit", 224, 85_273_344, 150_528), patch=14, depth=12, width=768
)
SWINT = Architecture("swin_v2_t", "swin", 256, 27_577_962, 1_536)
SWINB = Architecture("swin_v2_b", "swin", 256, 86_899_704, 2_048)
SCALEMAE = Architecture(
    *("scalemae_large_patch16", "scalemae", 224, 302_515_200, 262_144),
    patch=16,
    depth=24,
    width=1024,
)
EARTHLOC = Architecture("earthloc", "earthloc", 320, 27_652_804, 3_136)
# Counted with both sensors and without their two heads, which their joint vector does not take.
CROMA_BASE = Architecture("croma_base", "croma", 120, 184_917_504, 0, patch=8, depth=12, width=768)
CROMA_LARGE = Architecture(
    "croma_large", "croma", 120, 655_765_504, 0, patch=8, depth=24, width=1024
)
# Without the position table's and the radar bands' share nothing depends on the bands.
PANOPTICON = Architecture(
    "panopticon_vitb14", "panopticon", 224, 98_120_448, 0, patch=14, depth=12, width=768
)
# Without the patch embedding of named variables, which takes a language model's codes.
COPERNICUS_FM = Architecture(
    "copernicusfm_base", "copernicus", 224, 113_086_208, 0, patch=16, depth=12, width=768
)

BY_NAME = {
    "resnet18": RESNET18,
    "resnet50": RESNET50,
    "resnet152": RESNET152,
    "vits16": VITS16,
    "vitb16": VITB16,
    "vitl16": VITL16,
    "vith14": VITH14,
    "vits14": VITS14,
    "vitb14": VITB14,
    "swint": SWINT,
    "swinb": SWINB,
}
"""Those that several weights share, as backbones' names call them."""

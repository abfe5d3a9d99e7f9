"""The augmentations that ship. Imports none of them."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry

_AUGMENTATION = "iterate_core.data.augmentation"


def register(augmentations: Registry) -> None:
    """Add every augmentation that ships."""
    for name, options, made in (
        ("turn", "TurnOptions", "moves:Turn"),
        ("scale", "ScaleOptions", "moves:Scale"),
        ("crop", "CropOptions", "moves:Crop"),
        ("brightness", "BrightnessOptions", "touches:Brightness"),
        ("contrast", "ContrastOptions", "touches:Contrast"),
        ("noise", "NoiseOptions", "touches:Noise"),
        ("band_dropout", "BandDropoutOptions", "touches:BandDropout"),
        ("cutmix", "CutmixOptions", "mixes:Cutmix"),
        ("mixup", "MixupOptions", "mixes:Mixup"),
    ):
        options, made = f"{_AUGMENTATION}.options:{options}", f"{_AUGMENTATION}.{made}"
        augmentations.register(Entry(name, options, made))

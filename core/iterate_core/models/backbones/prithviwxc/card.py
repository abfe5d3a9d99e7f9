"""Prithvi-WxC's sizes and fields, and the cards made of them. Imports no torch.

Sizes, fields and files are those of the library prithviwxc, which is not imported.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace

from iterate_core.data.bands import ANY, describe
from iterate_core.data.merra2 import CLIMATE, FIELDS, STATIC
from iterate_core.errors import Problem, RequestError
from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import Card, Modality, entries_of
from iterate_core.models.backbones.transformer.card import Configuration, encoder_card
from iterate_core.registry.registry import Entry

LIBRARY = "PrithviWxC"
WEATHER, SURFACE, CLIMATOLOGY = "merra2", "static", "climate"
DATES = 2
_HUB = "ibm-nasa-geospatial/Prithvi-WxC-1.0-2300M"
_LARGE = (2560, 25, 16, 2, 360, 1_971_660_800)


def _modality(name: str, fields: Sequence[str]) -> Modality:
    described = describe(fields, ANY)
    return Modality(name, tuple(replace(band, sensor="merra-2") for band in described))


CONFIGURATIONS = {
    "prithvi_wxc_600": Configuration("Prithvi-WxC 600M", 1024, 17, 16, 2, 360, 216_068_096, None),
    "prithvi_wxc_2300": Configuration(
        "Prithvi-WxC 1.0 2300M", *_LARGE, HubFile(_HUB, "prithvi.wxc.2300m.v1.pt")
    ),
    "prithvi_wxc_2300_rollout": Configuration(
        "Prithvi-WxC 1.0 2300M rollout",
        *_LARGE,
        HubFile(f"{_HUB}-rollout", "prithvi.wxc.rollout.2300m.v1.pt"),
    ),
}
"""Depths count blocks: 2 n + 1 of what the library calls n blocks."""


def _card(configuration: Configuration) -> Card:
    return encoder_card(
        configuration,
        reference="arXiv 2409.13598",
        takes="declared",
        modalities=(
            _modality(WEATHER, FIELDS),
            _modality(SURFACE, STATIC),
            _modality(CLIMATOLOGY, CLIMATE),
        ),
        frames=True,
        coordinates=True,
        together=True,
        notes=(
            "takes MERRA-2 by its names: T2M, or T_72 for the temperature of level 72",
            "choose missing: zero where a dataset has but some of the fields",
            "one date or two; attends within mask units of 30 × 32 pixels, and among them",
        ),
    )


CARDS = {name: _card(configuration) for name, configuration in CONFIGURATIONS.items()}


def installed() -> bool:
    """Whether the library whose parts the models are made of is; it is not imported."""
    return importlib.util.find_spec(LIBRARY) is not None


def entries() -> tuple[Entry, ...]:
    """One entry a set of weights; none where the library is not installed."""
    return entries_of("prithviwxc", "PrithviWxcOptions", CARDS if installed() else {})


def check_installed(name: str, where: str = "model.backbone.name") -> None:
    """Say what a name that is not registered lacks.

    Raises:
        RequestError: It is a model of this family, whose library is not installed.
    """
    if name in CARDS and not installed():
        what = f"{name!r} needs prithviwxc, which is not installed here."
        raise RequestError(Problem(where, what, "pip install 'geo-iterate[wxc]'"))

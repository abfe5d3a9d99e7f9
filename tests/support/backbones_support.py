"""Backbones that have a card, built for what they declare, without a recipe."""

from __future__ import annotations

from typing import Any

import torch

from iterate_core.data.bands import describe
from iterate_core.data.dataset import Band
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.card import Card
from iterate_core.models.backbones.matching import match_bands
from iterate_core.models.inputs import Inputs
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

CARDS: dict[str, Card] = {
    entry.name: entry.facts["card"] for entry in registries.backbones if entry.facts.get("card")
}
S2 = describe([f"B{number:02}" for number in range(1, 9)] + ["B8A", "B09", "B10", "B11", "B12"])
CONTEXT = Context(
    torch.tensor([[[2019.0, 40.0]], [[2022.0, 300.0]]]), torch.tensor([[46.9, 7.4], [-33.9, 18.4]])
)
SEVERAL = {
    "terramind": ("S2L2A", "S1GRD"),
    "croma": ("optical", "sar"),
    "presto": tuple(modality.name for modality in CARDS["presto"].modalities),
}
"""Models of several modalities are counted with these."""


def options_of(name: str, **more: Any) -> Any:
    entry = registries.backbones.get(name)
    modalities = SEVERAL.get(name.partition("_")[0])
    chosen = {"modalities": modalities} if modalities else {}
    given = {"name": name, "weights": "none", **chosen, **more}
    return parse(entry.load_options(), given, "model.backbone")


def bands_of(name: str) -> tuple[Band, ...]:
    """What the backbone declares; Sentinel-2 for those that take any wavelengths."""
    card = CARDS[name]
    wanted = SEVERAL.get(name.partition("_")[0])
    if wanted is None:
        return card.modalities[0].bands if card.modalities else S2
    modalities = [card.modality(one) for one in wanted]
    return tuple(band for modality in modalities if modality for band in modality.bands)


def inputs_of(name: str, options: Any, side: int, *, dense: bool) -> Inputs:
    matching = match_bands(CARDS[name], bands_of(name), options)
    metres = 10.0
    return Inputs(matching.bands, (side, side), dense, 1, metres, matching.modalities)


def build(name: str, options: Any, side: int, *, dense: bool, meta: bool = False) -> Backbone:
    torch.manual_seed(0)
    inputs = inputs_of(name, options, side, dense=dense)
    made: Backbone = registries.backbones.get(name).load()(options, inputs, meta)
    made.fixed = frozenset(key for key, value in made.named_parameters() if not value.requires_grad)
    return made

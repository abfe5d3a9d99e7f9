"""The backbones that ship, and their cards. Imports no torch."""

from __future__ import annotations

from iterate_core.models.backbones.card import Card
from iterate_core.models.backbones.clay import card as clay
from iterate_core.models.backbones.dofa import card as dofa
from iterate_core.models.backbones.olmoearth import card as olmoearth
from iterate_core.models.backbones.presto import card as presto
from iterate_core.models.backbones.prithvi import card as prithvi
from iterate_core.models.backbones.prithviwxc import card as prithviwxc
from iterate_core.models.backbones.satmae import card as satmae
from iterate_core.models.backbones.terramind import card as terramind
from iterate_core.models.backbones.terratorch.names import found_entry, listed_names
from iterate_core.models.backbones.tessera import card as tessera
from iterate_core.models.backbones.torchgeo import entries as torchgeo_models
from iterate_core.registry import registries
from iterate_core.registry.registry import Entry, Registry

_OPTIONAL = (olmoearth, prithviwxc)
"""Families that are there where their authors' libraries are."""


def register(backbones: Registry) -> None:
    """Add every backbone that has a card; timm's and terratorch's are found by their names."""
    ours = (prithvi, terramind, clay, dofa, satmae, presto, tessera)
    for family in (*ours, *_OPTIONAL, torchgeo_models):
        for entry in family.entries():
            backbones.register(entry)
    backbones.fall_back(_found, listed_names)


def _found(name: str) -> Entry | None:
    """The entry of a name that is not registered; or what has to be installed for it."""
    for family in _OPTIONAL:
        family.check_installed(name)
    return found_entry(name)


def card_of(name: str, where: str = "") -> Card | None:
    """A backbone's card; None where it has none.

    Raises:
        RequestError: There is no such backbone.
    """
    card: Card | None = registries.backbones.get(name, where).facts.get("card")
    return card


def cards() -> dict[str, Card]:
    """The card of every registered backbone that has one."""
    found = {entry.name: card_of(entry.name) for entry in registries.backbones}
    return {name: card for name, card in found.items() if card is not None}

"""Build a backbone by itself and send an image through it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from iterate_core.data.bands import describe
from iterate_core.data.dataset import Band
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.backbones.card import Card
from iterate_core.models.backbones.catalogue import card_of
from iterate_core.models.backbones.matching import match_bands
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

DEFAULT_SIZE = 224
_BANDS = ("Red", "Green", "Blue")


def rehearse(name: str, options: Mapping[str, Any], size: int | None = None) -> dict[str, Any]:
    """Build a backbone for the bands it declares (else red, green and blue) and run it once.

    Args:
        name: Its name.
        options: As under `model.backbone` in a recipe.
        size: Side of the image in pixels; None takes that of its training images.

    Returns:
        Plain JSON types: bands, parameters, the shapes of pooled vector and maps, and seconds.

    Raises:
        RequestError: It cannot be built with these options and this size, or its weights are
            missing or wrong.
    """
    entry = registries.backbones.get(name, "NAME")
    chosen = parse(entry.load_options(), {"name": name, **options}, "model.backbone")
    card = card_of(name)
    side = size or (card.size if card is not None else DEFAULT_SIZE)
    told: dict[str, Any] = {"name": name, "size": side}
    for dense in (False, True):
        inputs = inputs_of(card, chosen, (side, side), dense=dense)
        start = time.perf_counter()
        backbone: Backbone = entry.load()(chosen, inputs, False)
        backbone.eval()
        built = time.perf_counter()
        with torch.inference_mode():
            features = backbone(torch.zeros(1, len(inputs.bands), side, side))
        told["bands"] = [band.name for band in inputs.bands]
        told["parameters"] = sum(parameter.numel() for parameter in backbone.parameters())
        told["maps" if dense else "pooled"] = _shapes(backbone, features)
        told["build_seconds"] = built - start
        told["forward_seconds"] = time.perf_counter() - built
    return told


def inputs_of(card: Card | None, options: Any, size: tuple[int, int], *, dense: bool) -> Inputs:
    """What a backbone is built for when it gets just the bands it declares.

    Args:
        card: Its card; without one, or with one that names no bands, it gets red, green and blue.
        options: Its options; `modalities` chooses among the card's.
        size: (height, width) in pixels.
        dense: Whether maps are wanted.

    Raises:
        RequestError: The options do not fit the card.
    """
    bands, metres = declared_bands(card, getattr(options, "modalities", None))
    matching = match_bands(card, bands, options)
    return Inputs(matching.bands, size, dense, 1, metres, matching.modalities)


def declared_bands(
    card: Card | None, names: tuple[str, ...] | None = None
) -> tuple[tuple[Band, ...], float]:
    """The bands of a card's named modalities, or of its first, and their ground size."""
    if card is None or not card.modalities:
        return describe(_BANDS), 10.0
    chosen = [known for known in card.modalities if names is None or known.name in names]
    chosen = chosen[:1] if names is None else chosen
    bands = tuple(band for modality in chosen for band in modality.bands)
    return bands, chosen[0].metres or 10.0 if chosen else 10.0


def _shapes(backbone: Backbone, features: Any) -> list[Any]:
    if isinstance(features, Tensor):
        return list(features.shape)
    strides = backbone.shape.strides if isinstance(backbone.shape, Maps) else ()
    pairs = zip(features, strides, strict=True)
    return [{"shape": list(level.shape), "stride": stride} for level, stride in pairs]

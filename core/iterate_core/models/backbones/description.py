"""What is known of backbones without building one. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from iterate_core.hub.files import at_hand
from iterate_core.models.backbones.card import Card, Modality
from iterate_core.registry.options import Section
from iterate_core.registry.registry import Entry


def described(entry: Entry, card: Card) -> dict[str, Any]:
    """A backbone's card as plain JSON types, and whether its weights are on this machine."""
    path = at_hand(card.file) if card.file is not None else None
    return {
        "name": entry.name,
        "title": card.title,
        "reference": card.reference,
        "licence": card.licence,
        "parameters": card.parameters,
        "size": card.size,
        "patch": card.patch,
        "takes": card.takes,
        "modalities": [_modality(modality) for modality in card.modalities],
        "stand_ins": dict(card.stand_ins),
        "frames": card.frames,
        "coordinates": card.coordinates,
        "further_bands": card.widens,
        "weights": None if card.file is None else asdict(card.file),
        "at_hand": None if path is None else str(path),
        "notes": list(card.notes),
        "options": {
            name: _default(field) for name, field in entry.load_options().model_fields.items()
            if name != "name"
        },
    }  # fmt: skip


def _modality(modality: Modality) -> dict[str, Any]:
    channels = [modality.normal(index) for index in range(len(modality.bands))]
    return {
        "name": modality.name,
        "metres": modality.metres,
        "bands": [
            {
                **asdict(band),
                "mean": None if channel is None else channel.shift,
                "std": None if channel is None else channel.scale,
                "low": None if channel is None else _finite(channel.low),
                "high": None if channel is None else _finite(channel.high),
            }
            for band, channel in zip(modality.bands, channels, strict=True)
        ],
    }


def _finite(limit: float) -> float | None:
    return limit if math.isfinite(limit) else None


def _default(field: Any) -> Any:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    return default.model_dump(mode="json") if isinstance(default, Section) else default

"""The cards of the encoders that TorchGeo builds, by the names that recipes use.

Imports no torch.
"""

from __future__ import annotations

from itertools import chain

from iterate_core.models.backbones.card import Card
from iterate_core.models.backbones.torchgeo import satlas, sentinel, single, ssl4eo_l
from iterate_core.models.backbones.torchgeo.published import Published

PUBLISHED: dict[str, Published] = {
    found.name: found
    for found in chain(
        satlas.published(), sentinel.published(), ssl4eo_l.published(), single.published()
    )
}
CARDS: dict[str, Card] = {name: found.card for name, found in PUBLISHED.items()}

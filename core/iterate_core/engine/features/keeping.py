"""Whether a frozen backbone's features are kept, how precisely, and where."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import torch

from iterate_core.data.augmentation.elements import Element
from iterate_core.data.dataset import SPLITS, Split
from iterate_core.data.selection import epoch_count, selected_count
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.resolved import Prepared, decisive
from iterate_core.engine.views import augmentations
from iterate_core.faults import readable
from iterate_core.fingerprint import fingerprint
from iterate_core.models.shapes import Pooled, Shape, padded
from iterate_core.registry.marks import AfterBackbone, PerTraining
from iterate_core.storage import bounds, memory, usage
from iterate_core.storage.cache import cache_folder, cached

LIMIT = 4 * memory.GIB
"""Bytes of a dataset's features up to which they are kept in float32: those of its training split
over all its flips and rotations, of its validation and of its test split, together."""

LAYOUT = 2

Kept = Literal["float32", "float16"]
_BYTES: dict[Kept, int] = {"float32": 4, "float16": 2}

_log = logging.getLogger(__name__)


def worthwhile(prepared: Prepared, group: tuple[Element, ...]) -> bool:
    """Whether features are to be kept: if the recipe says how, or if it costs less than it saves.

    The backbone must be constant. With further augmentations no sample is ever the same. Of itself,
    training must be long enough that each sample is needed in each of its flips and rotations at
    least once on average; what other trainings will need, nobody knows but who wrote the recipe.
    """
    recipe = prepared.recipe
    data, info = recipe.data, prepared.info
    if not recipe.tuning.constant or recipe.augmentation.members:
        return False
    if recipe.trainer.features != "auto":
        return recipe.trainer.features != "off"
    trained = epoch_count(data, info) * recipe.trainer.epochs
    return trained >= len(group) * selected_count(data, info)


def note(prepared: Prepared, device: torch.device) -> str | None:
    """What does not go without saying of how a recipe's features are kept there, if they are."""
    if not worthwhile(prepared, augmentations(prepared)):
        return None
    return Place(prepared, device).note()


def floats_per_sample(shape: Shape, size: tuple[int, int]) -> int:
    """How many numbers the features of one padded image of that size are."""
    if isinstance(shape, Pooled):
        return shape.width
    levels = zip(shape.channels, shape.strides, strict=True)
    return sum(n * -(-size[0] // stride) * -(-size[1] // stride) for n, stride in levels)


@cache
def _versions() -> tuple[str, ...]:
    """Of what computes features; looking them up reads files."""
    return tuple(version(name) for name in ("torch", "timm", "geo-iterate"))


@dataclass(frozen=True)
class Place:
    """Where features of a recipe's backbone lie, and on what device they are used.

    Attributes:
        prepared: The recipe and its data.
        device: Where they are computed and used.
    """

    prepared: Prepared
    device: torch.device

    @cached_property
    def floats(self) -> int:
        """How many numbers all features of the dataset are."""
        prepared = self.prepared
        backbone = shared_backbone(prepared, meta=True)
        each = floats_per_sample(backbone.shape, padded(prepared.size, backbone.multiple))
        sizes = prepared.info.sizes
        return each * sum(sizes[split] * len(augmentations(prepared, split)) for split in SPLITS)

    @cached_property
    def precision(self) -> Kept:
        """How the numbers are kept: as the recipe says, or in float32 where those are few."""
        chosen = self.prepared.recipe.trainer.features
        if chosen in ("float32", "float16"):
            return chosen
        return "float32" if _BYTES["float32"] * self.floats <= LIMIT else "float16"

    @property
    def needs(self) -> int:
        """Bytes of all features, as they are kept."""
        return _BYTES[self.precision] * self.floats

    @cached_property
    def folder(self) -> Path:
        """Named by everything that decides the numbers."""
        prepared = self.prepared
        name = fingerprint(
            {
                "layout": LAYOUT,
                "precision": self.precision,
                "recipe": decisive(prepared.recipe, PerTraining, AfterBackbone),
                "backbone": prepared.backbone_key,
                "data": prepared.data,
                "device": self.device.type,
                "versions": _versions(),
            }
        )
        return cache_folder() / "features" / name

    def stem(self, split: Split, element: Element) -> Path:
        """What the files of a split have in common, as one of its flips and rotations shows it."""
        return self.folder / f"{split}-{element.turns}{'f' if element.flip else ''}"

    def hold(self) -> usage.Use | None:
        """Use the folder, with room for all features; None where the disk has no such room."""
        folder, needs = self.folder, self.needs
        with cached("features", folder) as room:
            room.needs = needs
            use = usage.use(folder)
            if bounds.make_room(folder, needs, self._about()):
                return use
            use.release()
        _log.warning("%s", self._without_room())
        return None

    def note(self) -> str | None:
        """What does not go without saying of how they are kept: not at all, or in half the bytes.

        It is told before there is a training; whether there is room may be another matter by then.
        """
        if not bounds.has_room(self.folder, self.needs):
            return self._without_room()
        if self.precision == "float32" or self.prepared.recipe.trainer.features != "auto":
            return None
        whole = readable(_BYTES["float32"] * self.floats)
        return (
            f"features are kept in float16, for in float32 they would take {whole}: metrics may "
            "move in the third digit (trainer.features: float32 keeps them exactly)"
        )

    def _without_room(self) -> str:
        needed, allowed = readable(self.needs), readable(bounds.limit(self.folder.parent))
        return (
            f"features are computed anew in each epoch: kept, they would take {needed}, and at "
            f"most {allowed} may be kept here (iterate cache --limit)"
        )

    def _about(self) -> dict[str, str]:
        prepared = self.prepared
        return {
            "dataset": prepared.info.name,
            "backbone": prepared.recipe.model.backbone.name,
            "precision": self.precision,
        }

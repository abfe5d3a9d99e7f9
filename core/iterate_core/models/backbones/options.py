"""Options of backbones. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.registry.marks import AddedLater
from iterate_core.registry.options import Component
from iterate_core.storage.digests import hash_files

WHERE = "model.backbone.weights"

Taps = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
"""Blocks of a transformer, counted from 0."""


class BackboneOptions(Component):
    """What every backbone takes.

    Attributes:
        weights: ``hub`` (the published ones, downloaded once), ``none`` (random), or the path of a
            ``.safetensors``, ``.pth``, ``.pt`` or ``.ckpt`` file.
        sha256: What that file's digest must be; None takes any file, unless it bears the name of
            the published one.
    """

    weights: str = "hub"
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None

    @property
    def pretrained(self) -> bool:
        """Whether the backbone starts from trained weights."""
        return self.weights != "none"

    @property
    def file(self) -> Path | None:
        """The weights' file, where they come from one."""
        if self.weights in ("hub", "none"):
            return None
        return Path(self.weights).expanduser()

    def content(self) -> str:
        """Fixes the weights by content: a file's SHA-256, or what the hub's name stands for.

        Raises:
            RequestError: The file is absent or unreadable.
        """
        if self.file is None:
            return self.weights
        try:
            return hash_files(self.file.parent, [self.file.name])[self.file.name]
        except DataError as error:
            what, hint = error.problems[0].what, "Name an existing file, or 'hub', or 'none'."
            raise RequestError(Problem(WHERE, f"{self.weights} {what}", hint)) from None


class MatchedOptions(BackboneOptions):
    """A backbone whose channels have a meaning; see `iterate_core.models.backbones.matching`.

    Attributes:
        missing: What a channel gets for which the dataset has no band: ``refuse`` is an error,
            ``zero`` gives zeros after normalisation, ``nearest`` the band of nearest wavelength.
            A model that takes bands by their wavelengths has no such channel.
        extra: What becomes of bands the backbone has no channel for: ``drop`` leaves them out,
            ``refuse`` is an error, ``random`` adds channels with seeded random weights.
        modalities: The modalities to use, in this order; None takes those the dataset fills.
    """

    missing: Literal["refuse", "zero", "nearest"] = "refuse"
    extra: Literal["drop", "refuse", "random"] = "drop"
    modalities: tuple[str, ...] | None = None


class TimmOptions(BackboneOptions):
    """A backbone from timm.

    Attributes:
        drop_path: Probability of skipping a residual branch in training (stochastic depth); it
            regularises full fine-tuning of deep models.
        taps: The blocks of a plain vision transformer whose maps are decoded, counted from 0; None
            takes four, evenly spaced.
    """

    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    taps: Annotated[Taps | None, AddedLater] = None
